"""What one bucket must hold after each kill, and the comparison of what the frontends say with it.

An operation that was answered with success has one allowed outcome. One that was answered with an
error, or not at all, has two: as if it never was, or whole. What is seen first is then the only one
allowed: from every frontend, again, and after every later restart.
"""

import hashlib
import random
import time

import client

ABSENT = "absent"
WITHIN = 10.0  # Seconds in which everything must answer again after a restart.


def body_of(value, length):
    """The bytes of a value: different for each, the same in each run."""
    return random.Random(value).randbytes(length)


def said(answer):
    return f"{answer.status} {answer.code or ''}".strip() if answer.status else f"no answer ({answer.code})"


class Wrong(Exception):
    """A promise that was broken, in words."""


class Model:
    def __init__(self, s3, bucket):
        self.client, self.bucket, self.names = s3, bucket, list(s3.endpoints)
        self.allowed = {}     # key -> values that it may have
        self.lengths = {}     # value -> length
        self.sums = {}        # SHA-256 -> value
        self.etags = {}       # value -> ETag that an answer gave it

    def body(self, value, length):
        body = body_of(value, length)
        self.lengths[value] = length
        self.sums[hashlib.sha256(body).digest()] = value
        return body

    def now(self, key):
        """The values that the key may have before what comes next."""
        return self.allowed.get(key, {ABSENT})

    def apply(self, key, value, answer):
        """An operation that makes the key hold value (or ABSENT) was answered like this."""
        if 200 <= answer.status < 300:
            self.allowed[key] = {value}
        elif 400 <= answer.status < 500:
            self.allowed[key] = self.now(key)
        else:
            self.allowed[key] = self.now(key) | {value}

    def may_become(self, key, value):
        """An attempt that will be repeated until it succeeds begins."""
        self.allowed[key] = self.now(key) | {value}

    # ---------------------------------------------------------------- comparing

    def insist(self, ask, statuses, what, deadline):
        """One of these answers comes by the deadline."""
        answer = self._patiently(ask, what, deadline)
        if answer.status not in statuses:
            raise Wrong(f"{what}: {said(answer)}")
        return answer

    def _patiently(self, ask, what, deadline):
        """The answer, when it is no failure of service; such failures end by the deadline."""
        while True:
            answer = ask()
            if answer.status and answer.status < 500:
                return answer
            if time.monotonic() > deadline:
                raise Wrong(f"{what}: still {said(answer)} {WITHIN:.0f} s after the restart")
            time.sleep(0.1)

    def read(self, frontend, key, deadline):
        """The value that a GET gives; Wrong for bytes that are no whole value."""
        what = f"GET {key} from {frontend}"
        answer = self._patiently(lambda: self.client.get(frontend, self.bucket, key), what, deadline)
        if answer.status == 404 and answer.code == "NoSuchKey":
            return ABSENT
        if answer.status != 200:
            raise Wrong(f"{what}: {said(answer)}")
        value = self.sums.get(hashlib.sha256(answer.body).digest())
        if value is None:
            raise Wrong(f"{what}: {len(answer.body)} bytes that nobody wrote as a whole; "
                        f"allowed {sorted(self.now(key))}")
        etag = answer.headers.get("etag", "").strip('"')
        if etag != self.etags.setdefault(value, etag):
            raise Wrong(f"{what}: ETag {etag}, before {self.etags[value]}")
        return value

    def check_key(self, key, deadline):
        """Ask every frontend twice: one value, an allowed one, and the only one from now on."""
        for frontend in self.names * 2:
            value = self.read(frontend, key, deadline)
            if value not in self.now(key):
                raise Wrong(f"GET {key} from {frontend}: {value}, allowed {sorted(self.now(key))}")
            self.allowed[key] = {value}

    def check_list(self, deadline):
        """LIST of every frontend shows what the keys hold; check_key has seen each undecided key."""
        values = {key: next(iter(some)) for key, some in self.allowed.items() if len(some) == 1}
        want = {key: (self.lengths[value], self.etags.get(value))
                for key, value in values.items() if value != ABSENT}
        for frontend in self.names:
            answer = self.insist(lambda name=frontend: self.client.list(name, self.bucket), (200,),
                                 f"LIST from {frontend}", deadline)
            found = {key: (size, etag) for key, etag, size in client.listed(answer.body)}
            for key in sorted(set(want) | set(found)):
                size, etag = want.get(key, (None, None))
                if key not in found or key not in want or found[key][0] != size or (
                        etag and found[key][1] != etag):
                    raise Wrong(f"LIST from {frontend}: {key} is {found.get(key)}, expected {want.get(key)}")

    def check(self, keys, deadline):
        for key in keys:
            self.check_key(key, deadline)
        self.check_list(deadline)

    def undecided(self):
        return [key for key, some in self.allowed.items() if len(some) > 1]
