"""The checkers see hand-made bad histories, each kind of them, and pass what is odd but lawful."""

import itertools
import random
from types import SimpleNamespace

import pytest

import bodies
import check_linear
import check_list
import check_patience
import schedule
from history import ABSENT, PRESENT, History, Operation
from reading import judge_read
from search import Search, Step

B, K = "bucket", "key"
COUNT = itertools.count()


def act(kind, start, end, outcome="ok", key=K, **more):
    """An operation of a client of its own, at seconds."""
    if kind in ("put", "put_new", "copy", "multipart") and "length" not in more and kind != "copy":
        more = {"length": 100, "etag": f"etag-{more['wrote']}", **more}
    read = more.get("read")
    if read not in (None, ABSENT, PRESENT) and "content" not in more:
        more = {"content": [read], "etag": f"etag-{read}", **more}
    return Operation(f"c{next(COUNT)}", "frontend1", kind, B, key, int(start * 1e9),
                     None if end is None else int(end * 1e9), outcome, **more)


def put(value, start, end, outcome="ok", kind="put", **more):
    return act(kind, start, end, outcome, wrote=value, **more)


def get(value, start, end, **more):
    return act("get", start, end, "fail" if value == ABSENT else "ok", read=value,
               detail={"status": 404, "code": "NoSuchKey"} if value == ABSENT else {"status": 200}, **more)


def refused(value, start, end):
    """A put_new that found something there."""
    return put(value, start, end, "fail", "put_new", read=PRESENT,
               detail={"status": 412, "code": "PreconditionFailed"})


def delete(start, end, outcome="ok"):
    return act("delete", start, end, outcome)


def page(names, start, end, prefix="", **detail):
    rows = [[name, f"etag-{name}", 100] if isinstance(name, str) else list(name) for name in names]
    return act("list", start, end, key=prefix, listed=rows, detail=detail)


def judged(*operations):
    return check_linear.check_operations(list(operations))


def kinds(violations):
    return [violation.kind for violation in violations]


# ---------------------------------------------------------------- bad ones

