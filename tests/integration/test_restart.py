"""kill -9 and restart of each component under load: nothing acknowledged is lost or wrong (D1, D2, A1, A2)."""

import hashlib
import random
import threading
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

BUCKET = "load"


class Load:
    """Clients that put and get self-describing bodies and remember what was acknowledged."""

    runs = 0

    def __init__(self, cluster, clients=6):
        Load.runs += 1
        self.prefix = f"run{Load.runs}"  # Keys of its own: what earlier loads left is not known.
        self.cluster, self.stopping = cluster, threading.Event()
        self.acknowledged, self.uncertain, self.wrong = {}, {}, []
        self.done = self.failed = 0
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(clients)]

    @staticmethod
    def body(key, turn):
        head = f"{key} {turn} ".encode()
        size = random.Random(f"{key}{turn}").choice([100, 5000, 70000, 300000, 4 * 1024 * 1024 + 1])
        return head + random.Random(f"{turn}{key}").randbytes(size)

    def run(self, number):
        s3 = self.cluster.s3()
        rng, turn = random.Random(number), 0
        while not self.stopping.is_set():
            turn += 1
            key = f"{self.prefix}/c{number}/k{rng.randrange(5)}"
            try:
                s3.put_object(Bucket=BUCKET, Key=key, Body=self.body(key, turn))
                with self.lock:
                    self.acknowledged[key], self.done = turn, self.done + 1
                    self.uncertain[key] = []
            except (ClientError, BotoCoreError, HTTPClientError):
                with self.lock:  # It may have happened: both are right from now on.
                    self.uncertain.setdefault(key, []).append(turn)
                    self.failed += 1
                time.sleep(0.05)
            self.check(s3, f"{self.prefix}/c{number}/k{rng.randrange(5)}")

    def check(self, s3, key, must=False):
        try:
            body = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        except ClientError as error:
            code = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if code == 404 and key in self.acknowledged:
                self.wrong.append(f"{key}: acknowledged {self.acknowledged[key]}, now 404")
            elif must and code != 404:
                self.wrong.append(f"{key}: {error}")
            return
        except (BotoCoreError, HTTPClientError) as error:
            if must:
                self.wrong.append(f"{key}: {error}")
            return
        right = [self.acknowledged.get(key), *self.uncertain.get(key, [])]
        if body not in [self.body(key, turn) for turn in right if turn is not None]:
            self.wrong.append(f"{key}: {body[:40]!r} {hashlib.md5(body).hexdigest()}, wanted one of {right}")

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def check_all(self):
        s3 = self.cluster.s3()
        for key in sorted(self.acknowledged):
            self.check(s3, key, must=True)
        assert not self.wrong, "\n".join(self.wrong[:10])


@pytest.fixture(scope="module")
def loaded(own):
    own.s3().create_bucket(Bucket=BUCKET)
    return own


@pytest.mark.parametrize("victim", ["blob1", "blob2", "contentdb", "keystore", "frontend", "steward"])
def test_kill_and_restart(loaded, victim):
    with Load(loaded) as load:
        time.sleep(2)
        before = load.done
        assert before > 0, loaded.log("frontend")[-2000:]
        loaded.kill(victim)
        time.sleep(2)
        during = load.done
        started = time.monotonic()
        loaded.start_only(victim)
        recovery = time.monotonic() - started
        after = load.done
        deadline = time.monotonic() + 10
        while load.done < after + 20 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert load.done >= after + 20, f"no PUT is acknowledged after {victim} came back"
    load.check_all()
    assert recovery < 10, f"{victim} took {recovery:.1f} s"
    if victim.startswith("blob") or victim == "steward":
        assert during > before, f"with {victim} down no PUT was acknowledged"


def test_clean_errors_while_down(loaded):
    """A component that is down gives 503 within 5 s, and the service comes back by itself."""
    s3 = loaded.s3()
    s3.put_object(Bucket=BUCKET, Key="fine", Body=b"fine")
    for victim in ("contentdb", "keystore"):
        loaded.kill(victim)
        for call, words in ((s3.put_object, {"Body": b"x"}), (s3.get_object, {})):
            started = time.monotonic()
            with pytest.raises(ClientError) as error:
                call(Bucket=BUCKET, Key="fine", **words)
            assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
            assert time.monotonic() - started < 5
        loaded.start_only(victim)
        deadline = time.monotonic() + 10
        while True:
            try:
                assert s3.get_object(Bucket=BUCKET, Key="fine")["Body"].read() == b"fine"
                break
            except ClientError:
                assert time.monotonic() < deadline
                time.sleep(0.2)


def test_everything_restarts(loaded):
    """All at once, in the middle of a load: what was acknowledged is there."""
    with Load(loaded) as load:
        time.sleep(2)
        for name in loaded.names:
            loaded.kill(name)
    loaded.quickstart("start")
    load.check_all()
    assert load.acknowledged


def test_repair_restores_full_redundancy(loaded):
    """PUTs with a node down are written with a shortfall; the steward brings it to full (D4)."""
    s3 = loaded.s3()
    loaded.kill("blob3")
    bodies = {f"short/{i}": random.Random(i).randbytes(size)
              for i, size in enumerate([500, 80000, 4 * 1024 * 1024])}
    for key, body in bodies.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    loaded.start_only("blob3")
    deadline = time.monotonic() + 60
    while '"repairs":' not in (text := loaded.triad("status", "--json").stdout) or \
            '"repairs":\t0' not in text:
        assert time.monotonic() < deadline, text
        time.sleep(0.5)
    for victim in ("blob1", "blob2", "blob3"):  # Any one node may go now.
        loaded.kill(victim)
        for key, body in bodies.items():
            assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == body
        loaded.start_only(victim)
