"""After the storm: full redundancy again, and everything read back from everywhere (D1 D2 D4 C2 C4).

The reads go into the history, so that check_linear judges them with all that came before.
"""

import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

from client import Broken, Client, element, listed, uploads_listed
from history import ABSENT, Operation, Violation
from reading import detail_of, judge_read

THREADS = 4
PATIENCE = 10.0     # Seconds for a read, after healing or a blob node's death, until it must succeed (A1, A2).
UNREADABLE_MAX = 4  # After so many nothing is waited for any more: the end comes also for a broken cluster.
READY = 10.0        # For a blob node that is started again (A2).
REPAIR = 60.0


def wait_repaired(deployment, seconds):
    """Waits until the steward has nothing left to repair; how long that took."""
    begin, told = time.monotonic(), "nothing"
    while time.monotonic() - begin < seconds:
        try:
            done = deployment.triad("status", "--json", check=False)
            told = done.stdout.strip() or done.stderr.strip()
        except subprocess.TimeoutExpired as error:
            told = str(error)
        if repairs_of(told) == 0:
            return time.monotonic() - begin
        time.sleep(0.3)
    raise RuntimeError(f"not at full redundancy after {seconds:.0f} s; the status tells: {told[-1500:]}")


def repairs_of(text):
    """Chunks in the content DB's repair queue, from `triad status --json`; None if it does not tell."""
    try:
        waiting = [json.loads(text)]
    except ValueError:
        return None
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "repairs" in value:
                return int(value["repairs"])
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return None


def read_back(deployment, history):
    """(facts, violations): all keys from every frontend, then again without each blob node in turn."""
    return Finale(deployment, history).run()


