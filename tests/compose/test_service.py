"""The deployment serves: real clients through haproxy, and through every change that its README promises."""

import os
import re
import time

import pytest

from project import DIRECTORY, run


def test_what_goes_in_comes_out(project, stored):
    key, body = stored
    assert project.get(key) == body
    assert "6345678 stored" in project.aws("s3", "ls", "s3://compose").stdout


def test_both_frontends_serve(project, stored):
    key, body = stored
    before = [reads(project, container) for container in project.containers("frontend")]
    for _ in range(4):
        assert project.get(key) == body
    after = [reads(project, container) for container in project.containers("frontend")]
    assert len(after) == 2 and all(new > old for new, old in zip(after, before))


def reads(project, container):
    text = project.execute(container, "/usr/local/lib/triad/health", "show", "/metrics").stdout
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("triad_frontend_reads_total"))


def test_each_frontend_process_has_a_lease_of_its_own(project):
    leases = re.search(r'"leases":(\d+)', project.compose("run", "--rm", "-T", "operator", "status").stdout)
    assert int(leases.group(1)) >= len(project.containers("frontend")) >= 2


def test_init_cluster_tells_how_to_use_it_and_tells_no_secret(project):
    told = project.compose("logs", "--no-color", "init-cluster").stdout
    assert project.endpoint in told and "[profile triad]" in told
    key = re.search(r"aws_access_key_id = (\w+)", (project.client / "credentials").read_text()).group(1)
    assert key in told and "secret_access_key" not in told
    assert (project.client.stat().st_mode & 0o777) == 0o700


def started(project):
    return {facts["Id"]: facts["State"]["StartedAt"] for service, facts in project.all() if not service.startswith("init-")}


def test_up_again_changes_nothing(project, stored):
    before = started(project)
    certificates = project.compose("run", "--rm", "-T", "operator", "cert", "list").stdout
    project.up()
    assert started(project) == before
    assert project.compose("run", "--rm", "-T", "operator", "cert", "list").stdout == certificates
    assert project.get(stored[0]) == stored[1]


def test_a_dead_frontend_and_a_dead_blob_node_are_not_missed(project, stored):
    """Ended through the engine, which leaves them down: every request is answered meanwhile."""
    key, body = stored
    victims = [project.containers("frontend")[0], project.containers("blobnode3")[0]]
    run("docker", "stop", "-t", "0", *victims)
    assert project.get(key) == body
    path = project.scratch / "meanwhile"
    path.write_bytes(body[:2_000_000])
    project.put(path, "meanwhile")
    assert project.get("meanwhile") == body[:2_000_000]
    run("docker", "start", *victims)
    project.wait_healthy()
    run("docker", "kill", "-s", "KILL", project.containers("frontend")[1], project.containers("blobnode5")[0])
    assert project.get("meanwhile") == body[:2_000_000]
    assert project.get(key) == body
    project.up()
    assert project.get(key) == body


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may kill a container's process past the engine")
def test_a_crash_is_followed_by_a_start(project):
    """kill -9 of the process itself, not through the engine, which would count as stopped by hand."""
    for service in ("blobnode2", "keystore", "contentdb", "steward", "gateway"):
        container = project.containers(service)[0]
        facts = project.inspect(container)[0]
        run("kill", "-9", facts["State"]["Pid"])
        deadline = time.monotonic() + 30
        while True:
            state = project.inspect(container)[0]
            if state["RestartCount"] > facts["RestartCount"] and state["State"]["Health"]["Status"] == "healthy":
                break
            assert time.monotonic() < deadline, (service, state["State"])
            time.sleep(0.2)
    project.wait_healthy()


def test_scale_adds_frontends_which_serve(project, stored):
    project.up("--scale", "frontend=3")
    containers = project.containers("frontend")
    assert len(containers) == 3
    # Only the new one is left; haproxy must have found it.
    run("docker", "stop", "-t", "0", *containers[:2])
    deadline = time.monotonic() + 10
    while project.aws("s3", "ls", "s3://compose", check=False).returncode != 0:
        assert time.monotonic() < deadline
    assert project.get(stored[0]) == stored[1]
    project.up()
    assert len(project.containers("frontend")) == 2


def test_prometheus_sees_every_part(project):
    project.compose("--profile", "metrics", "up", "-d")
    project.wait_healthy()
    container = project.containers("prometheus")[0]
    deadline = time.monotonic() + 60
    while True:
        answer = project.execute(container, "promtool", "query", "instant", "http://127.0.0.1:9090", "up == 1").stdout
        nodes = re.findall(r'node="(\w+)"', answer)
        if sorted(nodes) == sorted(["keystore", "contentdb", "steward", "gateway", "frontend", "frontend"] +
                                   [f"blobnode{i}" for i in range(1, 7)]):
            break
        assert time.monotonic() < deadline, answer
        time.sleep(1)
    run("docker", "rm", "-f", container)


def test_blob_nodes_can_be_added(project, stored):
    override = project.scratch / "override.yml"
    run(DIRECTORY / "add-blobnodes", "7", override)
    project.files.append(override)
    project.up()
    status = project.compose("run", "--rm", "-T", "operator", "status").stdout
    assert "blobnodes: 7" in status and re.search(r"node=blobnode7 \S+ state=up accounts=1", status)
    # With seven, two may be away, and writes go to the other five.
    run("docker", "stop", "-t", "0", project.containers("blobnode1")[0], project.containers("blobnode2")[0])
    path = project.scratch / "seven"
    path.write_bytes(stored[1])
    project.put(path, "seven")
    assert project.get("seven") == stored[1]
    project.up()


def test_down_and_up_keep_the_data(project, stored):
    credentials = (project.client / "credentials").read_text()
    project.compose("down")
    assert project.containers() == []
    project.up()
    assert project.get(stored[0]) == stored[1]
    run(DIRECTORY / "profile", project.client, environment=project.environment)
    assert (project.client / "credentials").read_text() == credentials


def test_a_lost_volume_is_not_taken_for_a_new_cluster(project):
    """Last: the key store's data is gone; it must refuse, not begin anew with empty vaults."""
    project.compose("down")
    volume = f"{project.name}_keystore-data"
    run("docker", "volume", "rm", volume)
    done = project.compose("up", "-d", check=False)
    assert done.returncode != 0
    assert "put its backup back" in project.compose("logs", "--no-color", "keystore").stdout
