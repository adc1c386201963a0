"""A small S3 client that never repeats a request and tells exactly what is known of each.

SigV4 in the header, HTTP/1.1 on TLS, one kept connection for each endpoint. Not for more than one thread.
"""

import datetime
import hashlib
import hmac
import html
import re
import select
import socket
import ssl
import urllib.parse
from collections import namedtuple

SECONDS = 15            # To connect, and between two bytes.
SEND_STEP = 128 * 1024
HEAD_MAX = 64 * 1024
REGION = "us-east-1"

Answer = namedtuple("Answer", "status code headers body")


class Broken(Exception):
    """No whole answer came. What is known: how it broke, how far the request got, what did come."""

    def __init__(self, how, text, is_sent, status=None, headers=None, body=b""):
        super().__init__(f"{how}: {text}")
        self.how = how                # connect, send, reset, timeout, short (a body that ends early), garbled
        self.is_sent = is_sent        # False: the server cannot have had the whole request.
        self.status, self.headers, self.body = status, headers or {}, body


def quote(text):
    return urllib.parse.quote(text, safe="-._~")


class Connection:
    """One TLS connection; `request` once at a time."""

    def __init__(self, address, context, seconds):
        try:
            plain = socket.create_connection(address, seconds)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                self.tls = context.wrap_socket(plain, server_hostname=address[0])
            except BaseException:
                plain.close()
                raise
        except (OSError, ValueError) as error:
            raise Broken("connect", str(error) or type(error).__name__, False) from None
        self.seconds, self.rest = seconds, b""

    def close(self):
        self.tls.close()

    def poll(self):
        """What has come unasked, without waiting: None for nothing, b"" at the end."""
        if not self.tls.pending() and not select.select([self.tls], [], [], 0)[0]:
            return None
        self.tls.settimeout(0)
        try:
            return self.tls.recv(16384)
        except (ssl.SSLWantReadError, BlockingIOError):  # A session ticket only.
            return None
        except OSError:
            return b""
        finally:
            self.tls.settimeout(self.seconds)

    def send(self, head, body):
        """True if all was handed over; false if the answer, or the end, came before that."""
        view, position = memoryview(body), 0
        try:
            self.tls.sendall(head)
            while position < len(view):
                early = self.poll()
                if early is not None:
                    self.rest += early
                    return False
                self.tls.sendall(view[position:position + SEND_STEP])
                position += SEND_STEP
        except OSError:   # There may be an answer all the same.
            return position >= len(view)
        return True

    def receive(self, is_sent):
        """Some bytes; b"" at the end."""
        try:
            return self.tls.recv(65536)
        except (socket.timeout, TimeoutError) as error:
            raise Broken("timeout", str(error), is_sent) from None
        except OSError as error:
            raise Broken("reset", str(error) or type(error).__name__, is_sent) from None

    def answer(self, has_body, is_sent):
        """(status, headers, body) of the next answer."""
        while b"\r\n\r\n" not in self.rest:
            got = self.receive(is_sent)
            if not got:
                raise Broken("reset", "the end before an answer", is_sent)
            self.rest += got
            if len(self.rest) > HEAD_MAX and b"\r\n\r\n" not in self.rest:
                raise Broken("garbled", "no end of the head", is_sent)
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        found = re.fullmatch(r"HTTP/1\.1 (\d{3})(?: .*)?", first)
        if found is None:
            raise Broken("garbled", first[:100], is_sent)
        status = int(found.group(1))
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if not has_body or status in (204, 304):
            return status, headers, b""
        if not headers.get("content-length", "").isdigit():
            raise Broken("garbled", "no length of the body", is_sent, status, headers)
        return status, headers, self.body(int(headers["content-length"]), status, headers, is_sent)

    def body(self, length, status, headers, is_sent):
        got = bytearray(self.rest[:length])
        self.rest = self.rest[length:]
        while len(got) < length:
            try:
                more = self.receive(is_sent)
            except Broken as broken:
                raise Broken(broken.how, f"after {len(got)} of {length} bytes", is_sent, status, headers,
                             bytes(got)) from None
            if not more:
                raise Broken("short", f"{len(got)} of {length} bytes", is_sent, status, headers, bytes(got))
            got += more
            if len(got) > length:
                self.rest = bytes(got[length:])
                del got[length:]
        return bytes(got)


