"""Each lever does what it says: otherwise a green chaos run would prove nothing."""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import boto3
import faults
import leftovers
import pytest
import spaces
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from deployment import Deployment
from faults.blackout import Blackout
from faults.blackout import Blackout
from faults.flip import Flip, durable
from faults.kill import Kill
from faults.lie import Lie
from faults.lie import Lie
from faults.lost_reply import LostReply
from faults.partition import Partition
from faults.pause import Pause
from faults.power_cut import PowerCut
from proxy import Proxy
from rig import PowerRig
from triad_reader.primitives import Refused

BUCKET = "levers"
RIGGED = ("keystore", "contentdb", "blob1")
FAILURE = (ClientError, BotoCoreError)


@pytest.fixture(scope="module")
def it():
    """Six nodes, two frontends, everything that can lose power on a rig, both edges to the content DB proxied."""
    rigs = {} if PowerRig.available() else {name: PowerRig() for name in RIGGED}
    edges = [("frontend1", "contentdb")]
    with Deployment(volumes=rigs, proxies=edges) as deployment:
        client(deployment).create_bucket(Bucket=BUCKET)
        yield deployment


@pytest.fixture(autouse=True)
def whole(request):
    """Whatever a test did, the next one finds everything running and connected."""
    yield
    if "it" in request.fixturenames:
        deployment = request.getfixturevalue("it")
        deployment.heal()
        for proxy in deployment.proxies.values():
            proxy.calm()
        for rig in deployment.rigs.values():
            rig.restore()
        for name in deployment.names:
            deployment.resume(name)
            deployment.launch(name)
        for name in deployment.names:
            deployment.wait_ready(name, 20)


def client(deployment, which=0, patience=20):
    _, host, port = deployment.endpoints[which]
    return boto3.client("s3", endpoint_url=f"https://{host}:{port}", region_name="us-east-1",
                        aws_access_key_id=deployment.access_key,
                        aws_secret_access_key=deployment.secret_key, verify=str(deployment.ca),
                        config=Config(retries={"max_attempts": 0}, connect_timeout=5, read_timeout=patience,
                                      proxies={}, s3={"addressing_style": "path"}))


def put(deployment, key, body, which=0):
    client(deployment, which).put_object(Bucket=BUCKET, Key=key, Body=body)


def fails(deployment, key, which=0):
    """A PUT is not answered 200 within 3 s."""
    with pytest.raises(FAILURE):
        client(deployment, which, 3).put_object(Bucket=BUCKET, Key=key, Body=b"during")


def get(deployment, key, which=0):
    return client(deployment, which).get_object(Bucket=BUCKET, Key=key)["Body"].read()


