"""Damaged, lying, lost and old disks, and processes that sleep: never wrong bytes, never a silent loss (D1 to D4)."""

import contextlib
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from cluster import REPO
from test_restart import BUCKET, Load
from wire import Wire

sys.path.insert(0, str(REPO / "tests/integration/triad_reader"))
from primitives import crc32c  # noqa: E402
from segment_log import BLOCK, HEADER, SEGMENT_HEADER, Segment, read_log  # noqa: E402

MIB = 1024 * 1024
SMALL, LARGE, CHUNK = 20_000, 3 * MIB + 777, 4 * MIB  # As three copies, as 4+2, and one chunk of it.
BLOB = 1  # Flags of a record.


@pytest.fixture(scope="module")
def damaged(own):
    own.s3().create_bucket(Bucket=BUCKET)
    return own


# ---------------------------------------------------------------- the disks


def account_logs(cluster, nodes=("blob1", "blob2", "blob3")):
    return [log for node in nodes for log in sorted((cluster.data / node / "data").glob("*/log"))]


def records_of(log):
    """All records of an account, also those whose payload is damaged."""
    for path in sorted(log.glob("*.seg")):
        segment, offset = Segment(str(path), int(path.stem, 16)), SEGMENT_HEADER
        while (record := segment.record_at(offset)) is not None:
            yield record
            offset = record.end


def fragments(cluster):
    """{(log, id): record} of all fragments that lie on the blob nodes."""
    return {(log, record.id): record for log in account_logs(cluster) for record in records_of(log)
            if record.flags == BLOB}


def put_and_find(cluster, key, body):
    """Put an object; the records of its fragments: those that are on the disks now and were not before."""
    wanted = 3 if len(body) < 65536 else 6 * -(-len(body) // CHUNK)
    deadline = time.monotonic() + 15
    while True:
        before = fragments(cluster).keys()
        cluster.s3().put_object(Bucket=BUCKET, Key=key, Body=body)
        new = {}
        for _ in range(10):  # Its last fragments may still be on their way.
            new = {k: r for k, r in fragments(cluster).items() if k not in before}
            if len(new) >= wanted:
                break
            time.sleep(0.1)
        if len(new) == wanted:
            return sorted(new.values(), key=lambda record: (record.segment.path, record.offset))
        # While a node that restarted is not found again large objects are stored as copies.
        assert time.monotonic() < deadline, f"{len(new)} fragments, wanted {wanted}"


def overwrite(path, offset, data):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)


