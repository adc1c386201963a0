"""What is put comes back, byte for byte, whatever its size, name and client (D1, C2)."""

import hashlib
import os
import random
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

BLOCK, CHUNK = 64 * 1024, 4 * 1024 * 1024
SIZES = [0, 1, 4095, 4096, 4097, BLOCK - 1, BLOCK, BLOCK + 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK]


def body_of(size, seed=1):
    return random.Random(seed * 7919 + size).randbytes(size)


@pytest.mark.parametrize("size", SIZES)
def test_boto3_round_trip(shared, bucket, size):
    s3, body = shared.s3(), body_of(size)
    put = s3.put_object(Bucket=bucket, Key="k", Body=body, ContentType="text/x-triad",
                        Metadata={"colour": "blue"})
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    assert put["ServerSideEncryption"] == "AES256"
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == body
    assert got["ContentType"] == "text/x-triad" and got["Metadata"] == {"colour": "blue"}
    assert got["ETag"] == put["ETag"] and got["ContentLength"] == size
    head = s3.head_object(Bucket=bucket, Key="k")
    assert head["ContentLength"] == size and head["ETag"] == put["ETag"]


def ranges_of(size):
    edges = sorted({0, 1, BLOCK - 1, BLOCK, CHUNK - 1, CHUNK, size // 2, size - 1})
    edges = [e for e in edges if 0 <= e < size]
    return [(a, b) for a in edges for b in edges if a <= b]


@pytest.mark.parametrize("size", [1, BLOCK + 1, 2 * CHUNK + 12345])
def test_ranges(shared, bucket, size):
    s3, body = shared.s3(), body_of(size)
    s3.put_object(Bucket=bucket, Key="r", Body=body)
    for first, last in ranges_of(size):
        got = s3.get_object(Bucket=bucket, Key="r", Range=f"bytes={first}-{last}")
        assert got["Body"].read() == body[first:last + 1], (first, last)
        assert got["ContentRange"] == f"bytes {first}-{last}/{size}"
    got = s3.get_object(Bucket=bucket, Key="r", Range="bytes=-1")
    assert got["Body"].read() == body[-1:]
    got = s3.get_object(Bucket=bucket, Key="r", Range=f"bytes=0-{size + 5}")
    assert got["Body"].read() == body
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=bucket, Key="r", Range=f"bytes={size}-")
    assert error.value.response["Error"]["Code"] == "InvalidRange"


def test_overwrite_and_delete(shared, bucket):
    s3 = shared.s3()
    for seed in range(3):
        s3.put_object(Bucket=bucket, Key="o", Body=body_of(100000, seed))
        assert s3.get_object(Bucket=bucket, Key="o")["Body"].read() == body_of(100000, seed)
    s3.delete_object(Bucket=bucket, Key="o")
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=bucket, Key="o")
    assert error.value.response["Error"]["Code"] == "NoSuchKey"
    s3.delete_object(Bucket=bucket, Key="o")  # Idempotent, as in S3.
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_multipart(shared, bucket):
    s3 = shared.s3()
    parts = [body_of(5 * 1024 * 1024 + i, i) for i in range(3)] + [body_of(77, 9)]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m", ContentType="image/png",
                                        Metadata={"a": "b"})["UploadId"]
    assert [u["UploadId"] for u in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload]
    etags = {}
    for number in (2, 4, 1, 3):  # Any order.
        etags[number] = s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=number,
                                       Body=parts[number - 1])["ETag"]
        assert etags[number] == f'"{hashlib.md5(parts[number - 1]).hexdigest()}"'
    listed = s3.list_parts(Bucket=bucket, Key="m", UploadId=upload)["Parts"]
    assert [(p["PartNumber"], p["ETag"], p["Size"]) for p in listed] == \
        [(n, etags[n], len(parts[n - 1])) for n in (1, 2, 3, 4)]
    with pytest.raises(ClientError):
        s3.get_object(Bucket=bucket, Key="m")  # Nothing is visible before Complete.
    done = s3.complete_multipart_upload(
        Bucket=bucket, Key="m", UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": n, "ETag": etags[n]} for n in (1, 2, 3, 4)]})
    whole = b"".join(parts)
    joined = hashlib.md5(b"".join(hashlib.md5(p).digest() for p in parts)).hexdigest()
    assert done["ETag"] == f'"{joined}-4"'
    got = s3.get_object(Bucket=bucket, Key="m")
    assert got["Body"].read() == whole and got["ContentType"] == "image/png"
    edge = len(parts[0])
    for first, last in [(edge - 3, edge + 3), (0, 0), (len(whole) - 80, len(whole) - 1),
                        (edge + 1, 2 * edge + 100)]:
        got = s3.get_object(Bucket=bucket, Key="m", Range=f"bytes={first}-{last}")
        assert got["Body"].read() == whole[first:last + 1]
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_multipart_errors(shared, bucket):
    s3 = shared.s3()

    def code_of(call, **words):
        with pytest.raises(ClientError) as error:
            call(Bucket=bucket, Key="e", **words)
        return error.value.response["Error"]["Code"]

    upload = s3.create_multipart_upload(Bucket=bucket, Key="e")["UploadId"]
    small = [s3.upload_part(Bucket=bucket, Key="e", UploadId=upload, PartNumber=n, Body=b"x" * 10)
             for n in (1, 2)]
    tags = [{"PartNumber": i + 1, "ETag": p["ETag"]} for i, p in enumerate(small)]
    complete = s3.complete_multipart_upload
    assert code_of(complete, UploadId=upload, MultipartUpload={"Parts": tags}) == "EntityTooSmall"
    assert code_of(complete, UploadId=upload, MultipartUpload={"Parts": tags[::-1]}) == "InvalidPartOrder"
    assert code_of(complete, UploadId=upload, MultipartUpload={
        "Parts": [{"PartNumber": 3, "ETag": tags[0]["ETag"]}]}) == "InvalidPart"
    assert code_of(complete, UploadId=upload, MultipartUpload={
        "Parts": [{"PartNumber": 1, "ETag": '"00000000000000000000000000000000"'}]}) == "InvalidPart"
    s3.abort_multipart_upload(Bucket=bucket, Key="e", UploadId=upload)
    assert code_of(s3.upload_part, UploadId=upload, PartNumber=1, Body=b"x") == "NoSuchUpload"
    assert code_of(complete, UploadId=upload, MultipartUpload={"Parts": tags[:1]}) == "NoSuchUpload"
    assert code_of(complete, UploadId="no-such", MultipartUpload={"Parts": tags[:1]}) == "NoSuchUpload"


def test_completes_at_once_tell_of_the_one_that_counted(shared, bucket):
    """Of one upload, with other parts: each that succeeds names the object that there is."""
    clients = [shared.s3() for _ in range(6)]
    for number in range(20):
        key = f"race-{number}"
        upload = clients[0].create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        parts = [{"PartNumber": n, "ETag": clients[0].upload_part(
            Bucket=bucket, Key=key, UploadId=upload, PartNumber=n, Body=b"%d" % n)["ETag"]} for n in (1, 2)]

        def complete(i):
            try:
                return clients[i].complete_multipart_upload(
                    Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": [parts[i % 2]]})["ETag"]
            except ClientError:
                return None
        with ThreadPoolExecutor(len(clients)) as pool:
            told = set(pool.map(complete, range(len(clients)))) - {None}
        assert told == {clients[0].head_object(Bucket=bucket, Key=key)["ETag"]}


def test_copy_inside_a_bucket(shared, bucket):
    s3, body = shared.s3(), body_of(CHUNK + 9)
    s3.put_object(Bucket=bucket, Key="from", Body=body, ContentType="a/b", Metadata={"x": "1"})
    s3.copy_object(Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": "from"})
    s3.delete_object(Bucket=bucket, Key="from")  # The copy does not depend on its source.
    got = s3.get_object(Bucket=bucket, Key="to")
    assert got["Body"].read() == body and got["Metadata"] == {"x": "1"} and got["ContentType"] == "a/b"
    s3.copy_object(Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": "to"},
                   MetadataDirective="REPLACE", Metadata={"y": "2"}, ContentType="c/d")
    got = s3.get_object(Bucket=bucket, Key="to")
    assert got["Body"].read() == body and got["Metadata"] == {"y": "2"} and got["ContentType"] == "c/d"


def test_copies_of_a_source_that_is_overwritten(shared, bucket):
    """A copy without a condition is not refused because its source changed while it ran; it has one version of it."""
    done, bodies = threading.Event(), [body_of(3000, i) for i in range(2)]
    shared.s3().put_object(Bucket=bucket, Key="from", Body=bodies[0])

    def overwrite():
        s3, turn = shared.s3(), 0
        while not done.is_set():
            turn += 1
            s3.put_object(Bucket=bucket, Key="from", Body=bodies[turn % 2])
    with ThreadPoolExecutor(3) as pool:
        writers = [pool.submit(overwrite) for _ in range(2)]
        try:
            s3 = shared.s3()
            for _ in range(150):
                s3.copy_object(Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": "from"})
                assert s3.get_object(Bucket=bucket, Key="to")["Body"].read() in bodies
        finally:
            done.set()
        for writer in writers:
            writer.result()


def test_if_none_match(shared, bucket):
    access = shared.s3()
    body = b"first"
    response = access.put_object(Bucket=bucket, Key="c", Body=body)
    with pytest.raises(ClientError) as error:
        access.get_object(Bucket=bucket, Key="c", IfNoneMatch=response["ETag"])
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 304
    with pytest.raises(ClientError) as error:
        access.get_object(Bucket=bucket, Key="c", IfMatch='"0"')
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    assert access.get_object(Bucket=bucket, Key="c", IfMatch=response["ETag"])["Body"].read() == body


def test_aws_cli(shared, bucket, tmp_path):
    """`aws s3 cp` and sync, also above the 8 MiB from which it uploads in parts."""
    for name, size in [("empty", 0), ("small", 1000), ("big", 20 * 1024 * 1024 + 5)]:
        (tmp_path / name).write_bytes(body_of(size))
    shared.aws("s3", "sync", str(tmp_path), f"s3://{bucket}/dir")
    shared.aws("s3", "sync", f"s3://{bucket}/dir", str(tmp_path / "back"))
    for name in ("empty", "small", "big"):
        assert (tmp_path / "back" / name).read_bytes() == (tmp_path / name).read_bytes()
    assert "big" in shared.aws("s3", "ls", f"s3://{bucket}/dir/").stdout
    shared.aws("s3", "rm", "--recursive", f"s3://{bucket}/dir")
    assert shared.aws("s3", "ls", f"s3://{bucket}/", check=False).stdout == ""


def test_curl_signs_v4(shared, bucket, tmp_path):
    access, secret = shared.credentials
    (tmp_path / "f").write_bytes(body_of(70000))
    base = ["curl", "-sS", "--fail-with-body", "--noproxy", "*", "--cacert", shared.ca,
            "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", f"{access}:{secret}"]
    url = f"{shared.endpoint}/{bucket}/from-curl"
    # curl 7.88 does not send x-amz-content-sha256 itself.
    digest = hashlib.sha256(body_of(70000)).hexdigest()
    subprocess.run([*base, "-T", str(tmp_path / "f"), "-H", f"x-amz-content-sha256: {digest}", url],
                   check=True)
    empty = hashlib.sha256(b"").hexdigest()
    got = subprocess.run([*base, "-H", f"x-amz-content-sha256: {empty}", url], check=True,
                         stdout=subprocess.PIPE)
    assert got.stdout == body_of(70000)


def test_one_gigabyte(shared, bucket, tmp_path):
    """Streams of 1 GiB through `aws s3 cp`, with bounded memory in every daemon."""
    source, back = tmp_path / "source", tmp_path / "back"
    with open(source, "wb") as out:
        for i in range(1024):
            out.write(random.Random(i).randbytes(1024 * 1024))
    shared.aws("s3", "cp", "--only-show-errors", str(source), f"s3://{bucket}/gigabyte")
    shared.aws("s3", "cp", "--only-show-errors", f"s3://{bucket}/gigabyte", str(back))
    assert subprocess.run(["cmp", str(source), str(back)], check=False).returncode == 0
    for name in shared.names:
        status = open(f"/proc/{shared.pid(name)}/status", encoding="ascii").read()
        peak = int(status.split("VmHWM:")[1].split()[0]) // 1024
        assert peak < 1024, f"{name} used {peak} MiB"
    os.unlink(source)


def test_single_put_of_many_chunks(shared, bucket):
    """One PUT of 200 MiB: more chunks than one manifest row batch, one commit."""
    body = body_of(200 * 1024 * 1024)
    s3 = shared.s3()
    put = s3.put_object(Bucket=bucket, Key="long", Body=body)
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    got = s3.get_object(Bucket=bucket, Key="long")["Body"]
    digest = hashlib.md5()
    while piece := got.read(1 << 20):
        digest.update(piece)
    assert digest.hexdigest() == put["ETag"].strip('"')