def soon(function, seconds=10):
    """Calls until it does not fail; the last failure is raised."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return function()
        except FAILURE:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


# ---------------------------------------------------------------- processes


def test_kill_and_launch_of_every_daemon(it):
    put(it, "kill", b"k" * 200_000)
    for name in it.names:
        old, deaths = it.pid(name), list(it.deaths)
        Kill().inject(it, {"names": [name]})
        assert not it.alive(name) and not it.ready(name) and not os.path.exists(f"/proc/{old}")
        with pytest.raises(RuntimeError, match="does not run"):
            it.wait_ready(name, 1)
        Kill().lift(it, {"names": [name]})
        assert it.wait_ready(name, 10) < 10
        assert it.pid(name) not in (None, old) and it.deaths == deaths
    assert soon(lambda: get(it, "kill")) == b"k" * 200_000


def test_a_daemon_that_ends_by_itself_is_told(it):
    os.kill(it.pid("steward"), signal.SIGSEGV)
    deadline = time.monotonic() + 5
    while it.alive("steward") and time.monotonic() < deadline:
        time.sleep(0.01)
    assert it.deaths.pop() == ("steward", -signal.SIGSEGV)


def test_a_paused_daemon_does_not_answer_and_goes_on(it):
    put(it, "pause", b"p")
    for name in it.names:
        pid = it.pid(name)
        Pause().inject(it, {"name": name})
        assert it.alive(name) and not it.ready(name)
        Pause().lift(it, {"name": name})
        it.wait_ready(name, 10)
        assert it.pid(name) == pid
    Pause().inject(it, {"name": "contentdb"})
    fails(it, "pause")
    Pause().lift(it, {"name": "contentdb"})
    soon(lambda: put(it, "pause", b"r"))
    assert get(it, "pause") == b"r"


def test_a_wrapper_is_not_the_daemon(it, tmp_path):
    trace = tmp_path / "trace"
    it.kill("blob2")
    it.launch("blob2", wrapper=("strace", "-f", "-qq", "-o", trace, "-e", "trace=fdatasync"))
    it.wait_ready("blob2", 20)
    words = leftovers.command_of(it.pid("blob2"))
    assert words[0] == str(it.binary("blobnode"))
    put(it, "wrapped", os.urandom(3_000_000))
    it.kill("blob2")
    assert not it.alive("blob2") and "fdatasync" in trace.read_text()
    assert str(trace) not in str([leftovers.command_of(pid) for pid in os.listdir("/proc") if pid.isdigit()])


# ---------------------------------------------------------------- the network


def needs_cuts(deployment):
    if not deployment.can_cut:
        pytest.skip(f"NOT TESTED, cables cannot be cut here: {deployment.why_no_cuts}")


def connects(deployment, a, b):
    """How it goes when a's namespace asks b: "answer", "silence", or what else it was."""
    done = subprocess.run(
        [*deployment._spaces.command(a), "curl", "-s", "--noproxy", "*", "--max-time", "0.7", "-o", "/dev/null",
         "http://{}:{}/health".format(*deployment.admin(b))], check=False)
    return {0: "answer", 28: "silence"}.get(done.returncode, done.returncode)


def test_a_cut_is_silent_in_both_directions_and_healed(it):
    needs_cuts(it)
    pairs = [("blob1", "steward"), ("steward", "blob1")]
    assert [connects(it, *pair) for pair in pairs] == ["answer", "answer"]
    it.cut("blob1", "steward")
    assert [connects(it, *pair) for pair in pairs] == ["silence", "silence"]
    assert connects(it, "blob1", "blob2") == "answer" and it.ready("blob1") and it.ready("steward")
    it.heal()
    assert [connects(it, *pair) for pair in pairs] == ["answer", "answer"]


def test_an_isolated_node_reaches_nobody_but_answers_us(it):
    needs_cuts(it)
    Partition().inject(it, {"a": "blob3", "b": "*"})
    assert connects(it, "blob3", "blob1") == "silence" and connects(it, "frontend1", "blob3") == "silence"
    assert connects(it, "frontend1", "blob1") == "answer" and it.ready("blob3")
    Partition().lift(it, {"a": "blob3", "b": "*"})
    assert connects(it, "blob3", "blob1") == "answer" and connects(it, "frontend1", "blob3") == "answer"


def test_cuts_are_healed_apart(it):
    needs_cuts(it)
    it.cut("blob1", "blob2")
    it.cut("blob1", "*")
    it.cut("blob3", "blob4")
    it.heal("blob1", "*")
    assert connects(it, "blob1", "blob2") == "silence" and connects(it, "blob1", "blob5") == "answer"
    assert connects(it, "blob3", "blob4") == "silence"
    it.heal()
    assert connects(it, "blob1", "blob2") == "answer" and connects(it, "blob3", "blob4") == "answer"


@pytest.mark.parametrize("which", [0, 1])
def test_connections_that_stand_are_cut_too(it, which):
    """frontend1 goes through a proxy, frontend2 does not; both have spoken to the content DB just now."""
    needs_cuts(it)
    name, other = it.frontends[which], 1 - which
    for one in (which, other):
        put(it, "stands", b"before", one)
    Partition().inject(it, {"a": name, "b": "contentdb"})
    fails(it, "stands", which)
    put(it, "stands", b"other", other)
    Partition().lift(it, {"a": name, "b": "contentdb"})
    soon(lambda: put(it, "stands", b"after", which))
    assert get(it, "stands", other) == b"after"


