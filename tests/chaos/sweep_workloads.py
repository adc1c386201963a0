"""The operations that a sweep kills a daemon in. Each has a preparation, which runs unharmed, and one
operation, whose answer the model is told."""

import hashlib
import time

from client import Answer, element
from sweep_model import ABSENT, WITHIN, Wrong, said

SMALL, LARGE, PART = 20_000, 3 * 1024 * 1024, 5 * 1024 * 1024


class Put:
    """A new object, small enough to be stored as copies."""
    name, length = "put", SMALL
    spoils = False  # True: a failed write of the target comes before.

    def __init__(self, model, frontend, tag, deployment=None):
        self.deployment = deployment
        self.model, self.client, self.frontend = model, model.client, frontend
        self.key, self.value = f"{self.name}-{tag}", f"{self.name}-{tag}-new"

    def prepare(self):
        """Leaves nothing to chance that is not the operation's."""

    def run(self):
        return self.client.put(self.frontend, self.model.bucket, self.key,
                               self.model.body(self.value, self.length), self.value)

    def told(self, answer):
        self.model.apply(self.key, self.value, answer)
        if 400 <= answer.status < 500:
            raise Wrong(f"{self.name} {self.key}: {said(answer)}: the request was a good one")

    def follow(self, deadline):
        """What must be possible afterwards."""


class PutLarge(Put):
    """A new object of several chunks."""
    name, length = "large", LARGE


class Roll(Put):
    """A new object after a write that failed: a log begins a new segment for it."""
    name, spoils = "roll", True


class Overwrite(Put):
    """Other bytes under a name that has some."""
    name, length = "overwrite", SMALL + 1

    def prepare(self):
        value = f"{self.key}-old"
        must(self.client.put(self.frontend, self.model.bucket, self.key, self.model.body(value, SMALL),
                             value))
        self.model.allowed[self.key] = {value}


class Delete(Overwrite):
    name = "delete"

    def run(self):
        return self.client.delete(self.frontend, self.model.bucket, self.key)

    def told(self, answer):
        self.value = ABSENT
        super().told(answer)

    def follow(self, deadline):
        """It can be deleted again, whatever became of it."""
        self.model.may_become(self.key, ABSENT)
        self.model.insist(lambda: self.client.delete(self.frontend, self.model.bucket, self.key),
                          (204,), f"DELETE {self.key} again", deadline)
        self.model.allowed[self.key] = {ABSENT}


class Complete(Put):
    """CompleteMultipartUpload of two parts that were acknowledged."""
    name = "complete"

    def prepare(self):
        bucket = self.model.bucket
        whole = self.model.body(self.value, PART + SMALL)
        answer = must(self.client.create_upload(self.frontend, bucket, self.key, self.value))
        self.upload = element(answer.body, "UploadId")
        self.etags = [
            must(self.client.put_part(self.frontend, bucket, self.key, self.upload, number, body)).headers["etag"]
            for number, body in ((1, whole[:PART]), (2, whole[PART:]))]

    def run(self):
        return self.client.complete_upload(self.frontend, self.model.bucket, self.key, self.upload,
                                           [etag.strip('"') for etag in self.etags])

    def follow(self, deadline):
        """A client that got no answer asks again: what the parts held is not lost, and not doubled."""
        before = self.model.now(self.key)
        self.model.may_become(self.key, self.value)
        answer = self.model.insist(self.run, (200, 404), f"Complete of {self.key} again", deadline)
        if answer.status == 404 and before != {self.value}:
            raise Wrong(f"Complete of {self.key} again: {said(answer)}, but the object is not there")
        self.model.allowed[self.key] = {self.value}


class Reopen(Overwrite):
    """The content DB is killed and opens its shard again: that is recorded by the key store."""
    name = "reopen"

    def run(self):
        end = time.monotonic() + 2 * WITHIN  # The key store may have to come back first.
        self.deployment.kill("contentdb")
        self.deployment.launch("contentdb")
        while not self.deployment.ready("contentdb"):
            if time.monotonic() > end or not self.deployment.alive("contentdb"):
                return Answer(0, "content DB not ready", {}, b"")
            time.sleep(0.02)
        return Answer(200, None, {}, b"")

    def told(self, answer):
        if answer.status != 200:
            raise Wrong("A2: the content DB does not open its shard while the key store is struck")


class Account(Overwrite):
    """An operator adds a blob account: key store, blob node and content DB each keep something of it."""
    name = "account"

    def run(self):
        """Its id is drawn once: adding is repeated until it is done."""
        it = self.deployment
        ident = hashlib.sha256(f"{self.key}-{it.data}".encode()).hexdigest()[:32]
        done = it.triad("account", "add", "--address", it.way("*", "blob1"), "--tls-name",
                        "blob1.blobnode.triad", "--account", ident, check=False)
        return Answer(503 if done.returncode else 200, (done.stdout + done.stderr)[-300:], {}, b"")

    def told(self, answer):
        """No object changes."""

    def follow(self, deadline):
        self.model.insist(self.run, (200,), "account add again", deadline)


class NotPrepared(Exception):
    """A preparation, which nothing disturbs, was refused."""


def must(answer):
    if not 200 <= answer.status < 300:
        raise NotPrepared(f"not prepared: {said(answer)}")
    return answer


ALL = {one.name: one for one in (Put, PutLarge, Overwrite, Complete, Delete, Roll, Reopen, Account)}
