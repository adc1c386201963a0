"""Every kind of request at once, each on a connection of its own, with its outcome and the time it took."""

import hashlib
import http.client
import random
import re
import socket
import ssl
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

from wire import Wire

BUCKET = "available"
MIB = 1024 * 1024
BODIES = {"small": random.Random(1).randbytes(3000), "3m": random.Random(2).randbytes(3 * MIB),
          "20m": random.Random(3).randbytes(20 * MIB), "part": random.Random(4).randbytes(6 * MIB)}
BYTES = ("put small", "put 3m", "put 20m", "get small", "get 3m", "get 20m", "range 3m", "range 20m", "part")
WORDS = ("create bucket", "head", "list", "delete", "copy", "create upload", "complete", "delete many")
MANY = b"<Delete>" + b"".join(b"<Object><Key>absent/%d</Key></Object>" % i for i in range(20)) + b"</Delete>"
KINDS = BYTES + WORDS  # Those that move object bytes, and those that do not.


class Waiting:
    """The longest time in which no byte moved: what a client waits for others, not for its own bytes."""

    def __init__(self):
        self.begun = self.last = time.monotonic()
        self.longest = 0.0

    def moved(self):
        now = time.monotonic()
        self.longest, self.last = max(self.longest, now - self.last), now


class Shot:
    """What became of one request: an HTTP status, or None where no whole answer came."""

    def __init__(self, kind, label):
        self.kind, self.label = kind, label
        self.status = self.code = self.why = None
        self.seconds = self.waited = 0.0

    @property
    def is_done(self):
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_refused(self):
        """A clean 503: S3's XML, one of the codes that tell a client to try again."""
        return self.status == 503 and self.code in ("ServiceUnavailable", "SlowDown")

    def __str__(self):
        said = self.code or self.why or ""
        return f"{self.label:24} {self.kind:14} {self.status} {said:18} waited {self.waited:.2f} s of {self.seconds:.2f}"


