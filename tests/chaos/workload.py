"""Clients that contend for a few keys through all frontends, and write down what they did and saw.

What a client does next is drawn from the seed (plan.py); when, and what becomes of it, is the cluster's.
"""

import hashlib
import random
import re
import secrets
import threading
import time
from dataclasses import replace

import bodies
import plan
from client import Broken, Client, element, listed
from history import PRESENT, Operation
from reading import detail_of, judge_read, outcome_of_write

OPERATIONS_MAX = 80     # On one key; the reads of the end come on top.
CONCURRENT_MAX = 8      # On one key at a time.
THINK = 0.06            # Mean seconds between two calls of a client: the cluster shares these cores and this disk.
LEFT_KEYS = "left/"     # Uploads that nobody completes, on keys where nothing else ever is.


def now():
    return time.monotonic_ns()


class Keys:
    """The working set: for each slot a key, and a fresh one when it has had its share."""

    def __init__(self, slots, buckets):
        self.slots, self.buckets, self.lock = slots, buckets, threading.Lock()
        self.generation, self.used, self.busy = [0] * len(slots), [0] * len(slots), {}

    def name(self, slot):
        bucket, stem = self.slots[slot]
        return self.buckets[bucket], f"{stem}-{self.generation[slot]:03d}"

    def take(self, slot):
        """The slot's key for one operation; `give` it back."""
        with self.lock:
            if self.used[slot] >= OPERATIONS_MAX or self.busy.get(self.name(slot), 0) >= CONCURRENT_MAX:
                self.generation[slot] += 1
                self.used[slot] = 0
            self.used[slot] += 1
            key = self.name(slot)
            self.busy[key] = self.busy.get(key, 0) + 1
            return key

    def give(self, key):
        with self.lock:
            self.busy[key] -= 1


class Workload:
    def __init__(self, deployment, history, seed, clients=8, sizes=plan.SIZES, kinds=None, think=THINK):
        self.deployment, self.history, self.think = deployment, history, think
        self.plan = plan.Plan(seed, len(deployment.endpoints), sizes, kinds)
        # Buckets of this run alone: a history begins with nothing.
        run = f"chaos-{re.sub('[^a-z0-9]', '', str(seed).lower())[:20]}-{secrets.token_hex(3)}"
        self.buckets = [f"{run}-{letter}" for letter in "ab"]
        self.keys = Keys(self.plan.slots, self.buckets)
        self.errors, self.stopping = [], threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(number,), daemon=True)
                        for number in range(clients)]

    def start(self):
        client = Client.of(self.deployment)
        for bucket in self.buckets:
            self.make_bucket(client, bucket)
        client.close()
        for thread in self.threads:
            thread.start()

    def make_bucket(self, client, bucket, seconds=20):
        deadline, name = time.monotonic() + seconds, self.deployment.endpoints[0].name
        while True:
            try:
                answer = client.create_bucket(name, bucket)
            except Broken as broken:
                answer = broken
            if answer.status == 200 or getattr(answer, "code", None) == "BucketAlreadyOwnedByYou":
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"no bucket {bucket}: {detail_of(answer)}")
            time.sleep(0.3)

    def stop(self, seconds=60):
        """Ends all clients; what is under way ends by itself, or stays open in the history."""
        self.stopping.set()
        deadline = time.monotonic() + seconds
        for thread in self.threads:
            if thread.ident is not None:
                thread.join(max(0.1, deadline - time.monotonic()))
        late = [thread.name for thread in self.threads if thread.is_alive()]
        if self.errors or late:
            raise RuntimeError(f"the workload broke: {self.errors[:3]}, still running: {late}")

    def counts(self):
        """Kind -> outcome -> how many."""
        table = {}
        for one in self.history.operations:
            row = table.setdefault(one.kind, {})
            row[one.outcome] = row.get(one.outcome, 0) + 1
        return table

    def run(self, number):
        worker = Worker(self, number)
        try:
            worker.run()
        except Exception as error:  # noqa: BLE001: told by stop().
            self.errors.append(f"client {number}: {type(error).__name__}: {error}")
            raise
        finally:
            worker.client.close()


