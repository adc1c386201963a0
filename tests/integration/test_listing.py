"""LIST shows every name once, in byte order, whatever characters it has (C2)."""

import random

import pytest
from botocore.exceptions import ClientError

AWKWARD = ["a b", " leading", "trailing ", "..", "../x", "a/../b", "./c", "a//b", "dir/", "dir/file", "%41", "a%2Fb",
           "a+b", "a&b=c", "é", "日本語/テスト", "emoji-😀", "q?x=1", "hash#frag", "semi;colon",
           "quote\"'`", "back\\slash", "<xml>&amp;", "tab\tname", "line\nbreak", "x" * 1024,
           "ü" * 512, "~tilde", "$dollar", "*star", "(paren)", "a:b@c", "[br]", "{cu}", "^|"]


def all_keys(s3, bucket, **words):
    keys, prefixes, token = [], [], None
    while True:
        page = s3.list_objects_v2(Bucket=bucket, **words, **({"ContinuationToken": token} if token else {}))
        keys += [entry["Key"] for entry in page.get("Contents", [])]
        prefixes += [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]
        token = page.get("NextContinuationToken")
        if not page["IsTruncated"]:
            return keys, prefixes


@pytest.fixture(scope="module")
def thousand(shared):
    s3, bucket = shared.s3(), "thousand"
    s3.create_bucket(Bucket=bucket)
    rng = random.Random(5)
    names = set(AWKWARD)
    while len(names) < 1000:
        names.add("/".join(rng.choice(["a", "b", "é", "z z", "0"]) + str(rng.randrange(30))
                           for _ in range(rng.randrange(1, 4))))
    for name in names:
        s3.put_object(Bucket=bucket, Key=name, Body=name.encode())
    return s3, bucket, sorted(names, key=lambda n: n.encode())


def test_all_names_in_order(thousand):
    s3, bucket, names = thousand
    for page in (1000, 7):
        assert all_keys(s3, bucket, MaxKeys=page)[0] == names
    v1 = s3.list_objects(Bucket=bucket)
    assert [entry["Key"] for entry in v1["Contents"]] == names


def test_each_name_reads_back(thousand):
    s3, bucket, names = thousand
    for name in names:
        assert s3.get_object(Bucket=bucket, Key=name)["Body"].read() == name.encode()


@pytest.mark.parametrize("prefix", ["", "a", "a/", "b1", "é", "dir/", "none"])
def test_prefix_and_delimiter(thousand, prefix):
    s3, bucket, names = thousand
    inside = [n for n in names if n.startswith(prefix)]
    assert all_keys(s3, bucket, Prefix=prefix)[0] == inside
    leaves = [n for n in inside if "/" not in n[len(prefix):]]
    common = sorted({prefix + n[len(prefix):].split("/")[0] + "/" for n in inside
                     if "/" in n[len(prefix):]}, key=lambda n: n.encode())
    for page in (1000, 3):
        keys, prefixes = all_keys(s3, bucket, Prefix=prefix, Delimiter="/", MaxKeys=page)
        assert keys == leaves and prefixes == common


def test_start_after(thousand):
    s3, bucket, names = thousand
    for at in (0, 10, 500, 998, 999):
        assert all_keys(s3, bucket, StartAfter=names[at])[0] == names[at + 1:]


def test_buckets(shared):
    s3 = shared.s3()
    s3.create_bucket(Bucket="one-more")
    assert "one-more" in [b["Name"] for b in s3.list_buckets()["Buckets"]]
    s3.head_bucket(Bucket="one-more")
    s3.get_bucket_location(Bucket="one-more")
    s3.put_object(Bucket="one-more", Key="x", Body=b"1")
    with pytest.raises(ClientError) as error:
        s3.delete_bucket(Bucket="one-more")
    assert error.value.response["Error"]["Code"] == "BucketNotEmpty"
    s3.delete_object(Bucket="one-more", Key="x")
    s3.delete_bucket(Bucket="one-more")
    with pytest.raises(ClientError) as error:
        s3.list_objects_v2(Bucket="one-more")
    assert error.value.response["Error"]["Code"] == "NoSuchBucket"
    s3.create_bucket(Bucket="one-more")  # The name is free again, and the bucket is empty.
    assert "Contents" not in s3.list_objects_v2(Bucket="one-more")
    s3.delete_bucket(Bucket="one-more")


def test_bucket_names(shared):
    s3 = shared.s3()
    s3.create_bucket(Bucket="taken")
    with pytest.raises(ClientError) as error:
        s3.create_bucket(Bucket="taken")
    assert error.value.response["Error"]["Code"] == "BucketAlreadyOwnedByYou"