# ---------------------------------------------------------------- the proxy


class Server:
    """Answers each 1,000 bytes with 500, after a greeting as long as a handshake."""

    def __init__(self):
        self.requests = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with contextlib.suppress(ConnectionError):
            connection.sendall(b"g" * 4000)
            while read(connection, 1000):
                self.requests += 1
                connection.sendall(b"r" * 500)


def read(connection, count):
    data = b""
    while len(data) < count and (more := connection.recv(count - len(data))):
        data += more
    return data


@pytest.fixture
def pair():
    server = Server()
    proxy = Proxy("127.0.0.1", server.listener.getsockname())
    yield server, proxy
    proxy.close()


def greeted(proxy):
    connection = socket.create_connection(proxy.address, timeout=5)
    assert len(read(connection, 4000)) == 4000
    return connection


def ask(connection):
    connection.sendall(b"q" * 1000)
    return read(connection, 500)


def test_a_lost_reply_is_lost_after_the_server_had_the_request(pair):
    server, proxy = pair
    one, other = greeted(proxy), greeted(proxy)
    assert len(ask(one)) == len(ask(other)) == 500
    proxy.lose_reply()
    with pytest.raises(ConnectionResetError):
        assert ask(one) == b"", "the answer came through"
    assert server.requests == 3 and proxy.lost == 1
    assert len(ask(other)) == 500 and len(ask(greeted(proxy))) == 500  # Only that one.


def test_small_frames_and_handshakes_are_no_requests(pair):
    server, proxy = pair
    connection = greeted(proxy)
    proxy.lose_reply()
    for _ in range(10):  # A request in pieces as small as pings: none is taken for one.
        connection.sendall(b"q" * 100)
        time.sleep(0.01)
    assert len(read(connection, 500)) == 500 and proxy.lost == 0
    proxy.calm()
    assert len(ask(connection)) == 500 and proxy.lost == 0 and server.requests == 2


def test_delay_stall_and_reset(pair):
    _, proxy = pair
    connection = greeted(proxy)
    proxy.delay(150)
    begin = time.monotonic()
    ask(connection)
    assert time.monotonic() - begin >= 0.3  # There and back.
    proxy.calm()
    proxy.stall()
    connection.settimeout(0.5)
    with pytest.raises(TimeoutError):
        ask(connection)
    proxy.calm()
    connection.settimeout(5)
    assert len(read(connection, 500)) == 500
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        assert ask(connection) != b""


def test_replies_of_the_content_db_are_lost(it):
    """The commit's reply among them: some PUTs meet it, and what a PUT says is what is there."""
    proxy, what = it.proxy("frontend1", "contentdb"), {"client": "frontend1", "server": "contentdb", "count": 3}
    put(it, "reply", b"start")
    before, now = proxy.lost, b"start"
    for i in range(8):
        LostReply().inject(it, what)
        body = f"reply {i}".encode()
        try:
            soon(lambda body=body: put(it, "reply", body), 1)
        except FAILURE:
            continue
        finally:
            LostReply().lift(it, what)
        now = body
        assert get(it, "reply", 1) == now
    assert proxy.lost > before + 4


# ---------------------------------------------------------------- disks


def needs_rigs():
    if PowerRig.available():
        pytest.skip(f"NOT TESTED, no disk can lose power here: {PowerRig.available()}")


def test_a_power_cut_loses_what_is_not_synced_and_nothing_else():
    needs_rigs()
    with PowerRig() as one, PowerRig() as other:
        for cut in range(3):
            synced, files = {}, []
            for rig in (one, other):
                with open(rig.path / f"synced{cut}", "wb") as file:
                    synced[file.name] = os.urandom(300_000)
                    file.write(synced[file.name])
                    file.flush()
                    os.fsync(file.fileno())
                    file.write(b"tail behind the sync")
                files.append(open(rig.path / f"unsynced{cut}", "wb", buffering=0))
                files[-1].write(os.urandom(300_000))
            one.cut()
            with pytest.raises(OSError):
                os.fsync(files[0].fileno())
            for file in files:
                file.close()
            one.restore()
            for name, body in synced.items():
                with open(name, "rb") as file:
                    assert file.read().startswith(body)
            assert not (one.path / f"unsynced{cut}").exists() or (one.path / f"unsynced{cut}").stat().st_size == 0
            assert (one.path / f"synced{cut}").stat().st_size == 300_000
            assert (other.path / f"unsynced{cut}").stat().st_size == 300_000  # Its power stayed.