class Worker:
    """One client."""

    def __init__(self, workload, number):
        self.workload, self.history, self.number = workload, workload.history, number
        self.client, self.count = Client.of(workload.deployment), 0
        self.names = [endpoint.name for endpoint in workload.deployment.endpoints]
        self.patience = random.Random(number)   # Of its own: waiting must not change what is drawn.

    def run(self):
        for intent in self.workload.plan.intents(self.number):
            if self.workload.stopping.wait(self.workload.think * intent.pause):
                return
            self.count += 1
            if not self.perform(intent):  # Out of order for now: do not fill the history with that.
                self.workload.stopping.wait(self.patience.uniform(0.1, 0.5))

    def perform(self, intent):
        """One operation; whether the cluster is in order."""
        if intent.kind == "list":
            return self.list(intent)
        if intent.kind == "keep":
            key = (self.workload.buckets[intent.slot % 2], f"{plan.KEPT}{self.value()}")
            return self.put(replace(intent, kind="put"), key)
        keys = self.workload.keys
        key = keys.take(intent.slot)
        try:
            if intent.kind == "copy":
                source = keys.take(intent.source)
                try:
                    return self.copy(intent, key, source)
                finally:
                    keys.give(source)
            step = {"get": self.read, "range": self.read, "head": self.read, "delete": self.delete,
                    "put": self.put, "put_new": self.put, "multipart": self.multipart}[intent.kind]
            return step(intent, key)
        finally:
            keys.give(key)

    # ---------------------------------------------------------------- the history

    def begin(self, intent, key, **more):
        """Into the history before the first byte leaves: what never ends is in it too."""
        return self.history.record(Operation(f"c{self.number}", self.names[intent.endpoint], intent.kind,
                                             key[0], key[1], now(), **more))

    def call(self, function, *words, **more):
        try:
            return function(*words, **more)
        except Broken as broken:
            return broken

    def end_write(self, operation, answer):
        operation.detail.update(detail_of(answer))
        operation.outcome = outcome_of_write(answer)
        operation.end = now()
        return (answer.status or 500) < 500

    def value(self):
        return f"c{self.number}.{self.count}"

    # ---------------------------------------------------------------- operations

    def put(self, intent, key):
        value = self.value()
        body = bodies.make(value, "/".join(key), intent.size)
        etag, is_new = hashlib.md5(body).hexdigest(), intent.kind == "put_new"
        operation = self.begin(intent, key, wrote=value, etag=etag, length=len(body), bytes=len(body))
        answer = self.call(self.client.put, operation.endpoint, *key, body, value, is_new, intent.is_signed)
        if is_new and answer.status == 412:
            operation.read = PRESENT
        if answer.status == 200 and answer.headers.get("etag") != f'"{etag}"':
            operation.problem = f"acknowledged with ETag {answer.headers.get('etag')} instead of {etag}"
        return self.end_write(operation, answer)

    def read(self, intent, key):
        # What lies there may be of any size: a range is drawn for one of the intended sizes.
        first = int(intent.first * intent.size)
        span = (first, first + intent.span - 1) if intent.kind == "range" else None
        operation = self.begin(intent, key)
        if intent.kind == "head":
            answer = self.call(self.client.head_object, operation.endpoint, *key)
        else:
            answer = self.call(self.client.get, operation.endpoint, *key, span)
        end = now()
        judge_read(operation, self.history, answer, span)
        operation.end = end
        return (answer.status or 500) < 500

    def delete(self, intent, key):
        operation = self.begin(intent, key)
        return self.end_write(operation, self.call(self.client.delete, operation.endpoint, *key))

    def copy(self, intent, key, source):
        value = self.value()
        operation = self.begin(intent, key, wrote=value, source=list(source))
        answer = self.call(self.client.copy, operation.endpoint, *key, source, value)
        if answer.status == 200 and (etag := element(answer.body, "ETag")):
            told = self.history.contents(etag.strip('"'))
            operation.content = sorted({content[0] for content in told})
            if not told:
                operation.problem = f"copied an ETag {etag} of nothing that was ever sent"
        return self.end_write(operation, answer)

    def list(self, intent):
        """A whole listing, each page a call of its own."""
        bucket, token, after = self.workload.buckets[intent.slot % 2], None, None
        for _ in range(20):
            operation = self.begin(intent, (bucket, intent.prefix))
            operation.detail.update(limit=intent.limit, after=after)
            answer = self.call(self.client.list, operation.endpoint, bucket, intent.prefix, intent.limit, token)
            operation.detail.update(detail_of(answer))
            operation.outcome = "fail"
            if answer.status == 200 and not isinstance(answer, Broken):
                operation.listed, operation.outcome = listed(answer.body), "ok"
                token = element(answer.body, "NextContinuationToken")
                operation.detail["truncated"] = element(answer.body, "IsTruncated") == "true"
                after = operation.listed[-1][0] if operation.listed else after
            operation.end = now()
            if operation.outcome == "fail" or not operation.detail["truncated"] or self.workload.stopping.is_set():
                break
        return (answer.status or 500) < 500

    # ---------------------------------------------------------------- multipart

    def multipart(self, intent, key):
        """An upload in two parts; its operation begins with the Complete, which alone may show it."""
        if intent.ending == "leave":
            key = (key[0], f"{LEFT_KEYS}{self.value()}")
        elif intent.is_signed:
            key = (key[0], f"{plan.KEPT}{self.value()}")
        value = self.value()
        body = bodies.make(value, "/".join(key), intent.size)
        parts = [body[:plan.PART], body[plan.PART:]]
        sums = [hashlib.md5(part) for part in parts]
        joined = hashlib.md5(b"".join(one.digest() for one in sums)).hexdigest()
        operation = Operation(f"c{self.number}", self.names[intent.endpoint], "multipart", key[0], key[1], now(),
                              wrote=value, etag=f"{joined}-2", length=len(body), bytes=0,
                              detail={"md5": hashlib.md5(body).hexdigest(), "ending": intent.ending})
        answer = self.upload_parts(intent, operation, parts, sums)
        is_up = answer is None
        if not is_up or intent.ending in ("abort", "leave"):
            answer = self.give_up(operation, answer, intent.ending)
            operation.outcome, operation.end = "fail", now()
            self.history.record(operation)
            return is_up and (answer is None or (answer.status or 500) < 500)
        operation.start = now()
        self.history.record(operation)
        return self.complete(intent, operation, [one.hexdigest() for one in sums])

    def upload_parts(self, intent, operation, parts, sums):
        """None when all parts are up; else the answer that ended it."""
        name, bucket, key = operation.endpoint, operation.bucket, operation.key
        answer = self.call(self.client.create_upload, name, bucket, key, operation.wrote)
        upload = element(answer.body, "UploadId") if answer.status == 200 else None
        if upload is None:
            return answer
        operation.detail["upload"] = upload
        for number, part in enumerate(parts, 1):
            # Parts go through whatever frontend comes next: an upload belongs to none of them.
            name = self.names[(intent.endpoint + number) % len(self.names)]
            answer = self.call(self.client.put_part, name, bucket, key, upload, number, part, intent.first < 0.25)
            operation.bytes += len(part)
            if answer.status != 200:
                return answer
            if answer.headers.get("etag") != f'"{sums[number - 1].hexdigest()}"':
                operation.problem = f"part {number} acknowledged with ETag {answer.headers.get('etag')}"
        return None

    def give_up(self, operation, answer, ending):
        """Leaves the upload as it is, or aborts it; says in the history which."""
        operation.detail.update(detail_of(answer) if answer is not None else {})
        state = "left" if operation.detail.get("upload") else "never created"
        if ending == "abort" and answer is None:
            answer = self.call(self.client.abort_upload, operation.endpoint, operation.bucket, operation.key,
                               operation.detail["upload"])
            operation.detail.update(detail_of(answer))
            state = "aborted" if answer.status == 204 else "abort unknown"
        operation.detail["state"] = state
        return answer

    def complete(self, intent, operation, etags):
        """Completes; if the outcome is unknown, or as drawn, once more: it must be the same upload."""
        def once(name):
            return self.call(self.client.complete_upload, name, operation.bucket, operation.key,
                             operation.detail["upload"], etags)
        answers = [once(operation.endpoint)]
        if intent.ending == "complete twice" or outcome_of_write(answers[0]) == "unknown":
            operation.detail["is_repeat"] = True
            answers.append(once(self.names[(intent.endpoint + 1) % len(self.names)]))
        for answer in answers:
            if answer.status == 200 and (element(answer.body, "ETag") or "").strip('"') != operation.etag:
                operation.problem = f"completed with ETag {element(answer.body, 'ETag')} instead of {operation.etag}"
        # What one of them knows for certain holds for the upload.
        answer = min(answers, key=lambda one: ("ok", "unknown", "fail").index(outcome_of_write(one)))
        operation.detail["state"] = "completed" if outcome_of_write(answer) == "ok" else "complete unknown"
        return self.end_write(operation, answer)
