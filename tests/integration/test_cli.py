"""The triad command: what an operator does, and clear errors for what goes wrong."""

import json
import subprocess

import pytest
from botocore.exceptions import ClientError


@pytest.fixture(scope="module")
def tenant(own):
    made = json.loads(own.triad("tenant", "create", "--name", "acme", "--json").stdout)
    key_file = own.data / "acme.key"
    key_file.write_text(made["admin_key"] + "\n")
    return made, str(key_file)


def user(own, key_file, name, *allow):
    words = [word for policy in allow for word in ("--allow", policy)]
    made = json.loads(own.triad("user", "create", "--tenant", "acme", "--name", name, "--admin-key-file",
                                key_file, *words, "--json").stdout)
    return own.s3(made["access_key"], made["secret_key"]), made["access_key"]


def code_of(call, **words):
    with pytest.raises(ClientError) as error:
        call(**words)
    return error.value.response["Error"]["Code"]


def test_status_names_every_part(own):
    status = json.loads(own.triad("status", "--json").stdout)
    assert status["keystore"]["state"] == status["contentdb"]["state"] == "up"
    assert len(status["blobnodes"]) == 3 and all(n["state"] == "up" for n in status["blobnodes"])
    assert status["keystore"]["delegated"] is True and status["keystore"]["accounts"] == 6


def test_account_add_is_idempotent(own):
    listed = json.loads(own.triad("account", "list", "--json").stdout)["accounts"]
    first = listed[0]
    again = json.loads(own.triad("account", "add", "--address", first["address"], "--tls-name", first["tls_name"],
                                 "--account", first["account"], "--json").stdout)
    assert again["number"] == first["number"]
    assert json.loads(own.triad("account", "list", "--json").stdout)["accounts"] == listed


def test_a_user_needs_the_admin_key(own, tenant):
    done = own.triad("user", "create", "--tenant", "acme", "--name", "eve", "--admin-key", "wrong", check=False)
    assert done.returncode == 1 and "permission denied" in done.stderr


def test_policies(own, tenant):
    _, key_file = tenant
    boss, _ = user(own, key_file, "boss")
    boss.create_bucket(Bucket="acme-files")
    boss.put_object(Bucket="acme-files", Key="in/a", Body=b"a")
    boss.put_object(Bucket="acme-files", Key="out/b", Body=b"b")
    reader, _ = user(own, key_file, "reader", "read:acme-files/in/*")
    assert reader.get_object(Bucket="acme-files", Key="in/a")["Body"].read() == b"a"
    assert code_of(reader.get_object, Bucket="acme-files", Key="out/b") == "AccessDenied"
    assert code_of(reader.put_object, Bucket="acme-files", Key="in/c", Body=b"") == "AccessDenied"
    assert code_of(reader.delete_object, Bucket="acme-files", Key="in/a") == "AccessDenied"
    assert code_of(reader.list_objects_v2, Bucket="acme-files") == "AccessDenied"


def test_tenants_do_not_see_each_other(own, tenant):
    _, key_file = tenant
    acme, _ = user(own, key_file, "one")
    other = own.s3()  # Of the tenant `default`.
    acme.create_bucket(Bucket="acme-own")
    acme.put_object(Bucket="acme-own", Key="k", Body=b"x")
    assert "acme-own" not in [b["Name"] for b in other.list_buckets()["Buckets"]]
    for call, words in ((other.get_object, {"Key": "k"}), (other.list_objects_v2, {}),
                        (other.put_object, {"Key": "k", "Body": b"y"}), (other.delete_object, {"Key": "k"})):
        assert code_of(call, Bucket="acme-own", **words) in ("AccessDenied", "NoSuchBucket")
    assert code_of(other.create_bucket, Bucket="acme-own") == "BucketAlreadyExists"
    assert acme.get_object(Bucket="acme-own", Key="k")["Body"].read() == b"x"


def test_a_disabled_user_stops_at_once(own, tenant):
    _, key_file = tenant
    s3, access_key = user(own, key_file, "leaver")
    s3.list_buckets()
    own.triad("user", "disable", "--tenant", "acme", "--access-key", access_key, "--admin-key-file", key_file)
    assert code_of(s3.list_buckets) == "InvalidAccessKeyId"
    listed = json.loads(own.triad("user", "list", "--tenant", "acme", "--json").stdout)["users"]
    assert {u["access_key"]: u["active"] for u in listed}[access_key] is False


@pytest.mark.parametrize("words, text", [
    (["frobnicate"], "no such command"),
    (["user", "create"], "--tenant is missing"),
    (["cert", "add", "--file", "/nonexistent"], "not found"),
    (["cert", "remove", "--sha256", "zz"], "64 hexadecimal digits"),
    (["cert", "remove"], "give either"),
    (["shard", "create", "--shard", "x"], "a number"),
    (["tenant", "create", "--name", "a", "--name", "b"], "given twice"),
    (["tenant", "create", "--nam", "a"], "unknown option"),
])
def test_errors_say_what_is_wrong(own, words, text):
    done = subprocess.run([str(own.data / "bin/triad"), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False, env={"HOME": str(own.data)})
    assert done.returncode in (1, 2) and text in done.stderr
