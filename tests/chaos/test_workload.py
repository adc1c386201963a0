"""A cluster that nobody harms gives a history without a violation, and the workload uses all of it."""

import itertools
import time

import pytest

import check_linear
import check_list
import finale
import plan
from client import Client
from deployment import Deployment
from history import ABSENT, PRESENT, History
from workload import Workload

OPERATIONS = 2000       # So many the fixture waits for, however slow the machine: all kinds and endings are among them.
SECONDS_MAX = 200
SEED = 4


@pytest.fixture(scope="module")
def deployment():
    with Deployment() as running:
        yield running


@pytest.fixture(scope="module")
def ran(deployment):
    history = History()
    workload = Workload(deployment, history, SEED, think=0.02)
    workload.start()
    deadline = time.monotonic() + SECONDS_MAX
    while len(history.operations) < OPERATIONS and time.monotonic() < deadline:
        time.sleep(0.2)
    workload.stop()
    return workload, history


def test_an_unharmed_cluster_has_no_violation(ran):
    _, history = ran
    assert [str(one) for one in check_linear.check(history) + check_list.check(history)] == []


def test_all_kinds_of_operation_and_outcome_occur(ran):
    workload, history = ran
    counts, operations = workload.counts(), history.operations
    assert set(counts) == set(plan.KINDS) - {"keep"}  # Which is a put to a key of its own.
    assert all(row.get("ok") for row in counts.values()), counts
    assert not any(row.get("unknown") for row in counts.values()), counts
    assert [one.words() for one in operations if (one.detail.get("status") or 200) >= 500] == []
    for read in (ABSENT, PRESENT):
        assert any(one.read == read for one in operations)
    assert {one.detail.get("state") for one in operations if one.kind == "multipart"} >= {
        "completed", "aborted", "left"}
    assert {one.endpoint for one in operations} == {"frontend1", "frontend2"}
    assert any(one.detail.get("after") for one in operations), "listings of several pages"
    assert any(one.kind == "copy" and one.source[0] != one.bucket for one in operations)


def test_clients_contend(ran):
    """Else there is nothing to check: operations of different clients on a key overlap."""
    by_key, overlaps = {}, 0
    for one in ran[1].operations:
        by_key.setdefault((one.bucket, one.key), []).append(one)
    for ones in by_key.values():
        ones.sort(key=lambda one: one.start)
        overlaps += sum(a.client != b.client and b.start < a.end for a, b in zip(ones, ones[1:]))
    assert overlaps > 100
    assert all(len(ones) <= 100 for ones in by_key.values() if ones[0].kind != "list")


def test_everything_reads_back_also_without_each_blob_node(deployment, ran):
    _, history = ran
    finale.wait_repaired(deployment, 30)
    before = len(history.operations)
    facts, violations = finale.read_back(deployment, history)
    assert [str(one) for one in violations] == []
    assert [str(one) for one in check_linear.check(history)] == []
    ends = history.operations[before:]
    keys = {(one.bucket, one.key) for one in history.operations if one.kind != "list"}
    assert len(ends) >= len(keys) * (2 + 6) and len(facts) > 8
    assert all(deployment.alive(name) for name in deployment.names)


def test_the_end_reports_what_is_not_as_the_history_says(deployment, ran):
    """The finale is not blind: behind its back a key is deleted and another made."""
    _, history = ran
    client, bucket = Client.of(deployment), ran[0].buckets[0]
    answer = client.get("frontend1", bucket, next(one.key for one in history.operations if one.read not in (
        None, ABSENT, PRESENT) and one.bucket == bucket and one.client.startswith("end")))
    assert answer.status == 200
    victim = next(one.key for one in history.operations if one.read == answer.headers["x-amz-meta-value"])
    assert client.delete("frontend1", bucket, victim).status == 204
    assert client.put("frontend2", bucket, "a/made", b"unknown body", "nobody").status == 200
    lists = History()
    for one in history.operations:
        lists.record(one)
    late = finale.Finale(deployment, lists)
    present = late.read_all("frontend1", ["frontend1"])
    late.lists("frontend1", present)
    client.delete("frontend1", bucket, "a/made")
    assert any("too many ['a/made']" in str(one) for one in late.violations)
    assert any(one.kind == "order" and victim in one.where for one in check_linear.check(lists))
    client.close()


def test_what_cannot_be_read_is_reported(deployment, ran, monkeypatch):
    """With three of six blob nodes dead nothing above a small object is left, and the end says so in bounded time."""
    monkeypatch.setattr(finale, "PATIENCE", 1.0)
    late = finale.Finale(deployment, ran[1])
    for blob in deployment.blobs[:3]:
        deployment.kill(blob)
    try:
        begin = time.monotonic()
        late.read_all("all frontends", late.names)
        assert time.monotonic() - begin < 120
    finally:
        for blob in deployment.blobs[:3]:
            deployment.launch(blob)
            deployment.wait_ready(blob, 30)
    assert any("unreadable" in str(one) for one in late.violations)


def test_a_seed_draws_the_same_intents():
    def first(seed, client):
        return list(itertools.islice(plan.Plan(seed, 2).intents(client), 500))
    assert first(1, 0) == first(1, 0)
    assert first(1, 0) != first(1, 1) and first(1, 0) != first(2, 0)