def flip(record, at=None):
    """One bit of a payload, as a disk that rots does it; returns what undoes it."""
    offset = record.start + (record.size // 2 if at is None else at)
    old = record.segment.data[offset : offset + 1]
    overwrite(record.segment.path, offset, bytes([old[0] ^ 0x10]))
    return lambda: overwrite(record.segment.path, offset, old)


def lie(record, payload):
    """Another payload with right checksums, as a hostile node or an old copy of a disk gives it."""
    assert len(payload) == record.size
    padded = payload + bytes(record.end - record.start - record.size)
    sums = [crc32c(padded[i : i + BLOCK]) for i in range(0, -(-record.size // BLOCK) * BLOCK, BLOCK)]
    old = record.segment.data[record.offset + HEADER : record.end]
    overwrite(record.segment.path, record.offset + HEADER, struct.pack(f">{len(sums)}I", *sums) + padded)
    return lambda: overwrite(record.segment.path, record.offset + HEADER, old)


def flipped(record):
    payload = bytearray(record.payload())
    payload[len(payload) // 3] ^= 1
    return bytes(payload)


@contextlib.contextmanager
def undone(undos):
    try:
        yield
    finally:
        for undo in undos:
            undo()


def read(cluster, key, **words):
    return cluster.s3().get_object(Bucket=BUCKET, Key=key, **words)["Body"].read()


def wait_repaired(cluster, seconds=40):
    deadline = time.monotonic() + seconds
    while '"repairs":\t0' not in (text := cluster.triad("status", "--json").stdout):
        assert time.monotonic() < deadline, text + cluster.log("steward")[-3000:]
        time.sleep(0.3)


def still_there(cluster, bodies, seconds=10):
    """Everything reads right, within the time that those who came back may take to be found again."""
    deadline = time.monotonic() + seconds
    for key, body in bodies.items():
        while True:
            try:
                assert read(cluster, key) == body
                break
            except (ClientError, BotoCoreError) as error:
                assert time.monotonic() < deadline, f"{key}: {error}"
                time.sleep(0.1)


def without_each_node(cluster, bodies):
    """Every object reads right with any one node down: so nothing of it is missing or bad."""
    still_there(cluster, bodies)
    for victim in ("blob1", "blob2", "blob3"):
        cluster.kill(victim)
        try:
            still_there(cluster, bodies)  # The frontend may still look for the node that came back before.
        finally:
            cluster.start_only(victim)


# ---------------------------------------------------------------- fragments


@pytest.fixture(scope="module")
def repaired():
    """Objects that were damaged and repaired; what must hold for them is looked at once, at the end."""
    return {}


def is_noticed(cluster, key, body, turns=12):
    """Read an object until its damage was met and reported: any copy may be asked, parity is not."""
    told = cluster.log("frontend").count("repair reported")
    for _ in range(turns):
        assert read(cluster, key) == body
        assert read(cluster, key, Range=f"bytes={len(body) // 2}-{len(body) // 2 + 99}") == \
            body[len(body) // 2 : len(body) // 2 + 100]
    return cluster.log("frontend").count("repair reported") > told


def damage_until_noticed(cluster, name, size, damage):
    """Damage two fragments of an object; another object if both happened to be parity, which no GET reads."""
    for i in range(5):
        key, body = f"{name}/{size}-{i}", random.Random(f"{name}{size}{i}").randbytes(size)
        damage(put_and_find(cluster, key, body))
        if is_noticed(cluster, key, body):
            return {key: body}
        assert size >= 65536, "two of three copies are bad, and no GET met one"
    raise AssertionError("damage was never reported")


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_rotten_fragments_are_read_around_and_repaired(damaged, repaired, size):
    """Two of three copies, two of six fragments: the bytes are right, and full redundancy comes back."""
    def rot(records):
        for record in random.Random(1).sample(records, 2):
            flip(record)

    before = damaged.log("steward").count("fragment repaired")
    repaired |= damage_until_noticed(damaged, "rot", size, rot)
    assert sum(damaged.metrics(f"blob{i}")["triad_blob_get_corrupt_total"] for i in (1, 2, 3)) > 0
    wait_repaired(damaged)
    assert damaged.log("steward").count("fragment repaired") == before + 2


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_lying_nodes_are_caught(damaged, repaired, size):
    """Bytes that the node's own checksums call good: changed ones, and those of another fragment."""
    others = put_and_find(damaged, f"other/{size}", random.Random(3).randbytes(size))

    def tell_lies(records):
        # Of the large object the shortest fragments are data for sure; parity is as long as the longest.
        one, *_, two = sorted(records, key=lambda record: record.size)
        lie(one, flipped(one))
        lie(two, next(record for record in others if record.size == two.size).payload())

    before = damaged.log("steward").count("fragment repaired")
    repaired |= damage_until_noticed(damaged, "lie", size, tell_lies)
    wait_repaired(damaged)
    assert damaged.log("steward").count("fragment repaired") == before + 2


def test_too_many_rotten_fragments_give_no_bytes(damaged):
    """More than the redundancy: an error or a broken answer, never wrong bytes, never a short 200 that looks whole."""
    rng = random.Random(4)
    for size, count in ((SMALL, 3), (LARGE, 3)):
        for change in (flip, lambda record: lie(record, flipped(record))):
            key, body = f"gone/{size}-{count}-{change.__name__}", rng.randbytes(size)
            records = put_and_find(damaged, key, body)
            with undone([change(record) for record in rng.sample(records, count)]):
                for _ in range(2):
                    started = time.monotonic()
                    status, length, came, is_whole = Wire(damaged).get(BUCKET, key)
                    # A head that was cut off, an error, or the right head and then less than it says.
                    is_error = status is None or status >= 500
                    assert is_error or (length == size and not is_whole), (status, length, len(came))
                    assert is_error or body.startswith(came)
                    # Nothing is away, so there is nothing to wait for.
                    assert time.monotonic() - started < 2
            assert read(damaged, key) == body  # The bytes are back: so is the object.


def test_damage_behind_the_first_chunk_breaks_the_answer_off(damaged):
    size = 2 * CHUNK + 100_000
    body = random.Random(5).randbytes(size)
    records = put_and_find(damaged, "later", body)
    # Written in order in each account: the first fragment of each is of the first chunk, the third of the last.
    by_account = {}
    for record in records:
        by_account.setdefault(os.path.dirname(record.segment.path), []).append(record)
    second = [sorted(of, key=lambda record: record.lsn)[1] for of in by_account.values()]
    with undone([flip(record) for record in second[:3]]):
        status, length, came, is_whole = Wire(damaged).get(BUCKET, "later")
        assert status == 200 and length == size and not is_whole
        assert CHUNK <= len(came) < 2 * CHUNK and body.startswith(came)
        assert read(damaged, "later", Range=f"bytes=0-{CHUNK - 1}") == body[:CHUNK]
        assert read(damaged, "later", Range=f"bytes={2 * CHUNK}-") == body[2 * CHUNK :]
    assert read(damaged, "later") == body
    wait_repaired(damaged)


def test_what_was_repaired_survives_any_node(damaged, repaired):
    if not repaired:
        pytest.skip("nothing was repaired before")
    without_each_node(damaged, repaired)


def holds(cluster, node, blobs):
    """The figures, which are set each second, come to say that the node has so many blobs.

    A few less are right too: those that tests before this one damaged, once the node noticed.
    """
    deadline = time.monotonic() + 5
    while not blobs - 20 <= (figure := cluster.metrics(node)["triad_blob_blobs"]) <= blobs:
        assert time.monotonic() < deadline, f"{node} says {figure}, its disk has {blobs}"
        time.sleep(0.2)


def test_lost_segments_and_a_lost_disk(damaged):
    """A node whose disk lost what it held does not pretend to have it; the others serve."""
    # A large one first: it waits until all nodes are found, so that the small ones lie on all three.
    bodies = {f"lost/{i}": random.Random(i).randbytes(size) for i, size in enumerate([LARGE, SMALL, LARGE, SMALL])}
    for key, body in bodies.items():
        put_and_find(damaged, key, body)
    damaged.stop_only("blob1")
    lost, kept = account_logs(damaged, ["blob1"])
    assert len(list(records_of(lost))) > 10
    for segment in lost.glob("*.seg"):
        segment.unlink()
    damaged.start_only("blob1")
    holds(damaged, "blob1", len({record.id for record in records_of(kept) if record.flags == BLOB}))
    for _ in range(6):
        still_there(damaged, bodies)
    damaged.s3().put_object(Bucket=BUCKET, Key="lost/new", Body=b"new" * 50000)
    assert read(damaged, "lost/new") == b"new" * 50000

    damaged.stop_only("blob2")
    kept = damaged.data / "blob2/kept"
    shutil.move(damaged.data / "blob2/data", kept)
    damaged.start_only("blob2")
    holds(damaged, "blob2", 0)
    assert damaged.metrics("blob2")["triad_blob_accounts"] == 0
    still_there(damaged, {key: body for key, body in bodies.items() if len(body) == SMALL})
    for key in ("lost/0", "lost/2"):  # Two nodes lost fragments: too many perhaps, but nothing comes out wrong.
        status, length, came, is_whole = Wire(damaged).get(BUCKET, key)
        if status == 200:
            assert length == len(bodies[key]) and bodies[key].startswith(came)
            assert not is_whole or came == bodies[key]
    damaged.s3().put_object(Bucket=BUCKET, Key="lost/without", Body=b"w" * SMALL)
    assert read(damaged, "lost/without") == b"w" * SMALL
    damaged.stop_only("blob2")
    shutil.rmtree(damaged.data / "blob2/data")
    shutil.move(kept, damaged.data / "blob2/data")
    damaged.start_only("blob2")
    still_there(damaged, bodies)


# ---------------------------------------------------------------- the content DB and the key store


def refuses(cluster, name, words):
    """name must not start, and say why in a line of its log."""
    seen = len(cluster.log(name))
    with pytest.raises(RuntimeError):
        cluster.start_only(name)
    said = cluster.log(name)[seen:]
    assert re.search(words, said), said[-2000:]
    assert "check failed" not in said
    assert cluster.pid(name) is None


def middle_record(log):
    records = [record for record in read_log(str(log)) if record.size > 0]
    assert len(records) > 4, "too few records for a middle"
    return records[len(records) // 2]


def put_some(cluster, prefix, count):
    bodies = {f"{prefix}/{i}": f"{prefix} {i} ".encode() * 20 for i in range(count)}
    for key, body in bodies.items():
        cluster.s3().put_object(Bucket=BUCKET, Key=key, Body=body)
    return bodies


def test_content_db_log_damage_tail_and_old_image(damaged):
    store, image, newest = (damaged.data / name for name in ("contentdb/data", "old-image", "newest-image"))
    log = next(store.glob("shard-0/store/**/*.seg")).parent
    bodies = put_some(damaged, "early", 10)
    damaged.stop_only("contentdb")
    shutil.copytree(store, image)
    with undone([flip(middle_record(log))]):  # A rotten record in the middle.
        refuses(damaged, "contentdb", "database is damaged.*the log has lost records")
    damaged.start_only("contentdb")
    still_there(damaged, bodies)
    bodies |= put_some(damaged, "later", 10)
    damaged.stop_only("contentdb")

    shutil.move(store, newest)
    shutil.copytree(image, store)
    refuses(damaged, "contentdb", "database is older than its anchor")
    shutil.rmtree(store)
    shutil.move(newest, store)
    last = list(read_log(str(log)))[-1]
    # An append that was cut off, and never acknowledged: a header without all of its payload.
    overwrite(last.segment.path, last.end, last.segment.data[last.offset : last.offset + HEADER] + os.urandom(3000))
    damaged.start_only("contentdb")
    still_there(damaged, bodies)
    still_there(damaged, put_some(damaged, "after", 3))


def test_key_store_damage_and_wrong_seal_key(damaged):
    bodies = put_some(damaged, "keys", 3)
    seal = damaged.data / "secrets/seal.key"
    damaged.stop_only("keystore")
    for vault in ("identity", "keys"):
        log = next((damaged.data / "keystore/data" / vault).glob("kv/**/*.seg")).parent
        record = list(read_log(str(log)))[0]
        with undone([flip(record)]):
            refuses(damaged, "keystore", "CORRUPT.*the log has lost records")
    right = seal.read_bytes()
    for wrong, words in ((os.urandom(len(right)), "no slot of the seal opens with this key file"),
                         (right[:-1], "must hold exactly 32 bytes")):
        seal.write_bytes(wrong)
        refuses(damaged, "keystore", words)
    seal.unlink()
    refuses(damaged, "keystore", "open the seal's key file")
    seal.write_bytes(right)
    damaged.start_only("keystore")
    still_there(damaged, bodies)
    still_there(damaged, put_some(damaged, "keys-after", 2))


class Twin:
    """A second contentdb on a copy of the first one's data, with the same certificate."""

    def __init__(self, cluster, data):
        self.home = cluster.data / "twin"
        self.home.mkdir(exist_ok=True)
        text = cluster.conf_path("contentdb").read_text()
        text = re.sub(r"^listen = .*$", f"listen = 127.0.0.1:{cluster.port + 30}", text, flags=re.M)
        text = re.sub(r"^admin_listen = .*$", f"admin_listen = 127.0.0.1:{cluster.port + 31}", text, flags=re.M)
        text = re.sub(r"^data_dir = .*$", f"data_dir = {data}", text, flags=re.M)
        (self.home / "twin.conf").write_text(text)
        self.out = open(self.home / "log", "w+", encoding="utf-8")
        self.process = subprocess.Popen([str(cluster.data / "bin/contentdb"), "--config",
                                         str(self.home / "twin.conf")], stdout=self.out, stderr=self.out)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.out.close()

    def log(self):
        return (self.home / "log").read_text()


def test_a_second_content_db_is_busy(damaged):
    store = damaged.data / "contentdb/data"
    copy = damaged.data / "twin-data"
    with Twin(damaged, store) as twin:  # On the very same directory.
        assert twin.process.wait(timeout=5) != 0, twin.log()
    shutil.copytree(store, copy)
    bodies = put_some(damaged, "twin", 5)
    with Twin(damaged, copy) as twin:
        end = time.monotonic() + 2
        while time.monotonic() < end:
            bodies |= put_some(damaged, f"twin{len(bodies)}", 3)
        assert twin.process.poll() is None, twin.log()
        assert '"serving"' not in twin.log() and re.search("BUSY|another instance", twin.log()), twin.log()
        # The first sleeps: the second is let in, but its copy is older than the anchor.
        damaged.signal("contentdb", signal.SIGSTOP)
        try:
            assert twin.process.wait(timeout=15) != 0, twin.log()
        finally:
            damaged.signal("contentdb", signal.SIGCONT)
        assert "log does not reach its anchor" in twin.log() and '"serving"' not in twin.log()
    # The key store gave the shard away: whoever wakes up must see it and stop.
    deadline = time.monotonic() + 10
    while damaged.pid("contentdb") is not None:
        assert time.monotonic() < deadline, damaged.log("contentdb")[-2000:]
        time.sleep(0.1)
    damaged.start_only("contentdb")
    still_there(damaged, bodies)
    still_there(damaged, put_some(damaged, "twin-after", 2))


# ---------------------------------------------------------------- sleep


@pytest.mark.parametrize("victim", ["blob1", "contentdb", "keystore", "frontend"])
def test_sleep_of_five_seconds(damaged, victim):
    """SIGSTOP, as a virtual machine that pauses: nothing acknowledged is lost or wrong, and it goes on."""
    with Load(damaged, clients=4) as load:
        time.sleep(0.6)
        before = load.done
        damaged.signal(victim, signal.SIGSTOP)
        time.sleep(5)
        during = load.done
        damaged.signal(victim, signal.SIGCONT)
        deadline = time.monotonic() + 10
        while load.done < during + 20 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert load.done >= during + 20, f"no PUT is acknowledged after {victim} woke up"
        assert damaged.pid(victim) is not None, damaged.log(victim)[-2000:]
    load.check_all()
    assert before > 0


def test_a_repair_of_what_was_overwritten_meanwhile_ends(damaged):
    """Its task was called done and left in the queue: the steward spun on it."""
    # A data fragment, which a GET reads: the shortest is one for sure.
    record = min(put_and_find(damaged, "spun", os.urandom(LARGE)), key=lambda record: record.size)
    damaged.stop_only("steward")
    flip(record)
    for _ in range(3):
        read(damaged, "spun")  # Whoever meets it reports it.
    assert '"repairs":\t0' not in damaged.triad("status", "--json").stdout
    damaged.s3().put_object(Bucket=BUCKET, Key="spun", Body=b"new")
    damaged.start_only("steward")
    wait_repaired(damaged)