class Finale:
    def __init__(self, deployment, history):
        self.deployment, self.history = deployment, history
        self.names = [endpoint.name for endpoint in deployment.endpoints]
        operations = history.operations
        self.uploads = [one for one in operations if one.kind == "multipart"]
        self.keys = sorted({(one.bucket, one.key) for one in operations if one.kind != "list"})
        self.buckets = sorted({one.bucket for one in operations})
        self.facts, self.violations, self.unreadable = [], [], 0

    def run(self):
        present = {}
        for name in self.names:
            present[name] = self.read_all(name, [name])
            self.lists(name, present[name])
        self.agree(present)
        self.uploads_are_as_left()
        self.repaired("after reading everything")
        for blob in self.deployment.blobs:
            self.without(blob)
        self.repaired("after each blob node was away")
        return self.facts, self.violations

    def wrong(self, where, text):
        self.violations.append(Violation("finale", where, text))

    def repaired(self, when):
        try:
            self.facts.append(f"full redundancy {when}: {wait_repaired(self.deployment, REPAIR):.1f} s")
        except RuntimeError as error:
            self.wrong("D4", f"{when}: {error}")

    # ---------------------------------------------------------------- reading

    def read_all(self, label, names):
        """Reads each key once, spread over these frontends; the keys that are there."""
        begin = time.monotonic()
        with ThreadPoolExecutor(THREADS) as pool:
            work = [self.keys[i::THREADS] for i in range(THREADS)]
            results = list(pool.map(lambda pair: self.read_some(label, names, *pair), enumerate(work)))
        reads = [one for result in results for one in result]
        there = {(one.bucket, one.key) for one in reads if one.read not in (None, ABSENT)}
        size = sum(one.bytes for one in reads)
        self.facts.append(f"read {len(reads)} keys, {len(there)} there, {size / 1e6:.0f} MB, through {label}: "
                          f"{time.monotonic() - begin:.1f} s")
        return there

    def read_some(self, label, names, number, keys):
        client, reads = Client.of(self.deployment), []
        try:
            for i, key in enumerate(keys):
                reads.append(self.read(client, label, names[(i + number) % len(names)], number, key))
        finally:
            client.close()
        return reads

    def read(self, client, label, name, number, key):
        """One key, tried until it answers or patience ends; only the last try is certain to count."""
        deadline = time.monotonic() + (PATIENCE if self.unreadable < UNREADABLE_MAX else 0)
        while True:
            operation = self.history.record(Operation(f"end{number}", name, "get", *key, time.monotonic_ns()))
            try:
                answer = client.get(name, *key)
            except Broken as broken:
                answer = broken
            judge_read(operation, self.history, answer)
            operation.end = time.monotonic_ns()
            if operation.read is not None or operation.problem:
                return operation
            if time.monotonic() > deadline:
                self.unreadable += 1
                self.wrong("/".join(key), f"unreadable through {name} ({label}): {detail_of(answer)}")
                return operation
            time.sleep(0.2)

    def without(self, blob):
        """Everything once more while one blob node is dead (A1, D1)."""
        self.deployment.kill(blob)
        try:
            self.read_all(f"all frontends without {blob}", self.names)
        finally:
            self.deployment.launch(blob)
        try:
            self.deployment.wait_ready(blob, READY)
        except Exception as error:  # noqa: BLE001: whatever a deployment raises, the node is not back.
            self.wrong(blob, f"not ready {READY:.0f} s after its start: {error}")

    def agree(self, present):
        """No write is under way any more: all frontends show the same keys."""
        first = self.names[0]
        for name in self.names[1:]:
            for key in sorted(present[first] ^ present[name]):
                holder = first if key in present[first] else name
                self.wrong("/".join(key), f"only {holder} of {first} and {name} shows it, with nothing under way")

    # ---------------------------------------------------------------- listings

    def lists(self, name, present):
        """LIST of each bucket is what can be read, exactly."""
        client = Client.of(self.deployment)
        for bucket in self.buckets:
            try:
                rows = whole_list(client, name, bucket)
            except (Broken, RuntimeError) as error:
                self.wrong(bucket, f"no listing through {name}: {error}")
                continue
            names, there = [row[0] for row in rows], {key for where, key in present if where == bucket}
            if names != sorted(there, key=str.encode):
                self.wrong(bucket, f"LIST through {name} differs from what can be read: too many "
                                   f"{sorted(set(names) - there)}, missing {sorted(there - set(names))}, "
                                   f"{len(names)} names for {len(there)} keys")
        client.close()

    def uploads_are_as_left(self):
        """Uploads that were neither completed nor aborted wait, unseen; all others are gone."""
        client, waiting = Client.of(self.deployment), set()
        for bucket in self.buckets:
            try:
                answer = client.list_uploads(self.names[0], bucket)
            except Broken as broken:
                answer = broken
            if answer.status != 200 or element(answer.body, "IsTruncated") == "true":
                self.wrong(bucket, f"no list of uploads: {detail_of(answer)}")
                continue
            waiting.update(uploads_listed(answer.body))
        client.close()
        states = {}
        for one in self.uploads:
            upload, state = one.detail.get("upload"), one.detail.get("state")
            states[state] = states.get(state, 0) + 1
            if state == "left" and upload not in waiting:
                self.wrong(f"{one.bucket}/{one.key}", f"upload {upload} was lost:\n  {one.words()}")
            if state in ("completed", "aborted") and upload in waiting:
                self.wrong(f"{one.bucket}/{one.key}", f"upload {upload} was {state}, yet waits:\n  {one.words()}")
        self.facts.append("uploads: " + (", ".join(f"{count} {state}" for state, count in sorted(
            states.items(), key=str)) or "none"))


def whole_list(client, name, bucket):
    """All rows of a bucket; a refused page is asked for again for a while."""
    rows, token, deadline = [], None, time.monotonic() + PATIENCE
    while True:
        try:
            answer = client.list(name, bucket, token=token)
        except Broken as broken:
            answer = SimpleNamespace(status=None, code=str(broken))
        if answer.status == 200:
            rows += listed(answer.body)
            token = element(answer.body, "NextContinuationToken")
            if token is None:
                return rows
        elif time.monotonic() > deadline:
            raise RuntimeError(f"{answer.status} {answer.code}")
        else:
            time.sleep(0.2)