def test_a_rig_outlives_the_thread_that_restored_it():
    needs_rigs()
    with PowerRig() as rig:
        rig.cut()
        thread = threading.Thread(target=rig.restore)
        thread.start()
        thread.join()
        time.sleep(0.3)
        with open(rig.path / "file", "wb") as file:
            os.fsync(file.fileno())
        assert rig.has_power and [path.name for path in rig.path.glob("f*")] == ["file"]


@pytest.mark.parametrize("name", RIGGED)
def test_daemons_keep_what_they_acknowledged_over_a_power_cut(it, name):
    needs_rigs()
    bodies = {}
    for turn in range(3):
        for i in range(5):
            key, body = f"power/{name}/{turn}/{i}", os.urandom(random.choice([1000, 100_000, 1_000_000]))
            soon(lambda key=key, body=body: put(it, key, body, i % 2))
            bodies[key] = body
        PowerCut().inject(it, {"name": name})
        assert not it.alive(name)
        PowerCut().lift(it, {"name": name})
        assert it.wait_ready(name, 10) < 10
    for key, body in bodies.items():
        assert soon(lambda key=key: get(it, key)) == body
    assert it.rigs[name].cuts >= 3 and not it.deaths


def test_what_was_acknowledged_survives_a_blackout(it):
    needs_rigs()
    what, bodies = Blackout().choose(it, random.Random(1)), {}
    assert what == {"names": sorted(RIGGED)}
    for turn in range(3):
        for size in (1000, 100_000, 1_000_000):
            key = f"blackout/{turn}/{size}"
            bodies[key] = os.urandom(size)
            soon(lambda key=key: put(it, key, bodies[key]))
        Blackout().inject(it, what)
        assert not any(it.alive(name) for name in RIGGED)
        for _ in range(2):  # May be lifted twice.
            Blackout().lift(it, what)
        for name in RIGGED:
            assert it.wait_ready(name, 10) < 10
    for key, body in bodies.items():
        assert soon(lambda key=key: get(it, key)) == body
    assert not it.deaths


def test_a_daemon_that_does_not_sync_loses_what_it_acknowledged():
    """The other way round: with fsync made a no-op the same cut shows as loss."""
    needs_rigs()
    library = next(Path("/usr/lib").glob("*/libeatmydata.so"), None)
    if library is None:
        pytest.skip("NOT TESTED: libeatmydata is not installed")
    with Deployment(nodes=3, frontends=1, volumes={"contentdb": PowerRig()}, preload=library) as deployment:
        client(deployment).create_bucket(Bucket=BUCKET)
        put(deployment, "acknowledged", b"a")
        assert get(deployment, "acknowledged") == b"a"
        PowerCut().inject(deployment, {"name": "contentdb"})
        PowerCut().lift(deployment, {"name": "contentdb"})
        with pytest.raises(RuntimeError):  # The key store's anchor knows of commits that are gone.
            deployment.wait_ready("contentdb", 5)
        with pytest.raises(FAILURE):
            get(deployment, "acknowledged")


def rotten(fragments):
    count = 0
    for record in fragments:
        try:
            record.payload()
        except Refused:
            count += 1
    return count


