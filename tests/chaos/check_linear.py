"""Is each key of a history linearizable, and is each body one that was sent, whole? (D1 D2 C1 C3 C4)

A copy is a write of a value id of its own to its key, and a read of its source, whose value its bytes
name. Sources are never copies themselves. Reads of the end (finale.py) are operations like others.
"""

from dataclasses import replace
from types import SimpleNamespace

from history import ABSENT, PRESENT, READS, WRITES, Violation
from search import BUDGET, Search, Step

NEVER = float("inf")
# Answers of 4xx that a correct client may meet: (kind, code). HEAD has no code.
EXPECTED = {("get", "NoSuchKey"), ("range", "NoSuchKey"), ("copy", "NoSuchKey"), ("range", "InvalidRange"),
            ("put_new", "PreconditionFailed")}
EXPECTED_ANYWHERE = {"RequestTimeout", "IncompleteBody", "OperationAborted", "ConditionalRequestConflict"}


def check(history, budget=BUDGET):
    """All that is wrong, as Violations."""
    operations = history.operations
    index = Index(operations)
    found = [*on_sight(operations), *contents(index)]
    for key in sorted(index.keys):
        found += check_key(index, key, budget)
    return found


class Index:
    """A history by values and keys."""

    def __init__(self, operations):
        self.origin = min((one.start for one in operations), default=0)
        self.writers = {one.wrote: one for one in operations if one.wrote}
        self.reads, self.keys = {}, {}      # value id -> reads; (bucket, key) -> operations
        for one in operations:
            if one.read not in (None, ABSENT, PRESENT):
                self.reads.setdefault(one.read, []).append(one)
            if one.kind != "list":
                self.keys.setdefault((one.bucket, one.key), []).append(one)
            if one.source:
                self.keys.setdefault(tuple(one.source), []).append(one)
        self.copied_by = {}                 # value id -> when a copy had certainly read it
        self.copies = [one for one in operations if one.kind == "copy" and one.outcome != "fail"]
        for copy in self.copies:
            value, end = copied(self, copy), self.end_of(copy)
            if value and len(value) == 1:
                value, = value
                self.copied_by[value] = min(end, self.copied_by.get(value, NEVER))

    def seen_by(self, write):
        """When the first read that saw this write ended: it had happened by then."""
        reads = (one.end for one in self.reads.get(write.wrote, ()) if one.end is not None)
        return min([*reads, self.copied_by.get(write.wrote, NEVER)])

    def end_of(self, write):
        end = write.end if write.outcome == "ok" else NEVER
        return min(end, self.seen_by(write)) if write.wrote else end


def name(key):
    return "/".join(key)


# ---------------------------------------------------------------- what needs no order

def on_sight(operations):
    """Bodies that were wrong by themselves, and answers that no correct client should get."""
    found = []
    for one in operations:
        where = name((one.bucket, one.key))
        if one.problem:
            found.append(Violation("body", where, f"{one.problem}\n  {one.words()}"))
        code, status = one.detail.get("code"), one.detail.get("status") or 0
        is_expected = ((one.kind, code) in EXPECTED or code in EXPECTED_ANYWHERE or one.detail.get("is_repeat")
                       or (one.kind == "head" and status == 404))
        if 400 <= status < 500 and not is_expected:
            found.append(Violation("answer", where, f"{status} {code}\n  {one.words()}"))
    return found


def contents(index):
    """A read shows the bytes of the value that it names, a copy those of one value of its source."""
    found = []
    for value, reads in index.reads.items():
        writer = index.writers.get(value)
        for one in reads:
            if writer is not None and writer.kind != "copy" and one.content and (
                    value not in one.content or one.etag != writer.etag):
                found.append(Violation("body", name((one.bucket, one.key)),
                                       f"names {value} (ETag {writer.etag}), has the bytes of {one.content} "
                                       f"(ETag {one.etag})\n  {writer.words()}\n  {one.words()}"))
    for copy in index.copies:
        if copied(index, copy) == set():
            reads = "".join(f"\n  {one.words()}" for one in index.reads.get(copy.wrote, ()))
            found.append(Violation("body", name((copy.bucket, copy.key)),
                                   f"a copy with bytes that {name(copy.source)} never held, or with "
                                   f"different bytes at different times\n  {copy.words()}{reads}"))
    return found


def copied(index, copy):
    """The values of its source that a copy may have read; None if nothing tells of its bytes."""
    told = [set(one.content) for one in [copy, *index.reads.get(copy.wrote, ())] if one.content]
    if not told:
        return None
    writers = {value: index.writers.get(value) for value in set.intersection(*told)}
    return {value for value, writer in writers.items() if writer is not None and writer.outcome != "fail"
            and (writer.bucket, writer.key) == tuple(copy.source)}


