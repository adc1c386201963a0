"""What the kernel says of each process, not what the file asked for."""

import re

ONCE = {"init-pki", "init-cluster"}


def status_of(project, container):
    lines = project.execute(container, "cat", "/proc/1/status").stdout.splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def daemons(project):
    return [(service, facts) for service, facts in project.all() if service not in ONCE]


def test_no_process_has_a_capability_or_can_get_one(project):
    for service, facts in daemons(project):
        status = status_of(project, facts["Id"])
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[name], 16) == 0, (service, name)
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", service


def test_every_part_has_a_user_of_its_own_and_none_is_root(project):
    users = {}
    for service, facts in daemons(project):
        uids = set(status_of(project, facts["Id"])["Uid"].split())
        assert len(uids) == 1 and uids != {"0"}, service
        assert users.setdefault(uids.pop(), service) == service
    assert len(users) == 11


def test_the_daemon_is_the_first_process(project):
    """Signals then reach it and not a shell; and what was read above is its own status."""
    for service, facts in daemons(project):
        name = status_of(project, facts["Id"])["Name"]
        assert name == {"gateway": "haproxy"}.get(service, service.rstrip("0123456789")), service


def test_the_root_file_system_is_read_only_and_what_can_be_written_is_known(project):
    for service, facts in daemons(project):
        lines = project.execute(facts["Id"], "cat", "/proc/1/mounts").stdout.splitlines()
        options = {line.split()[1]: line.split()[3].split(",") for line in lines}
        assert "ro" in options["/"], service
        writable = {place for place, words in options.items() if "rw" in words and not
                    re.match(r"/(proc|sys|dev)(/|$)|/etc/(resolv.conf|hostname|hosts)$", place)}
        own = {f"/var/lib/triad/{service}"} if service not in ("gateway", "steward", "frontend") else set()
        seal = {"/etc/triad/seal"} if service == "keystore" else set()
        assert writable == {"/run/triad"} | own | seal, service
        assert {"noexec", "nosuid"} <= set(options["/run/triad"]), service
        for path in ("/usr/local/bin/x", "/etc/triad/x", "/tmp/x", f"/etc/triad/tls/{service}/x"):
            assert project.execute(facts["Id"], "bash", "-c", f"echo > {path}", check=False).returncode != 0, (service, path)
        assert project.execute(facts["Id"], "bash", "-c", "echo > /run/triad/x && rm /run/triad/x").returncode == 0


def test_memory_locked_memory_and_processes_are_limited(project):
    for service, facts in daemons(project):
        limits = project.execute(facts["Id"], "cat", "/proc/1/limits").stdout
        assert re.search(r"Max locked memory +8388608 +8388608", limits), service
        assert re.search(r"Max core file size +0 +0", limits), service
        assert 0 < facts["HostConfig"]["Memory"] <= 2 << 30 and facts["HostConfig"]["PidsLimit"] == 512, service


def test_the_heap_of_keys_is_locked(project):
    for service in ("keystore", "frontend"):
        container = project.containers(service)[0]
        assert int(status_of(project, container)["VmLck"].split()[0]) >= 1024, service
    assert "raise RLIMIT_MEMLOCK" not in project.compose("logs", "--no-color").stdout
