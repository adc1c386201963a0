"""Is each page of each LIST what may have been there while the call ran? (C2, by the interval rule)

Listed must have been possible at some moment of the call; what was certainly there all the time must
be listed. A page answers for the names between where it began and its last one.
"""

from history import ABSENT, PRESENT, READS, WRITES, Violation

NEVER = float("inf")


def check(history):
    operations, found = history.operations, []
    buckets = {}
    for one in operations:
        if one.kind != "list":
            buckets.setdefault(one.bucket, {}).setdefault(one.key, Key()).take(one)
    for keys in buckets.values():
        for key in keys.values():
            key.settle()
    for one in operations:
        if one.kind == "list" and one.outcome == "ok":
            found += check_page(one, buckets.get(one.bucket, {}))
    return found


class Key:
    """When a key may have been there, and when it certainly was."""

    def __init__(self):
        self.writes, self.deletes, self.present, self.absent = [], [], [], []
        self.seen = {}      # value id -> the end of the first read that saw it

    def take(self, one):
        if one.kind in WRITES and one.outcome != "fail":
            self.writes.append(one)
        elif one.kind == "delete" and one.outcome != "fail":
            self.deletes.append(one)
        elif one.read == ABSENT and one.kind in READS:
            self.absent.append(one)
        elif one.read is not None and one.read != ABSENT:
            self.present.append(one)
            if one.read != PRESENT and one.end is not None:
                self.seen[one.read] = min(one.end, self.seen.get(one.read, NEVER))

    def settle(self):
        self.ends = {write.wrote: min(write.end if write.outcome == "ok" else NEVER,
                                      self.seen.get(write.wrote, NEVER)) for write in self.writes}

    def is_gone(self, write, before):
        """Whether this write was certainly undone when `before` came: by a delete, or seen absent."""
        end = self.ends[write.wrote]
        proofs = [one for one in self.deletes if one.outcome == "ok"] + self.absent
        return any(end < one.start and one.end is not None and one.end < before for one in proofs)

    def is_possible(self, page):
        return any(write.start <= page.end and not self.is_gone(write, page.start) for write in self.writes)

    def is_replaced(self, write, before):
        """Whether the value had certainly been overwritten by then."""
        end = self.ends[write.wrote]
        return self.is_gone(write, before) or any(
            end < other.start and self.ends[other.wrote] < before for other in self.writes)

    def is_possible_value(self, page, etag, size):
        """Whether a value of this ETag and size may have been the newest at some moment of the call."""
        return any(write.start <= page.end and not self.is_replaced(write, page.start)
                   and (write.etag is None or (write.etag, write.length) == (etag, size))
                   for write in self.writes)

    def witness(self, page):
        """What proves that the key was there all the time, or None."""
        deletes = [(one.start, one.end if one.outcome == "ok" else NEVER) for one in self.deletes]
        proofs = [(write.start, self.ends[write.wrote], write) for write in self.writes]
        proofs += [(one.start, one.end, one) for one in self.present if one.end is not None]
        for start, end, one in proofs:
            if end < page.start and not any(done >= start and begun <= page.end for begun, done in deletes):
                return one
        return None


def check_page(page, keys):
    names, found = [row[0] for row in page.listed], []
    after, where = page.detail.get("after") or "", f"{page.bucket}/{page.key}*"

    def wrong(text, *lines):
        shown = "".join(f"\n  {one.words()}" for one in (*lines, page))
        found.append(Violation("list", where, text + shown))

    raw = [name.encode() for name in names]
    ordered = [after.encode(), *raw] if after else raw
    if any(first >= second for first, second in zip(ordered, ordered[1:])):
        wrong(f"names out of order or twice, after {after!r}: {names}")
    if any(not name.startswith(page.key) for name in names):
        wrong(f"names without the prefix: {names}")
    if len(names) > page.detail.get("limit", 1000) or (page.detail.get("truncated") and not names):
        wrong(f"{len(names)} names on a page of {page.detail.get('limit')}")
    for name, etag, size in page.listed:
        key = keys.get(name)
        if key is None or not key.is_possible(page):
            lines = (key.writes + key.deletes + key.absent)[-8:] if key else ()
            wrong(f"lists {name}, which cannot have been there", *lines)
        elif not key.is_possible_value(page, etag, size):
            wrong(f"lists {name} with ETag {etag} and {size} bytes, which it cannot have had", *key.writes[-8:])
    last = raw[-1] if raw and page.detail.get("truncated") else None
    for name, key in keys.items():
        is_inside = (name.startswith(page.key) and name.encode() > after.encode()
                     and (last is None or name.encode() <= last))
        witness = key.witness(page) if is_inside and name not in names else None
        if witness is not None:
            wrong(f"does not list {name}, which was there all the time", witness)
    return found
