"""Too many, too slow and too impatient clients: the others go on, and memory stays bounded (A3)."""

import re
import socket
import ssl
import struct
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from wire import Wire

BUCKET = "overload"
MIB = 1024 * 1024
BUFFERS, BODY = 8, bytes(range(256)) * (8 * MIB // 256)
LATENCY_MAX = 5  # Seconds for a small PUT or GET beside them; far more than it takes, far less than a timeout.


class Limited:
    """A cluster whose frontend has few chunk buffers."""

    def __init__(self, cluster):
        self.cluster = cluster
        cluster.stop_only("frontend")
        config = cluster.data / "limited.conf"
        config.write_text(cluster.conf_path("frontend").read_text() + f"chunk_buffers = {BUFFERS}\n")
        self.out = open(cluster.data / "frontend/log", "ab")
        self.process = subprocess.Popen([str(cluster.data / "bin/frontend"), "--config", str(config)],
                                        stdout=self.out, stderr=self.out)
        (cluster.data / "frontend/pid").write_text(str(self.process.pid))
        deadline = time.monotonic() + 20
        while not cluster.health("frontend").startswith("ready"):
            assert time.monotonic() < deadline, cluster.log("frontend")[-2000:]
            time.sleep(0.1)
        self.wire, self.s3 = Wire(cluster), cluster.s3()

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.out.close()

    def memory(self):
        """MiB: the most that was resident."""
        text = open(f"/proc/{self.process.pid}/status", encoding="ascii").read()
        return int(re.search(r"VmHWM:\s+(\d+) kB", text).group(1)) / 1024

    def put(self, key, body=BODY):
        """(status, S3 error code or None)"""
        with self.wire.connect(seconds=60) as tls:
            try:
                tls.sendall(self.wire.put_head(BUCKET, key, len(body)))
                tls.sendall(body)
            except (ConnectionError, ssl.SSLError):
                pass  # It may have answered before it had all.
            status, _, came, _ = self.wire.answer(tls)
        code = re.search(rb"<Code>(\w+)</Code>", came)
        return status, code.group(1).decode() if code else None

    def put_many(self, count, threads, name):
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(lambda i: self.put(f"{name}/{i}"), range(count)))

    def others_go_on(self, seconds=0, turns=10):
        """Small and large objects, written and read by a client that behaves."""
        end, slowest = time.monotonic() + seconds, 0
        while turns > 0 or time.monotonic() < end:
            turns -= 1
            for body in (b"small" * 100, BODY[: 5 * MIB]):
                started = time.monotonic()
                self.s3.put_object(Bucket=BUCKET, Key="other", Body=body)
                assert self.s3.get_object(Bucket=BUCKET, Key="other")["Body"].read() == body
                slowest = max(slowest, time.monotonic() - started)
        assert slowest < LATENCY_MAX, f"{slowest:.1f} s"

    def buffers(self):
        self.s3.head_bucket(Bucket=BUCKET)  # The figure is set after each request.
        return self.cluster.metrics("frontend")["triad_frontend_buffers"]

    def buffers_come_back(self, held=0, seconds=10):
        deadline = time.monotonic() + seconds
        while (used := self.buffers()) > held:
            assert time.monotonic() < deadline, f"{used} chunk buffers are still in use"
            time.sleep(0.2)


@pytest.fixture(scope="module")
def limited(own):
    own.s3().create_bucket(Bucket=BUCKET)
    limited = Limited(own)
    try:
        yield limited
    finally:
        limited.close()


class Slow:
    """Connections that say nothing, half a head, or a byte of a body now and then."""

    def __init__(self, wire):
        self.opened = time.monotonic()
        with ThreadPoolExecutor(16) as pool:
            self.idle = list(pool.map(lambda _: wire.connect(), range(300)))
            self.heads = list(pool.map(lambda _: wire.connect(), range(60)))
            self.bodies = list(pool.map(lambda _: wire.connect(), range(20)))
        for i, tls in enumerate(self.bodies):
            tls.sendall(wire.put_head(BUCKET, f"slow/{i}", 5000))
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.drip)
        self.thread.start()

    def drip(self):
        head = b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: yes, very slow, one byte after the other"
        for byte in head:
            for tls in [*self.heads, *self.bodies]:
                try:
                    tls.sendall(bytes([byte]))
                except (ConnectionError, ssl.SSLError, OSError):
                    pass
            if self.stopping.wait(0.5):
                return

    def close(self):
        self.stopping.set()
        self.thread.join()
        for tls in [*self.idle, *self.heads, *self.bodies]:
            tls.close()


@pytest.fixture(scope="module")
def slow(limited):
    slow = Slow(limited.wire)
    try:
        yield slow
    finally:
        slow.close()