def test_flips_damage_durable_fragments_of_one_account_and_reads_go_round_them(it):
    # A node on a rig would forget the damage at its next power cut.
    node = it.rotten_node = "blob4"
    what = Flip().choose(it, random.Random(1))
    assert what["node"] == node
    bodies = {f"flip/{i}": os.urandom(size) for i, size in enumerate([500, 20_000, 70_000, 1_000_000] * 4)}
    for key, body in bodies.items():
        put(it, key, body)
    count = len(durable(it.directory(node)))
    assert count > 8 and rotten(durable(it.directory(node))) == 0
    Flip().inject(it, what | {"count": 3})
    Flip().inject(it, what | {"count": 2})
    assert rotten(durable(it.directory(node))) == 5 and len(durable(it.directory(node))) == count
    Flip().inject(it, what | {"count": 1000})
    assert rotten(durable(it.directory(node))) == count
    assert all(rotten(durable(it.directory(name))) == 0 for name in it.blobs if name != node)
    for key, body in bodies.items():
        assert get(it, key) == get(it, key, 1) == body
    assert it.metrics(node)["triad_blob_get_corrupt_total"] > 0


def test_lies_pass_the_nodes_own_checks_and_no_reader(it):
    node = it.rotten_node = "blob4"
    bodies = {f"lie/{i}": os.urandom(size) for i, size in enumerate([500, 20_000, 70_000, 1_000_000] * 4)}
    Flip().inject(it, Flip().choose(it, random.Random(2)) | {"count": 1000})  # What was there is not for us.
    for key, body in bodies.items():
        put(it, key, body)
    fragments = [one for one in durable(it.directory(node)) if (one.segment.path, one.offset) not in it.rotten_fragments]
    true = [one.payload() for one in fragments]
    noticed = sum(it.log(name).count("does not verify") for name in it.frontends)
    Lie().inject(it, Lie().choose(it, random.Random(3)) | {"count": 1000})
    assert len(fragments) > 8 and rotten(fragments) == 0
    assert all(one.payload() != payload for one, payload in zip(fragments, true))
    for which in (0, 1):
        for key, body in bodies.items():
            assert get(it, key, which) == body
    assert sum(it.log(name).count("does not verify") for name in it.frontends) > noticed


# ---------------------------------------------------------------- all of them


def test_the_same_seed_draws_the_same_strikes(it):
    def draw(seed):
        source = random.Random(seed)
        return [(fault.name, fault.choose(it, source)) for _ in range(20) for fault in faults.ALL
                if fault.possible(it)]

    assert json.loads(json.dumps(draw(7))) == json.loads(json.dumps(draw(7)))
    assert draw(7) != draw(8)
    assert not Flip().possible(Deployment(accounts=2))  # One rotten and a node away: one too many.
    assert len({fault.name for fault in faults.ALL}) == len(faults.ALL)


CHILD = """
import os, signal, sys, time
sys.path.insert(0, {here!r})
from deployment import Deployment
from rig import PowerRig
rigs = {{}} if PowerRig.available() else {{"blob1": PowerRig()}}
deployment = Deployment(nodes=1, frontends=1, volumes=rigs).start()
print(deployment.data, *[rig.path.parent for rig in rigs.values()], flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_whatever_ended_the_run(number):
    child = subprocess.Popen([sys.executable, "-c", CHILD.format(here=str(Path(__file__).parent))],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    directories = [Path(word) for word in child.stdout.readline().split()]
    assert directories and all(left_of(directory) for directory in directories)
    child.send_signal(number)
    child.wait(timeout=20)
    if number == signal.SIGKILL:
        assert all(left_of(directory) for directory in directories)
        leftovers.sweep()
    assert not [left for directory in directories for left in left_of(directory)]


def left_of(directory):
    found = [*leftovers.processes(directory), *leftovers.mounts(directory)]
    if spaces.why_not() is None:
        text = subprocess.run(["ip", "netns", "list"], stdout=subprocess.PIPE, text=True, check=True).stdout
        text += subprocess.run(["ip", "-brief", "link"], stdout=subprocess.PIPE, text=True, check=True).stdout
        found += [line for line in text.splitlines() if leftovers.tag_of(directory) in line]
    if PowerRig.available() is None:
        text = subprocess.run(["losetup", "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout
        found += [line for line in text.splitlines() if str(directory) in line]
    return found + ([directory] if directory.exists() else [])
