"""What clients did and saw: one record for each call, kept in memory and as JSON lines."""

import json
import threading
from dataclasses import asdict, dataclass, field

ABSENT, PRESENT = "absent", "present"   # What a read of a key may tell apart from a value id.
WRITES = ("put", "put_new", "copy", "multipart")
READS = ("get", "range", "head")


@dataclass
class Operation:
    """A call. It stands in the history, open, from before its first byte is sent."""
    client: str
    endpoint: str
    kind: str               # put put_new get range head delete copy multipart list
    bucket: str
    key: str                # Of a list: the prefix.
    start: int = 0          # Monotonic nanoseconds.
    end: int = None         # When the client knew its outcome, or gave up; None: still under way.
    outcome: str = "unknown"    # ok, fail (certainly not applied; of a read: nothing learnt), unknown
    wrote: str = None       # Value id of a write.
    read: str = None        # Value id, "absent", "present" (a 412 or 416), or None.
    content: list = None    # Value ids whose bytes the read body is; more than one only of tiny bodies.
    etag: str = None        # Of a write: what it must have (None for a copy); of a read: what it had.
    length: int = None      # Of the whole object.
    source: list = None     # [bucket, key] of a copy.
    listed: list = None     # Of a list: [key, etag, size] in the order of the answer.
    bytes: int = 0          # That this call moved, both ways.
    problem: str = None     # Wrong on sight, whatever the order: a mixed body, lengths that differ.
    detail: dict = field(default_factory=dict)  # status, code, and what the kind needs

    def words(self, origin=0):
        """One readable line."""
        took = f"{(self.start - origin) / 1e6:12.3f} .. " + (
            f"{(self.end - origin) / 1e6:12.3f} ms" if self.end is not None else "(never ended)")
        what = "".join([
            f" wrote {self.wrote}" if self.wrote else "", f" read {self.read}" if self.read else "",
            f" from {'/'.join(self.source)}" if self.source else "",
            f" body {','.join(self.content)}" if self.content and self.content != [self.read] else ""])
        told = " ".join(f"{name}={value}" for name, value in self.detail.items() if value is not None)
        return f"{took}  {self.client:7} {self.endpoint:10} {self.kind:9} {self.outcome:7}{what}  {told}"


@dataclass
class Violation:
    """Something that must not be; kind: order, undecided, body, answer, list, finale."""
    kind: str
    where: str
    text: str

    def __str__(self):
        return f"{self.kind}: {self.where}: {self.text}"


class History:
    def __init__(self):
        self._operations, self._lock = [], threading.Lock()
        self._contents = {}     # ETag -> [(value id, "bucket/key", length)]: what a body may be.

    def record(self, operation):
        """Takes an operation in; its caller goes on filling it until `end` is set. Any thread."""
        with self._lock:
            self._operations.append(operation)
            if operation.wrote and operation.length is not None:
                content = (operation.wrote, f"{operation.bucket}/{operation.key}", operation.length)
                for etag in {operation.etag, operation.detail.get("md5")} - {None}:
                    self._contents.setdefault(etag, []).append(content)
        return operation

    def contents(self, etag):
        """What bodies of this ETag were ever sent."""
        with self._lock:
            return list(self._contents.get(etag, ()))

    @property
    def operations(self):
        with self._lock:
            return list(self._operations)

    def save(self, path):
        with open(path, "w", encoding="utf-8") as out:
            for operation in self.operations:
                out.write(json.dumps({k: v for k, v in asdict(operation).items() if v is not None}) + "\n")

    @classmethod
    def load(cls, path):
        history = cls()
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                history.record(Operation(**json.loads(line)))
        return history