def test_slow_clients_do_not_stop_others(limited, slow):
    """300 idle connections, 60 slow heads, 20 slow bodies, and 3 that stop in the middle of a large one."""
    held = [limited.wire.connect() for _ in range(3)]
    for i, tls in enumerate(held):
        tls.sendall(limited.wire.put_head(BUCKET, f"held/{i}", len(BODY)) + BODY[: 2 * MIB])
    limited.others_go_on(turns=15)
    assert limited.cluster.metrics("frontend")["triad_frontend_buffers"] >= len(held)
    for tls in held:
        tls.close()


def test_uploads_that_send_only_a_head_do_not_stop_others(limited, slow):
    """More of them than there are chunk buffers."""
    held = [limited.wire.connect() for _ in range(3 * BUFFERS)]
    for i, tls in enumerate(held):
        tls.sendall(limited.wire.put_head(BUCKET, f"head/{i}", len(BODY)))
    time.sleep(1)  # They wait for their bodies now.
    limited.others_go_on(turns=5)
    for tls in held:
        tls.close()


def test_readers_that_stop_do_not_stop_others(limited, slow):
    for i in range(3):
        assert limited.put(f"read/{i}", BODY * 2)[0] == 200
    readers = [limited.wire.connect(receive=8192) for _ in range(3)]
    for i, tls in enumerate(readers):
        tls.sendall(limited.wire.get_head(BUCKET, f"read/{i}"))
        assert tls.recv(4096).startswith(b"HTTP/1.1 200")
    limited.others_go_on(turns=15)
    for tls in readers:
        tls.close()
    limited.buffers_come_back(held=len(slow.bodies))


def test_uploads_that_break_off_leave_nothing(limited, slow):
    """100 clients that go away in the middle of a PUT, politely or not: nothing visible, no chunk buffer lost."""
    def break_off(i):
        tls = limited.wire.connect()
        sent = (0, 1, 70_000, MIB, 4 * MIB + 5, 8 * MIB - 1)[i % 6]
        length = 60_000 if sent <= 1 and i % 2 else len(BODY)
        try:
            tls.sendall(limited.wire.put_head(BUCKET, f"broken/{i}", length) + BODY[:sent])
        except (ConnectionError, ssl.SSLError, socket.timeout):
            pass
        if i % 3 == 0:  # A reset instead of a goodbye.
            tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        tls.close()

    with ThreadPoolExecutor(BUFFERS) as pool:
        list(pool.map(break_off, range(100)))
    assert "Contents" not in limited.s3.list_objects_v2(Bucket=BUCKET, Prefix="broken/")
    with pytest.raises(ClientError) as error:
        limited.s3.head_object(Bucket=BUCKET, Key="broken/5")
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    limited.buffers_come_back(held=len(slow.bodies))
    assert {status for status, _ in limited.put_many(2 * BUFFERS, BUFFERS, "after")} == {200}


def test_too_many_uploads(limited, slow):
    """128 at once of 8 MiB, with 8 chunk buffers of 4 MiB: done or told to slow down, in bounded memory."""
    results = limited.put_many(128, 128, "many")
    assert set(results) <= {(200, None), (503, "SlowDown")}, set(results)
    done = [i for i, (status, _) in enumerate(results) if status == 200]
    assert len(done) >= BUFFERS
    assert limited.memory() < 400, f"{limited.memory():.0f} MiB"
    listed = limited.s3.list_objects_v2(Bucket=BUCKET, Prefix="many/")
    assert {o["Key"] for o in listed["Contents"]} == {f"many/{i}" for i in done}
    for i in done[:: max(1, len(done) // 5)]:
        assert limited.s3.get_object(Bucket=BUCKET, Key=f"many/{i}")["Body"].read() == BODY
    limited.buffers_come_back(held=len(slow.bodies))
    assert {status for status, _ in limited.put_many(2 * BUFFERS, BUFFERS, "calm")} == {200}
    limited.others_go_on(turns=3)
    assert limited.process.poll() is None


def test_slow_clients_are_sent_away(limited, slow):
    """Half a head after 10 s, a body that falls behind 64 KiB/s for 20 s; the idle ones may stay 60 s."""
    time.sleep(max(0.0, slow.opened + 23 - time.monotonic()))
    for tls in [*slow.heads, *slow.bodies]:
        tls.settimeout(5)
        try:
            came = tls.recv(4096)
        except (ConnectionError, ssl.SSLError):
            continue
        assert came == b"" or re.match(rb"HTTP/1\.1 (400|408) ", came), came
    assert "Contents" not in limited.s3.list_objects_v2(Bucket=BUCKET, Prefix="slow/")
    limited.buffers_come_back()