class Client:
    def __init__(self, endpoints, ca, access_key, secret_key, seconds=SECONDS):
        self.endpoints = {endpoint.name: endpoint for endpoint in endpoints}
        self.access_key, self.secret_key, self.seconds = access_key, secret_key, seconds
        self.context = ssl.create_default_context(cafile=str(ca))
        self.connections, self.signing_key = {}, (None, None)

    @classmethod
    def of(cls, deployment, seconds=SECONDS):
        return cls(deployment.endpoints, deployment.ca, deployment.access_key, deployment.secret_key, seconds)

    def close(self):
        for connection in self.connections.values():
            connection.close()
        self.connections = {}

    # ---------------------------------------------------------------- one request

    def key_of(self, day):
        """The signing key of a day, made once."""
        if self.signing_key[0] != day:
            key = ("AWS4" + self.secret_key).encode()
            for word in (day, REGION, "s3", "aws4_request"):
                key = hmac.digest(key, word.encode(), "sha256")
            self.signing_key = (day, key)
        return self.signing_key[1]

    def head(self, endpoint, method, path, query, headers, digest, length):
        """The request's head, signed; all headers are."""
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        host = f"{endpoint.host}:{endpoint.port}"
        signed = {"host": host, "x-amz-date": now, "x-amz-content-sha256": digest, **headers}
        names, scope = sorted(signed), f"{now[:8]}/{REGION}/s3/aws4_request"
        canonical = "\n".join([method, path, query, *[f"{name}:{signed[name]}" for name in names], "",
                               ";".join(names), digest])
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.new(self.key_of(now[:8]), text.encode(), "sha256").hexdigest()
        lines = [f"{method} {path}{'?' if query else ''}{query} HTTP/1.1",
                 *[f"{name}: {value}" for name, value in signed.items()], f"content-length: {length}",
                 f"authorization: AWS4-HMAC-SHA256 Credential={self.access_key}/{scope}, "
                 f"SignedHeaders={';'.join(names)}, Signature={signature}", "", ""]
        return "\r\n".join(lines).encode()

    def connection(self, endpoint):
        """The kept connection if it still lives, else a new one."""
        kept = self.connections.get(endpoint.name)
        if kept is not None and kept.poll() is None:
            return kept
        if kept is not None:
            kept.close()
            del self.connections[endpoint.name]
        made = Connection((endpoint.host, endpoint.port), self.context, self.seconds)
        self.connections[endpoint.name] = made
        return made

    def request(self, name, method, bucket, key="", query=None, headers=None, body=b"", signed=True):
        """The Answer of the frontend of that name, or Broken. Nothing is ever sent twice."""
        endpoint = self.endpoints[name]
        path = f"/{quote(bucket)}" + (f"/{urllib.parse.quote(key, safe='/-._~')}" if key else "")
        words = "&".join(f"{quote(word)}={quote(value)}" for word, value in sorted((query or {}).items()))
        digest = hashlib.sha256(body).hexdigest() if signed else "UNSIGNED-PAYLOAD"
        head = self.head(endpoint, method, path, words, headers or {}, digest, len(body))
        connection = self.connection(endpoint)
        is_kept = False
        try:
            if len(body) <= 8192:
                is_sent = connection.send(head + body, b"")
            else:
                is_sent = connection.send(head, body)
            status, got, data = connection.answer(method != "HEAD", is_sent)
            is_kept = is_sent and got.get("connection", "").lower() != "close" and not connection.rest
        finally:
            if not is_kept:
                connection.close()
                del self.connections[name]
        return Answer(status, code_of(status, data), got, data)

    # ---------------------------------------------------------------- operations

    def create_bucket(self, name, bucket):
        return self.request(name, "PUT", bucket)

    def put(self, name, bucket, key, body, value, if_absent=False, signed=False):
        headers = {"x-amz-meta-value": value, **({"if-none-match": "*"} if if_absent else {})}
        return self.request(name, "PUT", bucket, key, headers=headers, body=body, signed=signed)

    def get(self, name, bucket, key, span=None):
        """span: (first, last) byte, both included."""
        headers = {"range": f"bytes={span[0]}-{span[1]}"} if span else None
        return self.request(name, "GET", bucket, key, headers=headers)

    def head_object(self, name, bucket, key):
        return self.request(name, "HEAD", bucket, key)

    def delete(self, name, bucket, key):
        return self.request(name, "DELETE", bucket, key)

    def copy(self, name, bucket, key, source, value):
        """source: (bucket, key). The copy has a value id of its own, the body names the source's."""
        return self.request(name, "PUT", bucket, key, headers={
            "x-amz-copy-source": f"/{quote(source[0])}/{urllib.parse.quote(source[1], safe='/-._~')}",
            "x-amz-metadata-directive": "REPLACE", "x-amz-meta-value": value})

    def create_upload(self, name, bucket, key, value):
        return self.request(name, "POST", bucket, key, {"uploads": ""}, {"x-amz-meta-value": value})

    def put_part(self, name, bucket, key, upload, number, body, signed=False):
        return self.request(name, "PUT", bucket, key, {"partNumber": str(number), "uploadId": upload},
                            body=body, signed=signed)

    def complete_upload(self, name, bucket, key, upload, etags):
        parts = "".join(f"<Part><PartNumber>{number}</PartNumber><ETag>&quot;{etag}&quot;</ETag></Part>"
                        for number, etag in enumerate(etags, 1))
        return self.request(name, "POST", bucket, key, {"uploadId": upload}, body=(
            f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>").encode())

    def abort_upload(self, name, bucket, key, upload):
        return self.request(name, "DELETE", bucket, key, {"uploadId": upload})

    def list_uploads(self, name, bucket):
        return self.request(name, "GET", bucket, query={"uploads": ""})

    def list(self, name, bucket, prefix="", limit=1000, token=None):
        query = {"list-type": "2", "prefix": prefix, "max-keys": str(limit)}
        return self.request(name, "GET", bucket, query={**query, **({"continuation-token": token} if token else {})})


def code_of(status, body):
    """The S3 error's name; also of an error that came under status 200."""
    if status >= 300 or body[:300].find(b"<Error>") >= 0:
        found = re.search(rb"<Code>(\w+)</Code>", body)
        return found.group(1).decode() if found else None
    return None


def element(body, name):
    found = re.search(rf"<{name}>([^<]*)</{name}>".encode(), body)
    return html.unescape(found.group(1).decode()) if found else None


def listed(body):
    """[key, etag, size] of each object of a listing, in its order."""
    rows = re.findall(rb"<Contents>(.*?)</Contents>", body, re.S)
    return [[element(row, "Key"), element(row, "ETag").strip('"'), int(element(row, "Size"))] for row in rows]


def uploads_listed(body):
    """Upload ids of a list of uploads."""
    return [element(row, "UploadId") for row in re.findall(rb"<Upload>(.*?)</Upload>", body, re.S)]