class Requests:
    """Makes the requests; what they need is put there before."""

    def __init__(self, cluster, host="127.0.0.1"):
        self.wire, self.cluster, self.host = Wire(cluster), cluster, host

    def connect(self, seconds=30):
        plain = socket.create_connection((self.host, self.cluster.port), timeout=seconds)
        return self.wire.context.wrap_socket(plain, server_hostname="localhost")

    # ---------------------------------------------------------------- one request

    def ask(self, tls, method, path, body=b"", query="", headers=None, waiting=None):
        """(status, S3 code, body): the whole answer, or an exception."""
        waiting = waiting or Waiting()
        digest = hashlib.sha256(body).hexdigest() if len(body) < 65536 else "UNSIGNED-PAYLOAD"
        head = self.wire.request(method, path, query=query, headers=headers, digest=digest, length=len(body))
        refusal = None
        try:
            tls.sendall(head)
            for offset in range(0, len(body), 262144):
                tls.sendall(body[offset : offset + 262144])
                waiting.moved()
        except (ConnectionError, ssl.SSLError) as error:
            refusal = error  # It may have answered before it had all.
        answer = http.client.HTTPResponse(tls, method=method)
        try:
            answer.begin()
            came = b""
            waiting.moved()
            while piece := answer.read(262144):
                came += piece
                waiting.moved()
            if answer.length:
                raise ConnectionError(f"cut {answer.length} bytes before the end")
        except (OSError, http.client.HTTPException) as error:
            raise ConnectionError(f"{refusal or ''} {error!r}") from error
        code = re.search(rb"<Code>(\w+)</Code>", came) if answer.status >= 300 else None
        return answer.status, code.group(1).decode() if code else None, came

    def must(self, *words, **more):
        with self.connect() as tls:
            status, code, came = self.ask(tls, *words, **more)
        assert 200 <= status < 300, (words[:2], status, code)
        return came

    def create_upload(self, key):
        answer = self.must("POST", f"/{BUCKET}/{key}", query="uploads=")
        return re.search(b"<UploadId>(.*)</UploadId>", answer).group(1).decode()

    def prepare(self):
        self.must("PUT", f"/{BUCKET}")
        for name in ("small", "3m", "20m"):
            self.must("PUT", f"/{BUCKET}/{name}", BODIES[name])

    # ---------------------------------------------------------------- all kinds of them

    def arm(self, label, connect):
        """What the requests of one volley need; connect: their connections now, used once already."""
        volley = {}
        for kind in KINDS:
            ready = {"key": f"{label}/{kind.replace(' ', '-')}"}
            if kind == "delete":
                self.must("PUT", f"/{BUCKET}/{ready['key']}", b"to be deleted")
            if kind in ("part", "complete"):
                ready["upload"] = self.create_upload(ready["key"])
            if kind == "complete":
                self.must("PUT", f"/{BUCKET}/{ready['key']}", b"a part",
                          query=f"partNumber=1&uploadId={ready['upload']}")
            if connect:
                ready["tls"] = self.connect()
                assert self.ask(ready["tls"], "HEAD", f"/{BUCKET}/small")[0] == 200
            volley[kind] = ready
        return volley

    def words_of(self, kind, ready):
        """(method, path, more, the body that has to come back)"""
        path = f"/{BUCKET}/{ready['key']}"
        name = kind.split()[-1]
        if kind.startswith("put"):
            return "PUT", path, {"body": BODIES[name]}, None
        if kind.startswith("get"):
            return "GET", f"/{BUCKET}/{name}", {}, BODIES[name]
        if kind.startswith("range"):
            first, last = (MIB + 5, 2 * MIB + 7) if name == "3m" else (9 * MIB + 11, 13 * MIB + 13)
            return "GET", f"/{BUCKET}/{name}", {"headers": {"range": f"bytes={first}-{last}"}}, BODIES[name][first : last + 1]
        upload = urllib.parse.quote(ready.get("upload", ""), safe="")
        if kind == "complete":
            etag = hashlib.md5(b"a part").hexdigest()
            xml = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
            return "POST", path, {"body": xml.encode(), "query": f"uploadId={upload}"}, None
        return {
            "part": ("PUT", path, {"body": BODIES["part"], "query": f"partNumber=1&uploadId={upload}"}, None),
            "create bucket": ("PUT", "/" + re.sub("[^a-z0-9]+", "-", ready["key"].lower()), {}, None),
            "head": ("HEAD", f"/{BUCKET}/small", {}, None),
            "list": ("GET", f"/{BUCKET}", {"query": "list-type=2&max-keys=5"}, None),
            "delete": ("DELETE", path, {}, None),
            "delete many": ("POST", f"/{BUCKET}", {"query": "delete=", "body": MANY}, None),
            "copy": ("PUT", path, {"headers": {"x-amz-copy-source": f"/{BUCKET}/3m"}}, None),
            "create upload": ("POST", path, {"query": "uploads="}, None),
        }[kind]

    def shoot(self, kind, ready, label):
        shot = Shot(kind, label)
        method, path, more, wanted = self.words_of(kind, ready)
        tls = ready.pop("tls", None)
        waiting = Waiting()
        try:
            with tls or self.connect() as tls:
                status, shot.code, came = self.ask(tls, method, path, waiting=waiting, **more)
            assert wanted is None or status >= 300 or came == wanted, f"{kind}: wrong bytes"
            shot.status = status
            if method == "HEAD" and status == 503:
                shot.code = "ServiceUnavailable"  # No body to say it.
        except (OSError, http.client.HTTPException) as error:
            shot.why = f"{error}"[:60]
        waiting.moved()
        shot.waited, shot.seconds = waiting.longest, waiting.last - waiting.begun
        return shot

    def fire(self, volley, label, kinds=KINDS, more=()):
        """All at once; more: other volleys, by label."""
        volleys = [(label, volley), *more]
        with ThreadPoolExecutor(len(kinds) * len(volleys)) as pool:
            futures = [pool.submit(self.shoot, kind, armed[kind], name) for name, armed in volleys for kind in kinds]
            return [future.result() for future in futures]
