"""Each kind of bad input gets its S3 error, nothing crashes, nothing is stored (A4)."""

import base64
import datetime
import hashlib
import hmac
import http.client
import re
import socket
import ssl
import urllib.parse
import zlib

import pytest
from botocore.exceptions import ClientError


class Signed:
    """A SigV4 client that can be told to do it wrongly."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.access, self.secret = cluster.credentials
        self.context = ssl.create_default_context(cafile=cluster.ca)

    def request(self, method, path, body=b"", query="", headers=None, skew=0, secret=None,
                access=None, digest=None, length=None, sent=None):
        now = datetime.datetime.utcnow() + datetime.timedelta(seconds=skew)
        amz_date, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
        all_headers = {"host": f"localhost:{self.cluster.port}", "x-amz-date": amz_date,
                       "x-amz-content-sha256": digest or hashlib.sha256(body).hexdigest()}
        all_headers.update({k.lower(): v for k, v in (headers or {}).items()})
        signed = ";".join(sorted(all_headers))
        canonical = "\n".join([method, urllib.parse.quote(path, safe="/~-._"), query,
                               *[f"{k}:{all_headers[k].strip()}" for k in sorted(all_headers)], "",
                               signed, all_headers["x-amz-content-sha256"]])
        scope = f"{day}/us-east-1/s3/aws4_request"
        to_sign = "\n".join(["AWS4-HMAC-SHA256", amz_date, scope,
                             hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + (secret or self.secret)).encode()
        for word in (day, "us-east-1", "s3", "aws4_request"):
            key = hmac.new(key, word.encode(), hashlib.sha256).digest()
        signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
        all_headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={access or self.access}/{scope}, "
            f"SignedHeaders={signed}, Signature={signature}")
        return self.send(method, path + ("?" + query if query else ""), all_headers, body, length, sent)

    def send(self, method, target, headers, body=b"", length=None, sent=None):
        connection = http.client.HTTPSConnection("localhost", self.cluster.port, timeout=20,
                                                 context=self.context)
        connection.putrequest(method, urllib.parse.quote(target, safe="/~-._?=&%"), skip_host=True,
                              skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if "transfer-encoding" not in headers:
            connection.putheader("content-length", str(len(body) if length is None else length))
        connection.endheaders()
        connection.send(body if sent is None else sent)
        if sent is not None and len(sent) < (length or len(body)):
            connection.sock.shutdown(socket.SHUT_WR)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        code = re.search(r"<Code>(\w+)</Code>", text)
        connection.close()
        return answer.status, code.group(1) if code else None, text


@pytest.fixture
def signed(shared):
    return Signed(shared)


def absent(shared, bucket, key="k"):
    with pytest.raises(ClientError) as error:
        shared.s3().head_object(Bucket=bucket, Key=key)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_right_signature_works(shared, bucket, signed):
    assert signed.request("PUT", f"/{bucket}/k", b"hello")[0] == 200
    assert signed.request("GET", f"/{bucket}/k")[2] == "hello"


def test_wrong_signature(shared, bucket, signed):
    assert signed.request("PUT", f"/{bucket}/k", b"x", secret="wrong")[:2] == (403, "SignatureDoesNotMatch")
    absent(shared, bucket)


def test_skewed_clock(bucket, signed):
    for skew in (-16 * 60, 16 * 60):
        assert signed.request("GET", f"/{bucket}/k", skew=skew)[:2] == (403, "RequestTimeTooSkewed")


def test_unknown_key(bucket, signed):
    assert signed.request("GET", f"/{bucket}/k", access="A" * 20)[:2] == (403, "InvalidAccessKeyId")


def test_unsigned_request(bucket, signed):
    answer = signed.send("GET", f"/{bucket}/k", {"host": "localhost"})
    assert answer[:2] == (403, "AccessDenied")


def test_missing_bucket(signed):
    assert signed.request("GET", "/no-such-bucket/k")[:2] == (404, "NoSuchBucket")
    assert signed.request("PUT", "/no-such-bucket/k", b"x")[:2] == (404, "NoSuchBucket")
    # Whoever is not authenticated is not told.
    assert signed.request("GET", "/no-such-bucket/k", secret="wrong")[1] == "SignatureDoesNotMatch"


def test_too_long_key(bucket, signed):
    assert signed.request("PUT", f"/{bucket}/" + "k" * 1025, b"x")[:2] == (400, "KeyTooLongError")


def test_bad_ranges(shared, bucket, signed):
    shared.s3().put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    assert signed.request("GET", f"/{bucket}/k", headers={"range": "bytes=10-"})[:2] == (416, "InvalidRange")
    # A range that cannot be parsed is ignored, as RFC 9110 says.
    assert signed.request("GET", f"/{bucket}/k", headers={"range": "lines=1-2"})[0] == 200


def test_wrong_digests(shared, bucket, signed):
    put = lambda **words: signed.request("PUT", f"/{bucket}/k", b"body", **words)[:2]  # noqa: E731
    wrong_md5 = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    assert put(headers={"content-md5": wrong_md5}) == (400, "BadDigest")
    assert put(headers={"content-md5": "nonsense"}) == (400, "InvalidDigest")
    wrong_crc = base64.b64encode(zlib.crc32(b"other").to_bytes(4, "big")).decode()
    assert put(headers={"x-amz-checksum-crc32": wrong_crc}) == (400, "BadDigest")
    assert put(digest=hashlib.sha256(b"other").hexdigest()) == (400, "XAmzContentSHA256Mismatch")
    absent(shared, bucket)
    right_md5 = base64.b64encode(hashlib.md5(b"body").digest()).decode()
    right_crc = base64.b64encode(zlib.crc32(b"body").to_bytes(4, "big")).decode()
    assert put(headers={"content-md5": right_md5, "x-amz-checksum-crc32": right_crc})[0] == 200


def trailer_put(signed, bucket, body, trailer, decoded=None):
    framed = b"%x\r\n%s\r\n0\r\n%s\r\n\r\n" % (len(body), body, trailer)
    return signed.request(
        "PUT", f"/{bucket}/k", framed, digest="STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        headers={"content-encoding": "aws-chunked", "x-amz-trailer": "x-amz-checksum-crc32",
                 "x-amz-decoded-content-length": str(len(body) if decoded is None else decoded)})


def test_checksum_trailer(shared, bucket, signed):
    """What SDKs since 2025 send by default."""
    body = b"z" * 100000
    crc = base64.b64encode(zlib.crc32(body).to_bytes(4, "big"))
    wrong = base64.b64encode(zlib.crc32(b"y").to_bytes(4, "big"))
    assert trailer_put(signed, bucket, body, b"x-amz-checksum-crc32:" + wrong)[:2] == (400, "BadDigest")
    assert trailer_put(signed, bucket, body, b"x-amz-checksum-crc32:" + crc, decoded=7)[0] == 400
    absent(shared, bucket)
    assert trailer_put(signed, bucket, body, b"x-amz-checksum-crc32:" + crc)[0] == 200
    got = shared.s3().get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == body and "ContentEncoding" not in got


def test_truncated_body(shared, bucket, signed):
    try:
        status, code, _ = signed.request("PUT", f"/{bucket}/k", b"", length=100000, sent=b"x" * 50000,
                                         digest="UNSIGNED-PAYLOAD")
        assert (status, code) == (400, "IncompleteBody")
    except (http.client.HTTPException, OSError):
        pass  # Or the connection just ends.
    absent(shared, bucket)


def test_malformed_xml(shared, bucket, signed):
    s3 = shared.s3()
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    for text in (b"<CompleteMultipartUpload><Part>", b"not xml", b"",
                 b'<!DOCTYPE x [<!ENTITY e "e">]><CompleteMultipartUpload>&e;</CompleteMultipartUpload>',
                 b"<Other/>"):
        assert signed.request("POST", f"/{bucket}/k", text, query=f"uploadId={upload}")[:2] == \
            (400, "MalformedXML"), text


def test_bucket_name_rules(signed):
    for name in ("ab", "UPPER", "under_score", "a..b", "-a", "192.168.1.1", "x" * 64):
        assert signed.request("PUT", f"/{name}")[:2] == (400, "InvalidBucketName"), name


def test_unknown_operations(bucket, signed):
    for query in ("acl=", "policy=", "tagging="):
        assert signed.request("PUT", f"/{bucket}", b"", query=query)[:2] == (501, "NotImplemented")
    assert signed.request("PATCH", f"/{bucket}/k")[0] in (405, 501)


# ------------------------------------------------------------------ HTTP itself


def raw(shared, data, seconds=10):
    """Send bytes over TLS; the status line's code, and whether the connection was closed."""
    context = ssl.create_default_context(cafile=shared.ca)
    with socket.create_connection(("127.0.0.1", shared.port), timeout=seconds) as plain, \
            context.wrap_socket(plain, server_hostname="localhost") as tls:
        got = b""
        try:
            tls.sendall(data)
            while piece := tls.recv(65536):
                got += piece
            closed = True
        except socket.timeout:
            closed = False
        except (ssl.SSLError, ConnectionResetError):
            closed = True
    status = re.match(rb"HTTP/1\.[01] (\d{3})", got)
    return int(status.group(1)) if status else None, closed


