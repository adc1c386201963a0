"""Ways to sign other than the plain header: presigned URLs, and bodies signed chunk by chunk."""

import datetime
import hashlib
import hmac
import ssl
import urllib.error
import urllib.request

import pytest
from test_bad_input import Signed, absent, signed  # noqa: F401

EMPTY = hashlib.sha256(b"").hexdigest()


def fetch(shared, url, data=None, method=None):
    context = ssl.create_default_context(cafile=shared.ca)
    request = urllib.request.Request(url, data=data, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}),
                                         urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.fixture
def presign(shared):
    s3 = shared.s3(signature_version="s3v4")
    return lambda method, seconds=60, **words: s3.generate_presigned_url(method, Params=words, ExpiresIn=seconds)


def test_presigned_put_and_get(shared, bucket, presign):
    assert fetch(shared, presign("put_object", Bucket=bucket, Key="p q/é"), b"body", "PUT")[0] == 200
    assert fetch(shared, presign("get_object", Bucket=bucket, Key="p q/é")) == (200, b"body")


def test_presigned_urls_cannot_be_bent(shared, bucket, presign):
    shared.s3().put_object(Bucket=bucket, Key="a", Body=b"a")
    shared.s3().put_object(Bucket=bucket, Key="b", Body=b"b")
    url = presign("get_object", Bucket=bucket, Key="a")
    for bent in (url.replace("/a?", "/b?"), url.replace("X-Amz-Expires=60", "X-Amz-Expires=600"),
                 url[:-1] + ("0" if url[-1] != "0" else "1"), url + "&partNumber=1"):
        assert fetch(shared, bent)[0] in (403, 501), bent  # 501: not even looked at.
    assert fetch(shared, url, b"x", "PUT")[0] == 403
    assert fetch(shared, url) == (200, b"a")


def test_presigned_url_expires(shared, bucket, presign):
    import time
    shared.s3().put_object(Bucket=bucket, Key="a", Body=b"a")
    url = presign("get_object", seconds=1, Bucket=bucket, Key="a")
    time.sleep(2.1)
    assert fetch(shared, url)[0] == 403


class Streaming(Signed):
    """STREAMING-AWS4-HMAC-SHA256-PAYLOAD: each chunk signed, each signature over the one before."""

    def put(self, path, chunks, wrong_at=None):
        now = datetime.datetime.utcnow()
        amz_date, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
        scope = f"{day}/us-east-1/s3/aws4_request"
        key = ("AWS4" + self.secret).encode()
        for word in (day, "us-east-1", "s3", "aws4_request"):
            key = hmac.new(key, word.encode(), hashlib.sha256).digest()
        headers = {"host": f"localhost:{self.cluster.port}", "x-amz-date": amz_date,
                   "content-encoding": "aws-chunked",
                   "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
                   "x-amz-decoded-content-length": str(sum(map(len, chunks)))}
        names = ";".join(sorted(headers))
        canonical = "\n".join(["PUT", path, "", *[f"{k}:{headers[k]}" for k in sorted(headers)], "", names,
                               headers["x-amz-content-sha256"]])
        text = "\n".join(["AWS4-HMAC-SHA256", amz_date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        seed = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={self.access}/{scope}, SignedHeaders={names}, "
                                    f"Signature={seed}")
        body, previous = b"", seed
        for number, chunk in enumerate([*chunks, b""]):
            text = "\n".join(["AWS4-HMAC-SHA256-PAYLOAD", amz_date, scope, previous, EMPTY,
                              hashlib.sha256(chunk).hexdigest()])
            previous = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
            shown = "0" * 64 if number == wrong_at else previous
            body += f"{len(chunk):x};chunk-signature={shown}\r\n".encode() + chunk + b"\r\n"
        return self.send("PUT", path, headers, body)


def test_signed_chunks(shared, bucket):
    chunks = [b"a" * 65536] * 20 + [b"b" * 777]
    assert Streaming(shared).put(f"/{bucket}/s", chunks)[0] == 200
    assert shared.s3().get_object(Bucket=bucket, Key="s")["Body"].read() == b"".join(chunks)


@pytest.mark.parametrize("wrong_at", [0, 7, 20, 21])
def test_a_chunk_with_a_wrong_signature_stores_nothing(shared, bucket, wrong_at):
    chunks = [b"a" * 65536] * 20 + [b"b" * 777]
    status, code, _ = Streaming(shared).put(f"/{bucket}/k", chunks, wrong_at)
    assert (status, code) == (403, "SignatureDoesNotMatch")
    absent(shared, bucket)


def test_an_empty_body_has_a_signed_chunk_too(shared, bucket):
    assert Streaming(shared).put(f"/{bucket}/k", [], wrong_at=0)[:2] == (403, "SignatureDoesNotMatch")
    absent(shared, bucket)
    assert Streaming(shared).put(f"/{bucket}/k", [])[0] == 200
    assert shared.s3().get_object(Bucket=bucket, Key="k")["Body"].read() == b""


def test_copy_to_another_bucket(shared, bucket):
    """Encrypted anew under the other bucket's keys."""
    s3 = shared.s3()
    s3.create_bucket(Bucket="copy-target")
    body = b"c" * (5 * 1024 * 1024 + 3)
    s3.put_object(Bucket=bucket, Key="from", Body=body, Metadata={"m": "1"})
    s3.copy_object(Bucket="copy-target", Key="to", CopySource={"Bucket": bucket, "Key": "from"})
    s3.delete_object(Bucket=bucket, Key="from")
    got = s3.get_object(Bucket="copy-target", Key="to")
    assert got["Body"].read() == body and got["Metadata"] == {"m": "1"}
