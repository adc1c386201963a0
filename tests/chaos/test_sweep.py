"""A bounded sweep for every run: the three daemons that keep something are killed at each of their syncs.

The whole one is sweep.py's; figures in README.md.
"""

import os
import subprocess
import sys
import time
import warnings

import pytest
import sweep
from deployment import Deployment
from sweep_model import ABSENT, WITHIN, Model, Wrong
from sweep_tracing import Tracing

THREADS = """
import os, sys, threading
fd = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR)
input()
def two():
    for _ in range(2):
        try:
            os.fdatasync(fd)
        except OSError as error:
            print("errno", error.errno, flush=True)
        os.write(1, b"sync\\n")
for _ in range(2):
    thread = threading.Thread(target=two)
    thread.start()
    thread.join()
os.pwrite(fd, b"x" * 1000, 0)
os.write(1, b"wrote\\n")
"""


@pytest.fixture(scope="module", autouse=True)
def traced():
    problem = sweep.why_not()
    if problem is not None:
        warnings.warn(f"the sweep of system calls was NOT RUN: {problem}", stacklevel=1)
        pytest.skip(problem)


@pytest.fixture(scope="module")
def swept():
    with Deployment(nodes=3, accounts=1, frontends=2, spaces=False) as deployment:
        yield sweep.Sweep(deployment)


# ---------------------------------------------------------------- the levers


def trace_threads(tmp_path, call, k, act):
    """(lines, exit code, size of its file, what the tracer said) of two threads with two syncs each, then a write."""
    file = tmp_path / "file"
    process = subprocess.Popen([sys.executable, "-c", THREADS, str(file)], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    try:
        while not file.exists():
            assert process.poll() is None
            time.sleep(0.01)
        tracing = Tracing(process.pid, [call], k, act)
        try:
            lines = process.communicate("\n", timeout=30)[0].split("\n")
        finally:
            tracing.close()
    finally:
        process.kill()
        process.wait()
    return lines[:-1], process.returncode, os.path.getsize(file), tracing


def test_calls_are_counted_over_all_threads(tmp_path):
    lines, code, _, tracing = trace_threads(tmp_path, "fdatasync", 3, "kill")
    assert (lines, code, tracing.hit) == (["sync", "sync"], -9, "fdatasync")


def test_a_kill_after_the_call_lets_it_do_its_work(tmp_path):
    lines, code, size, _ = trace_threads(tmp_path, "pwrite64", 1, "after")
    assert (lines[-1], code, size) == ("sync", -9, 1000)


def test_a_torn_write_stops_in_its_middle(tmp_path):
    _, code, size, _ = trace_threads(tmp_path, "pwrite64", 1, "tear")
    assert (code, size) == (-9, 500)


@pytest.mark.parametrize("act, number", [("eio", 5), ("enospc", 28)])
def test_one_call_fails_and_the_process_goes_on(tmp_path, act, number):
    lines, code, _, _ = trace_threads(tmp_path, "fdatasync", 2, act)
    assert (lines, code) == (["sync", f"errno {number}", "sync", "sync", "sync", "wrote"], 0)


def test_a_process_that_makes_fewer_calls_goes_on(tmp_path):
    lines, code, _, tracing = trace_threads(tmp_path, "fdatasync", 5, "kill")
    assert (lines[-1], code, tracing.hit, tracing.count) == ("wrote", 0, None, 4)


def test_the_model_notices_what_must_not_be(swept):
    """A lost object, other bytes, one that comes back: behind the model's back, as a bug would do it."""
    model = swept.rig.bucket()
    for change, word in [(lambda s3: s3.delete("frontend1", model.bucket, "still-1"), "absent"),
                         (lambda s3: s3.put("frontend1", model.bucket, "still-1", b"other", "x"), "nobody wrote"),
                         (lambda s3: s3.put("frontend1", model.bucket, "more", b"", "x"), "LIST")]:
        twin = Model(swept.rig.client, model.bucket)
        body = twin.body("still-1", 4096)
        assert swept.rig.client.put("frontend2", model.bucket, "still-1", body, "v").status == 200
        for key in ("still-0", "still-2"):
            assert swept.rig.client.delete("frontend1", model.bucket, key).status == 204
        twin.allowed = {"still-1": {"still-1"}, "still-2": {ABSENT}}
        twin.check(["still-1", "still-2"], time.monotonic() + WITHIN)
        change(swept.rig.client)
        with pytest.raises(Wrong, match=word):
            twin.check(["still-1", "still-2"], time.monotonic() + WITHIN)


# ---------------------------------------------------------------- the sweep


@pytest.mark.parametrize("target, wanted", [
    ("blob1", [("fdatasync", "put", 1), ("fdatasync", "complete", 0), ("fdatasync", "delete", 0),
               ("pwritev", "put", 1), ("pwrite64", "roll", 2)]),
    ("keystore", [("fdatasync", "put", 1), ("fdatasync", "complete", 1), ("fdatasync", "delete", 1),
                  ("pwritev", "put", 1)]),
    ("contentdb", [("fdatasync", "put", 1), ("fdatasync", "complete", 1), ("fdatasync", "delete", 1)]),
])
def test_killed_at_each_call_it_loses_nothing_and_halves_nothing(swept, target, wanted):
    """wanted: (call, workload, calls at least): a sweep that strikes nothing proves nothing."""
    model = swept.rig.bucket()
    for call, workload, least in wanted:
        case = swept.run(sweep.Case(target, call, workload, "kill"), model=model)
        print(case.row())
        assert not case.wrong, case.wrong
        assert case.k >= least, f"{call} of {target} in {workload}: struck {case.k} times only"
    swept.finish(target, model)


def test_a_failing_sync_is_never_answered_with_success_and_lost(swept):
    for target in ("blob1", "keystore"):
        case = swept.run(sweep.Case(target, "fdatasync", "put", "eio"))
        print(case.row())
        assert not case.wrong and case.k >= 1, case.wrong
