"""triad doctor: a healthy cluster has no FAIL, and each thing that is broken is found and named."""

import contextlib
import datetime
import json
import os
import resource
import shutil
import signal
import socket
import subprocess

import pytest


class Found:
    """One run's findings."""

    def __init__(self, done):
        assert done.returncode in (0, 1), done.stderr
        self.code, self.all = done.returncode, json.loads(done.stdout)["findings"]

    def of(self, state, subject="", check=""):
        return [f for f in self.all
                if f["state"] == state and subject in f["subject"] and check in f["check"]]

    def one(self, state, subject, check, text):
        """Such a finding is there, with the text and, unless ok, with advice."""
        fits = [f for f in self.of(state, subject, check) if text in f["found"]]
        assert fits, f"no {state} of {subject} {check} with {text!r} in {self.all}"
        assert all(f.get("advice") for f in fits) or state == "ok"
        assert self.code == (1 if self.of("fail") else 0)
        return fits[0]


def doctor(own, *words, wrapper=(), **options):
    done = subprocess.run([*wrapper, str(own.data / "bin/triad"), "doctor", "--json", *map(str, words)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120, check=False,
                          **options)
    return Found(done)


def local(own, config, **options):
    return doctor(own, "--daemon-config", config, **options)


def cluster(own, *words, **options):
    return doctor(own, "--config", own.data / "triad.conf", *words, **options)


@pytest.fixture
def changed(own, tmp_path):
    """A copy of a daemon's configuration with other values; None takes a line out."""
    def make(name, **values):
        lines = own.conf_path(name).read_text().splitlines()
        lines = [line for line in lines if line.split(" = ")[0] not in values]
        lines += [f"{key} = {value}" for key, value in values.items() if value is not None]
        path = tmp_path / own.conf_path(name).name
        path.write_text("\n".join(lines) + "\n")
        return path
    os.chmod(tmp_path, 0o700)
    old = os.umask(0o077)
    yield make
    os.umask(old)


@contextlib.contextmanager
def mode(path, bits):
    was = path.stat().st_mode & 0o7777
    path.chmod(bits)
    try:
        yield
    finally:
        path.chmod(was)


def issue_by_hand(own, role, ident, out, days):
    """A certificate of the cluster's services CA that ends in that many days; may be negative."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
    ca = x509.load_pem_x509_certificate((own.data / "pki/services.pem").read_bytes())
    ca_key = serialization.load_pem_private_key((own.data / "pki/services.key").read_bytes(), None)
    key = ec.generate_private_key(ec.SECP256R1())
    name = f"{ident}.{role}.triad"
    end = datetime.datetime.utcnow() + datetime.timedelta(days=days)
    leaf = (x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(ca.subject).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(end - datetime.timedelta(days=30)).not_valid_after(end)
            .add_extension(x509.BasicConstraints(False, None), True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH,
                                                  ExtendedKeyUsageOID.CLIENT_AUTH]), False)
            .add_extension(x509.SubjectAlternativeName([
                x509.UniformResourceIdentifier(f"triad://quickstart/{role}/{ident}"),
                x509.DNSName(name)]), False)
            .sign(ca_key, hashes.SHA256()))
    out.mkdir(mode=0o700, exist_ok=True)
    pem = serialization.Encoding.PEM
    (out / "cert.pem").write_bytes(leaf.public_bytes(pem) + (own.data / "pki/services.pem").read_bytes())
    (out / "key.pem").write_bytes(key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return {"cert_file": out / "cert.pem", "key_file": out / "key.pem"}


# ---------------------------------------------------------------- healthy

def test_a_healthy_cluster_has_no_fail(own):
    text = own.quickstart("doctor")
    assert "FAIL" not in text and text.rstrip().endswith(" 0 failures")
    words = []
    for name in own.names:
        words += ["--daemon-config", own.conf_path(name), "--admin", f"127.0.0.1:{own.admin_port(name)}"]
    found = cluster(own, *words)
    assert found.code == 0 and not found.of("fail")
    for name in own.names:
        found.one("ok", f"{name} (", "certificate", "holds until")
        found.one("ok", f"{name} (", "certificate", "belongs to")
        found.one("ok", f"{name} (", "admin", "ready")
        if name != "steward":
            found.one("ok", f"{name} (", "listen", "our daemon answers")
    for name in ("keystore", "contentdb", "blob1"):
        found.one("ok", f"{name} (", "data_dir", "0700")
    assert len(found.of("ok", "blob nodes", "node")) == 4 * own.nodes  # Each: up, version, clock, accounts.
    found.one("ok", "key store", "answers", "anchored")
    assert len([f for f in found.of("ok", check="registry") if "is registered" in f["found"]]) == 3
    # Six accounts, but on three nodes.
    found.one("warn", "blob nodes", "accounts", "6 accounts on 3 nodes")
    assert not list(own.data.glob("*/data/.doctor*"))


def test_doctor_without_a_cluster_file(own, tmp_path):
    found = doctor(own, env={"HOME": str(tmp_path)})
    found.one("fail", "operator", "config", "No such file")


# ---------------------------------------------------------------- files

def test_wrong_modes(own):
    for name, path, check in (("blob1", own.data / "blob1/tls/key.pem", "files"),
                              ("frontend", own.data / "frontend/s3/key.pem", "files"),
                              ("keystore", own.data / "secrets/seal.key", "files"),
                              ("contentdb", own.data / "contentdb/data", "data_dir")):
        with mode(path, 0o755 if path.is_dir() else 0o644):
            local(own, own.conf_path(name)).one("fail", name, check, str(path))
        with mode(path, 0o750 if path.is_dir() else 0o640):
            local(own, own.conf_path(name)).one("warn", name, check, str(path))
    with mode(own.data / "blob1/tls", 0o777):
        local(own, own.conf_path("blob1")).one("fail", "blob1", "files", "may write in its directory")


def test_another_users_key(own, changed, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    shutil.copy(own.data / "blob1/tls/key.pem", tmp_path / "key.pem")
    os.chown(tmp_path / "key.pem", 12345, 12345)
    local(own, changed("blob1", key_file=tmp_path / "key.pem")).one("fail", "blob1", "files", "another user")


def test_missing_files(own, changed):
    for option in ("ca_file", "cert_file", "key_file", "keyset_root_file"):
        found = local(own, changed("blob1", **{option: "/nowhere/x.pem"}))
        found.one("fail", "blob1", "files", f"{option}: /nowhere/x.pem")
    local(own, changed("blob1", data_dir="/nowhere")).one("fail", "blob1", "data_dir", "no such directory")


def test_the_seal_key_beside_its_data(own, changed, tmp_path):
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    shutil.copy(own.data / "secrets/seal.key", data / "seal.key")
    found = local(own, changed("keystore", data_dir=data, seal_key_file=data / "seal.key"))
    found.one("fail", "keystore", "seal key", "inside data_dir")
    (tmp_path / "short.key").write_bytes(b"x" * 31)
    found = local(own, changed("keystore", seal_key_file=tmp_path / "short.key"))
    found.one("fail", "keystore", "seal key", "31 bytes")


# ---------------------------------------------------------------- configuration

def test_mistakes_in_a_configuration(own, changed):
    found = local(own, changed("blob2", wurkers=3))
    assert [f["check"] for f in found.of("fail")] == ["config"]  # Nothing else can be believed.
    found.one("fail", "", "config", "wurkers: there is no such option")
    local(own, changed("blob2", workers=100000)).one("fail", "", "config", "512")
    local(own, changed("blob2", node_id=None)).one("fail", "", "config", "node_id: must be set")
    local(own, "/nowhere.conf").one("fail", "/nowhere.conf", "config", "No such file")
    found = doctor(own, "--daemon-config", own.conf_path("blob2"), "--role", "keystore")
    found.one("fail", "keystore", "config", "keyset_root_file: there is no such option")


def test_a_wrong_cluster_name(own, changed, tmp_path):
    local(own, changed("blob1", cluster="other")).one("fail", "blob1", "certificate", "of cluster other")
    text = (own.data / "triad.conf").read_text().replace("cluster = quickstart", "cluster = other")
    (tmp_path / "triad.conf").write_text(text)
    found = doctor(own, "--config", tmp_path / "triad.conf")
    found.one("fail", "operator", "certificate", "of cluster other")
    found.one("fail", "key store", "answers", "of cluster other")


# ---------------------------------------------------------------- certificates

def test_certificates_that_ended_or_will(own, changed, tmp_path):
    files = issue_by_hand(own, "blobnode", "blob1", tmp_path / "past", -1)
    local(own, changed("blob1", **files)).one("fail", "blob1", "certificate", "expired on")
    files = issue_by_hand(own, "blobnode", "blob1", tmp_path / "soon", 4.5)
    local(own, changed("blob1", **files)).one("warn", "blob1", "certificate", "4 days")
    files = issue_by_hand(own, "blobnode", "blob1", tmp_path / "later", 40)
    local(own, changed("blob1", **files)).one("fail", "blob1", "certificate", "begins only")


def test_foreign_and_swapped_certificates(own, changed, tmp_path):
    triad = str(own.data / "bin/triad")
    for words in (["init", "--dir", tmp_path / "pki", "--cluster", "quickstart"],
                  ["issue", "--dir", tmp_path / "pki", "--role", "blobnode", "--id", "blob1", "--out",
                   tmp_path / "tls"]):
        subprocess.run([triad, "pki", *map(str, words)], stdout=subprocess.DEVNULL, check=True)
    foreign = {"cert_file": tmp_path / "tls/cert.pem", "key_file": tmp_path / "tls/key.pem"}
    local(own, changed("blob1", **foreign)).one("fail", "blob1", "certificate", "is not from the CAs")
    local(own, changed("blob1", key_file=tmp_path / "tls/key.pem")).one(
        "fail", "blob1", "certificate", "does not belong")
    other = {"cert_file": own.data / "blob2/tls/cert.pem", "key_file": own.data / "blob2/tls/key.pem"}
    local(own, changed("blob1", **other)).one("fail", "blob1", "certificate", "wanted is blobnode/blob1")
    steward = {"cert_file": own.data / "steward/tls/cert.pem", "key_file": own.data / "steward/tls/key.pem"}
    local(own, changed("blob1", **steward)).one("fail", "blob1", "certificate", "wanted is blobnode/blob1")
    found = local(own, changed("frontend", s3_key_file=own.data / "frontend/tls/key.pem"))
    found.one("fail", "frontend", "s3 cert", "does not belong")


def test_a_certificate_that_is_not_registered(own, changed):
    out = own.issue("steward", "steward2")
    files = {"node_id": "steward2", "cert_file": out / "cert.pem", "key_file": out / "key.pem"}
    found = cluster(own, "--daemon-config", changed("steward", **files))
    found.one("fail", "key store", "registry", "not registered")


def test_a_peers_certificate_that_ended(own, tmp_path):
    """A server reads its files anew at each handshake."""
    tls, kept = own.data / "blob3/tls", tmp_path / "kept"
    shutil.copytree(tls, kept)
    issue_by_hand(own, "blobnode", "blob3", tls, -1)
    try:
        cluster(own).one("fail", "blob nodes", "node", "blob3.blobnode.triad")
        found = [f["found"] for f in cluster(own).of("fail", "blob nodes", "node")]
        assert any("expired on" in text for text in found), found
    finally:
        for file in ("cert.pem", "key.pem"):
            shutil.copy(kept / file, tls / file)
    assert not cluster(own).of("fail", "blob nodes", "node")


# ---------------------------------------------------------------- ports

def test_ports_that_are_taken(own, changed):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = "127.0.0.1:%d" % silent.getsockname()[1]
        local(own, changed("blob1", listen=address)).one("fail", "blob1", "listen", "taken by something else")
        local(own, changed("blob1", admin_listen=address)).one("fail", "blob1", "admin", "taken by something else")
    found = local(own, changed("blob1", listen=f"127.0.0.1:{own.listen_port('blob2')}"))
    found.one("fail", "blob1", "listen", "with another certificate")
    found = local(own, changed("blob1", admin_listen=f"127.0.0.1:{own.admin_port('steward')}"))
    found.one("fail", "blob1", "admin", "taken by something else (Server: triad-steward/")
    found = local(own, changed("frontend", listen=f"127.0.0.1:{own.listen_port('blob2')}"))
    found.one("fail", "frontend", "listen", "taken")
    local(own, changed("blob1", listen="192.0.2.1:7301")).one("fail", "blob1", "listen", "cannot be bound")
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = "127.0.0.1:%d" % free.getsockname()[1]
    local(own, changed("blob1", listen=address)).one("ok", "blob1", "listen", "is free")


# ---------------------------------------------------------------- disk and limits

def in_own_mounts(mount):
    """A prefix that runs a command where `mount` was done, in a mount namespace that dies with it."""
    wrapper = ["unshare", "-m", "sh", "-c", f'{mount} && exec "$@"', "sh"]
    done = subprocess.run([*wrapper, "true"], stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no mount namespace here: {done.stderr.strip()}")
    return wrapper


def test_a_disk_mounted_read_only(own, changed, tmp_path):
    (tmp_path / "data").mkdir(mode=0o700)
    wrapper = in_own_mounts(f"mount -t tmpfs -o ro,mode=700 none {tmp_path}/data")
    found = local(own, changed("blob1", data_dir=tmp_path / "data"), wrapper=wrapper)
    found.one("fail", "blob1", "data_dir", "cannot be written")
    assert "read-only" in found.of("fail", "blob1", "data_dir")[0]["advice"]
    found.one("fail", "blob1", "fdatasync", "create a file")


def test_a_volatile_or_full_disk(own, changed, tmp_path):
    (tmp_path / "data").mkdir(mode=0o700)
    wrapper = in_own_mounts(f"mount -t tmpfs -o size=64m,mode=700 none {tmp_path}/data")
    found = local(own, changed("blob1", data_dir=tmp_path / "data"), wrapper=wrapper)
    found.one("warn", "blob1", "disk", "tmpfs")
    found.one("fail", "blob1", "space", "64 MiB free")


def test_a_disk_that_cannot_sync(own):
    if shutil.which("strace") is None:
        pytest.skip("no strace")
    wrapper = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO"]
    if subprocess.run([*wrapper, "true"], check=False, stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("strace may not trace here")
    found = local(own, own.conf_path("blob1"), wrapper=wrapper)
    found.one("fail", "blob1", "fdatasync", "fdatasync: Input/output error")


def test_low_limits(own, changed):
    def lower():
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))
    found = local(own, changed("frontend"), preexec_fn=lower)  # A copy: no daemon runs with it.
    found.one("warn", "frontend", "limits", "may open 256 files")
    found.one("warn", "frontend", "limits", "may lock 64 KiB")
    assert not local(own, own.conf_path("frontend"), preexec_fn=lower).of("warn", "frontend", "limits")


# ---------------------------------------------------------------- the cluster

SKEWED_CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *at)
{
    int (*real)(clockid_t, struct timespec *) =
        (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, at);
    if (id == CLOCK_REALTIME) {
        at->tv_sec += atoi(getenv("SKEW_S"));
    }
    return result;
}
"""


def test_a_clock_that_is_off(own, tmp_path):
    """Ours is: to the doctor it looks as if all others were."""
    if shutil.which("gcc") is None:
        pytest.skip("no gcc")
    (tmp_path / "skew.c").write_text(SKEWED_CLOCK)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", tmp_path / "skew.so", tmp_path / "skew.c", "-ldl"], check=True)
    admin = ["--admin", f"127.0.0.1:{own.admin_port('steward')}"]
    for skew, state in ((20, "warn"), (-20, "warn"), (120, "fail")):
        environment = {**os.environ, "LD_PRELOAD": str(tmp_path / "skew.so"), "SKEW_S": str(skew)}
        found = cluster(own, *admin, env=environment)
        word = "behind" if skew > 0 else "ahead of"
        for subject, text in (("key store", "key store's clock"), ("content DB", "content DB's clock"),
                              ("blob nodes", "blob2"), ("admin ports", "steward")):
            fits = [f for f in found.of(state, subject) if text in f["found"] and word in f["found"]]
            assert fits, (skew, subject, found.all)


def test_daemons_that_are_down(own):
    own.kill("blob2")
    own.kill("steward")
    try:
        found = cluster(own, "--admin", f"127.0.0.1:{own.admin_port('steward')}")
        found.one("fail", "blob nodes", "node", "blob2.blobnode.triad")
        found.one("fail", "admin ports", "admin", "Connection refused")
        found.one("ok", "blob nodes", "node", "blob1: its 2 accounts are well")
        local(own, own.conf_path("blob2")).one("ok", "blob2", "listen", "is free")
        with pytest.raises(RuntimeError, match="FAIL"):
            own.quickstart("doctor")
    finally:
        own.start_only("blob2")
        own.start_only("steward")
    assert not cluster(own).of("fail")


def test_a_key_store_that_is_down_or_hangs(own):
    own.signal("keystore", signal.SIGSTOP)
    try:
        found = cluster(own)
        found.one("fail", "key store", "answers", "no TLS answer within 3 s")
        found.one("ok", "content DB", "answers", "contentdb.contentdb.triad")
        local(own, own.conf_path("keystore")).one("fail", "keystore", "admin", "or our daemon hangs")
        local(own, own.conf_path("frontend")).one("fail", "frontend", "peer", "keystore.keystore.triad")
    finally:
        own.signal("keystore", signal.SIGCONT)


def test_a_lost_account(own):
    """A node whose disk is not mounted starts with nothing."""
    own.stop_only("blob1")
    data = own.data / "blob1/data"
    data.rename(own.data / "blob1/away")
    data.mkdir(mode=0o700)
    try:
        own.start_only("blob1")
        found = cluster(own)
        found.one("fail", "blob nodes", "node", "is not on the node blob1")
        own.stop_only("blob1")
    finally:
        shutil.rmtree(data)
        (own.data / "blob1/away").rename(data)
        own.start_only("blob1")
    assert not cluster(own).of("fail")