@pytest.mark.parametrize("head, wanted", [
    (b"GET / HTTP/1.1\r\n\r\n", {400}),
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", {400}),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n", {400}),
    (b"GET / HTTP/1.1\r\nHost: a\r\n: empty\r\n\r\n", {400}),
    (b"PUT /b/k HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", {400, 501}),
    (b"PUT /b/k HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400, 501}),
    (b"PUT /b/k HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
    (b"PUT /b/k HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", {400}),
    (b"PUT /b/k HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\nabc", {400}),
    (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", {400, 505}),
    (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", {400}),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", {400}),
    (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X%d: 1\r\n" % i for i in range(120)) + b"\r\n", {431}),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 20000 + b"\r\n\r\n", {431}),
    (b"GET /" + b"y" * 20000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", {400, 414, 431}),
    (b"\x16\x03\x01 junk\r\n\r\n", {400, 501}),
])
def test_heads_that_are_refused(shared, head, wanted):
    status, closed = raw(shared, head)
    assert status in wanted and closed


def test_expectation_of_an_empty_body(shared):
    """Met with 100 like any other: botocore loses count of a connection's answers otherwise."""
    context = ssl.create_default_context(cafile=shared.ca)
    with socket.create_connection(("127.0.0.1", shared.port), timeout=5) as plain, \
            context.wrap_socket(plain, server_hostname="localhost") as tls:
        tls.sendall(b"PUT /b/k HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n")
        assert tls.recv(4096).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")


def test_still_alive(shared):
    """After all of it every process is the one that was started."""
    for name in shared.names:
        assert shared.health(name).startswith("ready"), name
        assert "check failed" not in shared.log(name)
