"""The levers of tests/chaos/compose_deployment.py do what they say, on the deployment that runs here."""

import json
import os
import shutil
import sys
import time
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "chaos"))

from project import run  # noqa: E402

RECOVERY = 10.0  # Seconds (A2), from the engine's start of a container on.


@pytest.fixture(scope="module")
def deployment(project):
    if os.geteuid() != 0:
        pytest.skip("the levers need root")
    from compose_deployment import ComposeDeployment
    with ComposeDeployment(project) as deployment:
        yield deployment


def test_every_daemon_is_ready_and_has_metrics(deployment):
    for name in deployment.names:
        assert deployment.alive(name) and deployment.ready(name), name
        assert deployment.metrics(name)["process_resident_memory_bytes"] > 1e6, name


def test_clients_reach_each_frontend_through_its_relay(deployment, stored):
    for endpoint in deployment.endpoints:
        before = deployment.metrics(endpoint.name)["triad_frontend_errors_client_total"]
        done = run("curl", "-s", "--noproxy", "*", "--cacert", deployment.ca, "-o", os.devnull, "-w", "%{http_code}",
                   f"https://localhost:{endpoint.port}/compose/stored")
        assert done.stdout == "403" # Not signed; but it was this frontend that said so.
        assert deployment.metrics(endpoint.name)["triad_frontend_errors_client_total"] == before + 1


@pytest.mark.parametrize("name", ["keystore", "contentdb", "blob4", "steward", "frontend2"])
def test_a_killed_daemon_is_gone_until_it_is_launched_and_then_ready_in_time(deployment, name):
    deployment.kill(name)
    assert not deployment.alive(name) and not deployment.ready(name)
    time.sleep(1)
    assert not deployment.alive(name) # The engine leaves it down.
    deployment.launch(name)
    print(f"{name} ready after {deployment.wait_ready(name, RECOVERY):.2f} s")
    assert deployment.deaths == []


def test_a_paused_daemon_stands_still(deployment):
    deployment.pause("blob1")
    assert deployment.alive("blob1") and not deployment.ready("blob1")
    deployment.resume("blob1")
    deployment.resume("blob1")
    deployment.wait_ready("blob1", 5)


def test_a_death_that_was_not_ours_is_told(deployment):
    os.kill(deployment.pid("blob6"), 9)
    deadline = time.monotonic() + RECOVERY
    while not deployment.deaths or not deployment.ready("blob6"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert deployment.deaths == [("blob6", -9)]


@pytest.mark.skipif(not (shutil.which("nft") and shutil.which("nsenter")), reason="no nft or nsenter")
def test_a_cut_parts_two_daemons_and_no_others_also_over_a_restart(deployment):
    def meet(name):
        return deployment.project.connects(deployment.container(name), "contentdb.content", 7302)

    assert meet("frontend1") and meet("frontend2")
    deployment.cut("frontend1", "contentdb")
    assert not meet("frontend1") and meet("frontend2")
    deployment.kill("contentdb")
    deployment.launch("contentdb")
    deployment.wait_ready("contentdb", RECOVERY)
    assert not meet("frontend1") and meet("frontend2")
    deployment.heal("frontend1", "contentdb")
    assert meet("frontend1")
    deployment.cut("blob2", "*")
    assert not deployment.project.connects(deployment.container("frontend1"), "blobnode2.blobs", 7301)
    assert deployment.project.connects(deployment.container("frontend1"), "blobnode3.blobs", 7301)
    deployment.heal()
    assert deployment.project.connects(deployment.container("frontend1"), "blobnode2.blobs", 7301)


def test_the_operator_and_the_disks_are_at_hand(deployment):
    assert json.loads(deployment.triad("status", "--json").stdout)["contentdb"]["state"] == "up"
    assert list(deployment.directory("blob1").glob("*/log/*.seg"))