# ---------------------------------------------------------------- a key's operations

def steps_of(index, key):
    """The key's operations as steps, and the reads of what was never written there."""
    steps, strange = [], []
    for one in index.keys[key]:
        end = one.end if one.end is not None else NEVER
        if one.source and tuple(one.source) == key:
            steps += source_steps(index, one)
        if (one.bucket, one.key) != key:
            continue
        if one.kind in WRITES and one.outcome != "fail":
            end = index.end_of(one)
            kind = "new" if one.kind == "put_new" else "write"
            steps.append(Step(kind, one.wrote, one.start, end, end < NEVER, one))
        elif one.kind == "delete" and one.outcome != "fail":
            is_certain = one.outcome == "ok"
            steps.append(Step("delete", None, one.start, end if is_certain else NEVER, is_certain, one))
        elif one.read in (ABSENT, PRESENT):
            wanted = PRESENT if one.read == PRESENT else frozenset([ABSENT])
            steps.append(Step("read", wanted, one.start, end, True, one))
        elif one.read is not None and one.kind in READS:
            why = why_strange(index, one)
            if why:
                strange.append(Violation("order", name(key), why))
            else:
                steps.append(Step("read", frozenset([one.read]), one.start, end, True, one))
    return steps, strange


def source_steps(index, copy):
    """What a copy read at its source, and when at the latest."""
    if copy.detail.get("code") == "NoSuchKey":
        return [Step("read", frozenset([ABSENT]), copy.start, copy.end, True, copy)]
    values, end = copied(index, copy), index.end_of(copy)
    # Of a tiny body that two values share it is not known which was read.
    if copy.outcome == "fail" or not values or len(values) > 1 or end == NEVER:
        return []
    return [Step("read", frozenset(values), copy.start, end, True, copy)]


def why_strange(index, read):
    """Why nobody can have written what was read, or None."""
    writer = index.writers.get(read.read)
    if writer is None:
        return f"read {read.read}, which nobody ever wrote\n  {read.words(index.origin)}"
    lines = f"\n  {writer.words(index.origin)}\n  {read.words(index.origin)}"
    if (writer.bucket, writer.key) != (read.bucket, read.key):
        return f"read {read.read}, which was written to {writer.bucket}/{writer.key}{lines}"
    if writer.outcome == "fail":
        return f"read {read.read}, whose write did not happen{lines}"
    if read.end is not None and writer.start > read.end:
        return f"read {read.read} before it was written{lines}"
    return None


def check_key(index, key, budget):
    steps, found = steps_of(index, key)
    verdict = Search(steps, budget).run()
    if verdict is None:
        lines = "\n".join(f"  {step.operation.words(index.origin)}" for step in steps)
        found.append(Violation("undecided", name(key), f"no verdict within {budget} steps; by hand:\n{lines}"))
    if verdict is False:
        found.append(Violation("order", name(key), explain(index, steps)))
    return found


# ---------------------------------------------------------------- saying what is wrong

def smallest(steps, budget=20_000):
    """Steps that still contradict each other when all others are left out or made uncertain.

    Only what keeps the verdict sound is done: a lawful history stays lawful without a read, or with
    a write that may not have happened.
    """
    steps = sorted(steps, key=lambda step: (step.kind != "read", -step.start))
    for step in list(steps):
        if not step.is_certain:
            continue
        rest = [other for other in steps if other is not step]
        is_needed = any(step.value in other.value for other in rest
                        if other.kind == "read" and other.value != PRESENT)
        if step.kind != "read" and is_needed:
            continue
        fewer = rest if step.kind == "read" else [*rest, replace(step, end=NEVER, is_certain=False)]
        if Search(fewer, budget).run() is False:
            steps = fewer
    return steps


def explain(index, steps):
    core = smallest(steps)
    shown = {id(step.operation): step.operation for step in core if step.is_certain}
    others = [step.operation for step in core if not step.is_certain and step.operation.outcome == "unknown"]
    lines = [f"  {one.words(index.origin)}" for one in sorted(shown.values(), key=lambda one: one.start)]
    text = "no order of these explains them:\n" + "\n".join(lines)
    if others:
        text += "\n  and these writes of unknown outcome, at whatever time, do not help:\n" + "\n".join(
            f"  {one.words(index.origin)}" for one in sorted(others, key=lambda one: one.start))
    return text


def check_operations(operations, budget=BUDGET):
    """The same for a plain list of operations."""
    return check(SimpleNamespace(operations=operations), budget)
