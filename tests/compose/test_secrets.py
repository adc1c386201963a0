"""Each part has its own secrets and nobody else's; none is in an image or an environment."""

import hashlib
import re
import subprocess

import pytest

from project import run


def private_keys(project, volumes):
    """{volume: {SHA-256 of each private key in it}}, read by a container of the tests' own, without a network."""
    script = "cd /v && find . -type f \\( -name '*.key' -o -name key.pem \\) -exec sha256sum {} +"
    mounts = [word for volume in volumes for word in ("-v", f"{volume}:/v/{volume}:ro")]
    lines = run("docker", "run", "--rm", "--network=none", "--read-only", "--user=0:0", "--entrypoint=sh", *mounts,
                project.image, "-c", script).stdout.splitlines()
    found = {volume: set() for volume in volumes}
    for line in lines:
        found[line.split("/")[1]].add(line.split()[0])
    return found


def mounts(facts):
    return {mount["Name"] for mount in facts["Mounts"] if mount["Type"] == "volume"}


DAEMONS = re.compile(r"^(keystore|contentdb|steward|frontend|gateway|blobnode\d+)$")


def test_no_two_daemons_share_a_volume(project):
    owner = {}
    for service, facts in project.all():
        if not DAEMONS.match(service):
            continue
        for volume in mounts(facts):
            assert owner.setdefault(volume, service) == service, volume
    assert len(owner) > 15 # Two each of six blob nodes, and the others'.


def test_every_private_key_lies_in_one_container_and_the_authorities_in_none_that_runs(project):
    mounted = {service: mounts(facts) for service, facts in project.all()}
    held = private_keys(project, sorted(set().union(*mounted.values())))
    keys = {}  # SHA-256 of a private key: the services that can see it.
    for service, volumes in mounted.items():
        for digest in set().union(set(), *(held[volume] for volume in volumes)):
            keys.setdefault(digest, set()).add(service)
    once = {"init-pki", "init-cluster"}
    daemons = [services - once for services in keys.values() if services - once]
    assert all(len(services) == 1 for services in daemons), daemons
    # One each; two of the frontend (S3 and gRPC) and of the key store (the seal key).
    assert sorted(name for services in daemons for name in services) == sorted(
        ["keystore", "keystore", "contentdb", "steward", "frontend", "frontend"] + [f"blobnode{i}" for i in range(1, 7)])

    authorities = held[f"{project.name}_pki"]
    assert len(authorities) == 5 # root, services, operators, public, keyset-root
    for digest in authorities:
        assert not keys[digest] - once
    # init-cluster, which has networks, sees the keyset root, and no CA.
    assert sum("init-cluster" in keys[digest] for digest in authorities) == 1


def test_what_a_container_can_read_is_what_its_mounts_hold(project):
    """The same from inside: no other's directory has anything in it, and its own files are for its user only."""
    for service, facts in project.all():
        if not DAEMONS.match(service):
            continue
        script = "find /etc/triad /var/lib/triad \\( -name '*.key' -o -name key.pem \\) -printf '%p %m %U\\n' 2>/dev/null"
        user = facts["Config"]["User"].split(":")[0]
        for line in project.execute(facts["Id"], "bash", "-c", script, check=False).stdout.splitlines():
            path, mode, owner = line.split()
            assert path.startswith((f"/etc/triad/tls/{service}/", "/etc/triad/seal/" if service == "keystore" else "-")), line
            assert mode == "600" and owner == user, line


def secrets_of(project):
    """What must be nowhere but in volumes: the S3 secret and the tenant's admin key."""
    script = "cat /v/secret/tenant-admin.key; sed -n 's/^secret_key: //p' /v/done/user; cat /v/done/recovery-code"
    found = run("docker", "run", "--rm", "--network=none", "--user=0:0", "--entrypoint=sh", "-v", f"{project.name}_access:/v:ro",
                project.image, "-c", script).stdout.split()
    assert len(found) >= 3
    return found


def test_no_secret_is_in_an_environment_a_command_line_or_a_log(project):
    secrets = secrets_of(project)
    told = run("docker", "inspect", *project.containers()).stdout
    told += project.compose("logs", "--no-color").stdout
    for service, facts in project.all():
        if facts["State"]["Running"]:
            told += run("docker", "top", facts["Id"]).stdout
    assert "TRIAD_PORT" in told and project.name in told
    for secret in secrets:
        assert secret not in told
    for service, facts in project.all():
        names = {entry.split("=")[0] for entry in facts["Config"]["Env"]}
        assert names <= {"PATH", "TRIAD_PORT", "TRIAD_NAMES", "TRIAD_REMOTE"}, service


@pytest.mark.parametrize("suffix", ["", "-gateway", "-prometheus"])
def test_no_key_is_in_an_image(project, suffix):
    image = project.image + suffix
    history = run("docker", "history", "--no-trunc", "--format", "{{.CreatedBy}}", image).stdout
    assert not re.search(r"secret|password|BEGIN [A-Z ]*PRIVATE", history, re.I)
    script = ("find / -xdev -type f \\( -name '*.key' -o -name 'key.pem' -o -name 'credentials' \\) "
              "-not -path '/proc/*' -not -path '/sys/*'; "
              "grep -rlE -e '-----BEGIN ([A-Z]+ )?PRIVATE KEY' /etc /usr/local /var /root /home /opt /srv /tmp 2>/dev/null")
    found = run("docker", "run", "--rm", "--network=none", "--user=0:0", "--entrypoint=sh", image, "-c", script, check=False)
    assert found.stdout == ""
    assert "cluster = triad" in run("docker", "run", "--rm", "--network=none", "--user=0:0", "--entrypoint=sh", project.image,
                                    "-c", "cat /etc/triad/frontend.conf").stdout


def test_the_fingerprint_told_is_the_one_that_clients_meet(project):
    told = re.search(r"SHA-256 ([0-9a-f]{64})", project.compose("logs", "--no-color", "init-cluster").stdout).group(1)
    pem = (project.client / "ca.pem").read_text()
    der = subprocess.run(["base64", "-d"], input="".join(pem.split("-----")[2].split()).encode(),
                         stdout=subprocess.PIPE, check=True).stdout
    assert hashlib.sha256(der).hexdigest() == told