BAD = {
    "an acknowledged PUT is lost": [put("a", 0, 1), get(ABSENT, 2, 3)],
    "an acknowledged overwrite is lost": [put("a", 0, 1), put("b", 2, 3), get("a", 4, 5)],
    "a stale read after a newer one": [put("a", 0, 1), put("b", 2, 9), get("b", 3, 4), get("a", 5, 6)],
    "a value that nobody wrote": [put("a", 0, 1), get("z", 2, 3)],
    "a value whose write was refused": [put("a", 0, 1), refused("b", 2, 3), get("b", 4, 5)],
    "a value read before it was written": [get("a", 0, 1), put("a", 2, 3)],
    "a value of another key": [put("a", 0, 1, key="other"), get("a", 2, 3)],
    "a value comes back after its delete": [put("a", 0, 1), delete(2, 3), get(ABSENT, 4, 5), get("a", 6, 7)],
    "a delete without effect": [put("a", 0, 1), delete(2, 3), get("a", 4, 5)],
    "two put_new without a delete": [put("a", 0, 1, kind="put_new"), put("b", 0, 1, kind="put_new")],
    "put_new over an acknowledged PUT": [put("a", 0, 1), put("b", 2, 3, kind="put_new")],
    "put_new refused where nothing was": [refused("a", 0, 1), put("b", 2, 3), get("b", 4, 5)],
    "put_new refused after a delete": [put("a", 0, 1), delete(2, 3), refused("b", 4, 5)],
    "an unknown write seen, then unseen": [
        put("a", 0, 1), put("b", 2, 3, "unknown"), get("b", 4, 5), get("a", 6, 7)],
    "an unknown write applied twice": [
        put("a", 0, 1, "unknown"), get("a", 2, 3), put("b", 4, 5), get("b", 6, 7), get("a", 8, 9)],
    "an unknown delete undone": [
        put("a", 0, 1), delete(2, 3, "unknown"), get(ABSENT, 4, 5), get("a", 6, 7)],
    "an unknown Complete that two readers see in two orders": [
        put("a", 0, 1), put("m", 1, 2, "unknown", "multipart"), put("b", 3, 20),
        get("b", 4, 5), get("m", 6, 7), get("b", 8, 9)],
    "a write of a paused client that comes back after a later one was seen": [
        put("a", 0, 30), put("b", 1, 2), get("a", 3, 4), get("b", 5, 6), get("a", 31, 32)],
    "a copy of what its source no longer was": [
        put("a", 0, 1, key="from"), put("b", 2, 3, key="from"),
        act("copy", 4, 5, wrote="x", source=[B, "from"], content=["a"], etag="etag-a")],
    "a copy of a source that was deleted": [
        put("a", 0, 1, key="from"), act("delete", 2, 3, key="from"),
        act("copy", 4, 5, wrote="x", source=[B, "from"], content=["a"], etag="etag-a")],
    "a copy finds no source where there is one": [
        put("a", 0, 1, key="from"),
        act("copy", 2, 3, "fail", wrote="x", source=[B, "from"], detail={"status": 404, "code": "NoSuchKey"})],
    "an unknown copy, read later, of a source that came after": [
        put("a", 0, 1, key="from"), act("copy", 2, 3, "unknown", wrote="x", source=[B, "from"]),
        get("x", 4, 5, content=["b"], etag="etag-b"), put("b", 6, 7, key="from")],
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_history_is_reported(name):
    found = judged(*BAD[name])
    assert found and kinds(found)[0] == "order", name
    assert all(text in str(found[0]) for text in ("frontend1", "ms")), "it is told readably"


BODIES = {
    "a copy with bytes of another key": [
        put("a", 0, 1, key="from"), put("z", 0, 1, key="elsewhere"),
        act("copy", 2, 3, wrote="x", source=[B, "from"], content=["z"], etag="etag-z")],
    "a copy that changes its bytes": [
        put("a", 0, 1, key="from"), put("b", 2, 3, key="from"),
        act("copy", 0, 4, wrote="x", source=[B, "from"]),
        get("x", 5, 6, content=["a"], etag="etag-a"), get("x", 7, 8, content=["b"], etag="etag-b")],
    "metadata of one version, bytes of another": [
        put("a", 0, 1), put("b", 2, 3), get("b", 4, 5, content=["a"], etag="etag-a")],
    "an ETag of another upload": [put("a", 0, 1), get("a", 2, 3, etag="etag-q")],
    "wrong on sight": [put("a", 0, 1), get("a", 2, 3, problem="mixed")],
}


@pytest.mark.parametrize("name", BODIES)
def test_a_wrong_body_is_reported(name):
    assert "body" in kinds(judged(*BODIES[name])), name


def test_an_answer_that_nobody_should_get_is_reported():
    def told(kind, status, code):
        return kinds(judged(act(kind, 0, 1, "fail", wrote="w", detail={"status": status, "code": code})))
    assert told("get", 403, "AccessDenied") == ["answer"]
    assert told("delete", 404, "NoSuchBucket") == ["answer"]
    assert told("multipart", 404, "NoSuchUpload") == ["answer"]
    assert told("get", 503, "SlowDown") == told("range", 416, "InvalidRange") == []


# ---------------------------------------------------------------- bodies, as a client meets them

def met(body, value="v2", declared=None, kind="get", span=None, status=200, **headers):
    """The problem that a read of this body has, where v1 and v2 were written."""
    history = History()
    for one in ("v1", "v2"):
        content = bodies.make(one, f"{B}/{K}", 4096)
        history.record(put(one, 0, 1, length=len(content), etag=f"etag-{one}"))
    answer = type("Got", (), dict(status=status, code=None, body=body, headers={
        "content-length": str(len(body) if declared is None else declared), "etag": '"etag-v2"',
        "x-amz-meta-value": value, **headers}))
    operation = act(kind, 2, 3)
    judge_read(operation, history, answer, span)
    return operation.problem


def test_bodies_that_are_not_whole_and_right_are_told():
    first, second = (bodies.make(one, f"{B}/{K}", 4096) for one in ("v1", "v2"))
    assert met(second) is None
    assert "value v1" in met(first[:2048] + second[2048:]), "mixed"
    assert "value v1" in met(first), "stale bytes under a new ETag"
    assert "shifted by 64" in met(second[:64] + second[:-64]), "shifted"
    assert "zeros" in met(second[:1024] + bytes(1024) + second[2048:]), "a hole"
    assert "rubbish" in met(second[:1024] + random.Random(1).randbytes(1024) + second[2048:])
    assert "of key" in met(bodies.make("v2", f"{B}/other", 4096)), "foreign"
    assert met(second[:1000]) is not None, "too short"
    flipped = bytearray(second)
    flipped[4001] ^= 4
    assert met(bytes(flipped)) is not None


def test_ranges_are_judged_by_their_place():
    second = bodies.make("v2", f"{B}/{K}", 4096)

    def part(body, told):
        return met(body, kind="range", span=(100, 199), status=206, **{"content-range": told})
    assert part(second[100:200], "bytes 100-199/4096") is None
    assert part(second[101:201], "bytes 100-199/4096") is not None
    assert part(second[101:201], "bytes 101-200/4096") is not None
    assert part(second[100:200], "bytes 100-199/5000") is not None


def test_every_place_of_a_body_is_its_own():
    body = bodies.make("c1.1", "b/k", 9 * 1024 * 1024 + 7)
    assert len(body) == 9 * 1024 * 1024 + 7
    rng = random.Random(7)
    for _ in range(200):
        first, size = rng.randrange(len(body)), rng.choice([1, 64, 130, 5000])
        part = body[first:first + size]
        assert bodies.verify(part, "b/k", first, "c1.1") == "c1.1"
        if len(part) >= 128:  # Here the bytes alone say it, and any other place is refused.
            assert bodies.verify(part, "b/k", first) == "c1.1"
            assert isinstance(bodies.verify(part, "b/k", first + 64), bodies.Mixed)
    assert len({body[i:i + 64] for i in range(0, len(body) - 64, 64)}) == len(body) // 64


# ---------------------------------------------------------------- lawful ones

GOOD = {
    "nothing at all": [],
    "reads that overlap a write see either": [
        put("a", 0, 1), put("b", 2, 9), get("a", 3, 4), get("b", 5, 6), get("b", 7, 8)],
    "an unknown write applied late": [
        put("a", 0, 1, "unknown"), put("b", 2, 3), get("b", 4, 5), get("a", 50, 51)],
    "an unknown write never applied": [put("a", 0, 1), put("b", 2, 3, "unknown"), get("a", 4, 5)],
    "an unknown delete applied late": [put("a", 0, 1), delete(2, 3, "unknown"), get("a", 4, 5), get(ABSENT, 6, 7)],
    "an unknown delete and an unknown write explain an absence and a presence": [
        put("a", 0, 1), delete(2, 3, "unknown"), put("b", 2, 3, "unknown"),
        put("c", 4, 5, kind="put_new"), get("c", 6, 7)],
    "put_new refused by an unknown write that nobody reads": [
        put("a", 0, 1, "unknown"), refused("b", 2, 3), delete(4, 5), put("c", 6, 7, kind="put_new")],
    "put_new twice with a delete between": [
        put("a", 0, 1, kind="put_new"), delete(0.5, 3), put("b", 2, 4, kind="put_new"), get("b", 5, 6)],
    "everything at once": [
        put("a", 0, 10), put("b", 0, 10), delete(0, 10), get(ABSENT, 0, 10), get("a", 0, 10), get("b", 0, 10),
        put("n", 0, 10, kind="put_new"), refused("o", 0, 10), get("n", 0, 10), delete(0, 10)],
    "a write under way at the end": [put("a", 0, None, "unknown"), get("a", 3, 4), get("a", 5, 6)],
    "a failed read tells nothing": [put("a", 0, 1), act("get", 2, 3, "fail", detail={"status": 503})],
    "a copy of either side of an overwrite": [
        put("a", 0, 1, key="from"), put("b", 2, 9, key="from"),
        act("copy", 3, 4, wrote="x", source=[B, "from"], content=["b"], etag="etag-b"),
        act("copy", 5, 6, wrote="y", source=[B, "from"], content=["b"], etag="etag-b"),
        get("x", 4.5, 4.6, content=["b"], etag="etag-b")],
    "only a copy shows that an unknown write happened": [
        put("a", 0, 1, "unknown", key="from"),
        act("copy", 2, 3, wrote="x", source=[B, "from"], content=["a"], etag="etag-a")],
}


@pytest.mark.parametrize("name", GOOD)
def test_a_lawful_history_passes(name):
    assert [str(one) for one in judged(*GOOD[name])] == []


class Register:
    """Makes lawful histories: a real register, operations that take effect somewhere inside their time."""

    def __init__(self, seed, length=100, clients=8, unknown=0.15):
        self.rng, self.state, self.made = random.Random(seed), ABSENT, []
        self.free, self.unknown = [0.0] * clients, unknown
        calls = sorted((self.call(number) for number in range(length)), key=lambda call: call[0])
        for _, operation, is_applied in calls:
            if is_applied:
                self.apply(operation)

    def call(self, number):
        rng = self.rng
        client = min(range(len(self.free)), key=lambda i: self.free[i])
        start = self.free[client] + rng.random()
        end = start + rng.expovariate(0.5)
        self.free[client] = end
        kind = rng.choice(["put", "put", "put_new", "get", "get", "get", "delete"])
        more = {} if kind in ("get", "delete") else {"wrote": f"v{number}"}
        operation = act(kind, start, end, **more)
        at, is_applied = start + rng.random() * (end - start), True
        if kind != "get" and rng.random() < self.unknown:
            operation.outcome, is_applied = "unknown", rng.random() < 0.6
            at += rng.choice([0, 0, 20])
        self.made.append(operation)
        return at, operation, is_applied

    def apply(self, one):
        if one.kind == "get":
            one.read = self.state
            if one.read != ABSENT:
                one.content, one.etag = [one.read], f"etag-{one.read}"
        elif one.kind == "put_new" and self.state != ABSENT:
            if one.outcome == "ok":
                one.outcome, one.read = "fail", PRESENT
        else:
            self.state = ABSENT if one.kind == "delete" else one.wrote


@pytest.mark.parametrize("seed", range(60))
def test_a_real_register_passes_and_a_swapped_read_does_not(seed):
    """100 operations of 8 clients with many unknown outcomes are decided, both ways."""
    made = Register(seed).made
    assert [str(one) for one in judged(*made)] == []
    reads = [one for one in made if one.read not in (None, ABSENT, PRESENT)]
    late = max(reads, key=lambda one: one.start)
    # Long before this read, another client's read of an early value: it cannot be seen again.
    stale = min(reads, key=lambda one: one.end).read
    assert stale != late.read
    bad = get(stale, late.end / 1e9 + 1, late.end / 1e9 + 2)
    overwritten = [one for one in made if one.read == late.read]
    assert overwritten
    assert "order" in kinds(judged(*made, bad))


def brute(steps, state=ABSENT):
    """The definition, by trying every order: what `Search` must agree with."""
    if not any(step.is_certain for step in steps):
        return True
    limit = min(step.end for step in steps if step.is_certain)
    for i, step in enumerate(steps):
        if step.start > limit:
            continue
        if step.kind == "read":
            is_fitting = state != ABSENT if step.value == PRESENT else state in step.value
            then = state if is_fitting else None
        elif step.kind == "new" and state != ABSENT:
            then = None
        else:
            then = ABSENT if step.kind == "delete" else step.value
        if then is not None and brute(steps[:i] + steps[i + 1:], then):
            return True
    return False


def test_the_search_agrees_with_trying_everything():
    rng, lawful = random.Random(3), 0
    for _ in range(1500):
        steps, values = [], []
        for number in range(rng.randrange(2, 7)):
            kind = rng.choice(["write", "write", "new", "read", "read", "delete"])
            start = rng.randrange(12)
            is_certain = kind == "read" or rng.random() < 0.7
            value = None
            if kind in ("write", "new"):
                values.append(value := f"v{number}")
            steps.append(Step(kind, value, start, start + rng.randrange(1, 8), is_certain, None))
        for step in steps:
            if step.kind == "read":
                value = rng.choice([ABSENT, PRESENT, *values])
                step.value = PRESENT if value == PRESENT else frozenset([value])
                for write in steps:  # As check_linear does: what was read had happened by then.
                    if write.value == value and write.kind in ("write", "new"):
                        write.is_certain, write.end = True, min(write.end, step.end)
        for step in steps:
            if not step.is_certain:
                step.end = float("inf")
        if any(step.end <= step.start for step in steps):
            continue
        wanted = brute(steps)
        lawful += wanted
        assert Search(steps).run() == wanted, steps
    assert 300 < lawful < 1200


def test_what_cannot_be_decided_is_said():
    made = Register(5).made
    found = check_linear.check_operations(made, budget=3)
    assert kinds(found) == ["undecided"]


def test_a_history_comes_back_from_its_file(tmp_path):
    history = History()
    for one in BAD["an unknown write seen, then unseen"]:
        history.record(one)
    history.save(tmp_path / "h")
    back = History.load(tmp_path / "h")
    assert back.operations == history.operations
    assert [str(one) for one in check_linear.check(back)] == [str(one) for one in check_linear.check(history)]


# ---------------------------------------------------------------- lists

def listing(*operations):
    history = History()
    for one in operations:
        history.record(one)
    return [str(one) for one in check_list.check(history)]


def there(name, start=0, end=1, outcome="ok"):
    return put(name, start, end, outcome, key=name)


def gone(name, start, end, outcome="ok"):
    return act("delete", start, end, outcome, key=name)


def test_bad_lists_are_reported():
    a, b = there("a"), there("b")
    assert "does not list b" in listing(a, b, page(["a"], 2, 3))[0], "misses an acknowledged key"
    assert "lists b" in listing(a, b, gone("b", 2, 3), page(["a", "b"], 4, 5))[0], "lists a deleted key"
    assert "out of order" in listing(a, b, page(["b", "a"], 2, 3))[0]
    assert "twice" in listing(a, b, page(["a", "a", "b"], 2, 3))[0]
    assert "lists z" in listing(a, page(["a", "z"], 2, 3))[0], "a key that never was"
    assert "lists b" in listing(a, there("b", outcome="fail"), page(["a", "b"], 2, 3))[0]
    assert "lists b" in listing(a, there("b", 8, 9), page(["a", "b"], 2, 3))[0], "listed before it was written"
    assert "prefix" in listing(a, b, page(["a", "b"], 2, 3, "a"))[0]
    assert "does not list a" in listing(a, b, page(["b"], 2, 3, truncated=True, limit=1))[0], "skips on a page"
    assert "out of order" in listing(a, b, page(["a"], 2, 3, after="b"))[0], "goes back behind the last page"
    assert "bytes" in listing(a, put("v2", 2, 3, key="a"), page(["a"], 4, 5))[0], "an old ETag"
    seen = get("u", 3, 4, key="u")
    unknown = put("u", 1, 2, "unknown", key="u")
    assert "does not list u" in listing(unknown, seen, page([], 5, 6))[0], "a read shows that it is there"
    absent = get(ABSENT, 3, 4, key="a")
    assert "lists a" in listing(a, absent, page(["a"], 5, 6))[0], "a read showed that it is not there"


def test_lawful_lists_pass():
    a, b, c = there("a"), there("b"), there("c")
    assert listing(a, b, c, page(["a", "b", "c"], 2, 3)) == []
    assert listing(a, b, c, page(["a"], 2, 3, truncated=True, limit=1), page(["b", "c"], 4, 5, after="a")) == []
    assert listing(a, there("b", 2, 9), page(["a"], 3, 4), page(["a", "b"], 5, 6)) == [], "being written"
    assert listing(a, gone("a", 2, 9), page(["a"], 3, 4), page([], 5, 6)) == [], "being deleted"
    assert listing(a, gone("a", 2, 3, "unknown"), page(["a"], 4, 5), page([], 6, 7)) == [], "unknown delete"
    assert listing(there("a", 0, 1, "unknown"), page([], 2, 3), page(["a"], 4, 5)) == [], "unknown write"
    assert listing(a, gone("a", 2, 3), there("a", 4, 5, "unknown"), page(["a"], 6, 7)) == []
    assert listing(a, put("v2", 2, 3, "unknown", key="a"), page(["a"], 4, 5), page([["a", "etag-v2", 100]], 6, 7)) == []
    assert listing(a, b, page(["b"], 2, 3, "b")) == [], "a prefix"


# ---------------------------------------------------------------- waiting

def answered(seconds, endpoint="frontend1", **more):
    return Operation("c0", endpoint, "get", "b", "k", 0, end=int(seconds * 1e9), outcome="ok",
                     detail={"status": 503}, **more)


def patience_of(operations, carried=()):
    return check_patience.check(SimpleNamespace(operations=operations), carried)[1]


def test_a_long_wait_for_an_answer_is_reported():
    assert patience_of([answered(4.0)]) == []
    assert len(patience_of([answered(4.0), answered(12.0)])) == 1


def test_a_sleeping_frontend_answers_nobody_and_another_is_no_excuse():
    sleep = [(schedule.Event(0, "pause", {"name": "frontend1"}, 8), int(1e9), int(11e9))]
    assert patience_of([answered(12.0)], sleep) == []
    assert len(patience_of([answered(12.0, "frontend2")], sleep)) == 1
