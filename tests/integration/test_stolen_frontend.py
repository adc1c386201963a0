"""With a frontend's certificate and key, but no user's request: nothing is listed, opened, deleted (S3).

And the same for other certificates that are not what they should be.
"""

import os
import socket
import ssl
import time

import pytest
from rpc import Caller, content, key, blob, methods

NAME, KEY, BODY = "stolen", "secret-plan.txt", b"the quick brown secret " * 5000

# What a frontend may always ask, and what it is told: no names, no rows, nothing that opens.
HARMLESS = {"ResolveBucket", "ListAccounts", "OpenLease", "RenewLease"}


@pytest.fixture(scope="module")
def victim(own):
    s3 = own.s3()
    s3.create_bucket(Bucket=NAME)
    s3.put_object(Bucket=NAME, Key=KEY, Body=BODY)
    yield own
    assert s3.get_object(Bucket=NAME, Key=KEY)["Body"].read() == BODY
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=NAME)["Contents"]] == [KEY]


@pytest.fixture(scope="module")
def thief(victim):
    return Caller(victim, victim.data / "frontend/tls")


@pytest.fixture(scope="module")
def bucket_id(thief):
    status, reply, _ = thief.call("contentdb", "content", "ResolveBucket",
                                  content.ResolveBucketRequest(name=NAME))
    assert status == "OK" and reply.is_found
    return reply.bucket


def forged_grant(bucket):
    """Everything right but the MAC."""
    return (b"TGR1" + (15).to_bytes(2, "big") + bytes(2) + (1 << 40).to_bytes(8, "big") + bytes(16) + bucket +
            os.urandom(32) + (1).to_bytes(4, "big") + bytes(4) + os.urandom(32))


@pytest.mark.parametrize("grant", ["none", "forged"])
@pytest.mark.parametrize("method", [m for m in methods("content") if m not in HARMLESS])
def test_content_db_gives_nothing(thief, bucket_id, method, grant):
    descriptor = content.DESCRIPTOR.services_by_name["Content"].methods_by_name[method]
    request = getattr(content, descriptor.input_type.name)()
    target = request.items.add() if "items" in descriptor.input_type.fields_by_name else request
    fields = target.DESCRIPTOR.fields_by_name
    for name, value in {"grant": forged_grant(bucket_id) if grant == "forged" else b"", "bucket": bucket_id,
                        "key": KEY.encode(), "limit": 100, "length": 1000, "pages_max": 4, "name": NAME,
                        "content": bytes(10), "version": bytes(16), "upload": bytes(16)}.items():
        if name in fields and (value != b"" or name == "grant"):
            setattr(target, name, value)
    if "kind" in fields:
        target.kind = content.DELETE
    status, reply, _ = thief.call("contentdb", "content", method, request)
    if status != "OK":
        assert status in ("DENIED", "INVALID"), status
        return
    results = reply.results if hasattr(reply, "results") else [reply]
    for result in results:
        assert result.outcome in (content.DENIED, content.INVALID), result
        for field, _ in result.ListFields():
            assert field.name in ("outcome", "position"), result


def test_a_made_up_fence_does_not_end_the_content_db(thief, victim):
    """A caller that saw a later fence stops a content DB, but not one that the key store knows to be the one."""
    before = victim.pid("contentdb")
    seen = content.Position(fence=(1 << 20) - 1, seq=1)
    assert thief.call("contentdb", "content", "ListAccounts", content.ListAccountsRequest(seen=seen))[0] == "STALE"
    assert thief.call("contentdb", "content", "ListAccounts")[0] == "OK"
    assert victim.pid("contentdb") == before and victim.health("contentdb").startswith("ready")


def test_key_store_proves_every_request(thief, bucket_id):
    for operation in (key.PROVE, key.GENERATE, key.OPEN, key.CREATE_BUCKET):
        request = key.AuthorizeRequest()
        item = request.items.add()
        item.canonical_request = (
            f"GET\n/{NAME}/{KEY}\n\nhost:x\nx-amz-content-sha256:UNSIGNED-PAYLOAD\n"
            "x-amz-date:20260101T000000Z\n\nhost;x-amz-content-sha256;x-amz-date\nUNSIGNED-PAYLOAD").encode()
        item.date, item.scope = "20260101T000000Z", "20260101/us-east-1/s3/aws4_request"
        item.access_key = thief.cluster.credentials[0]
        item.signature, item.bucket, item.operation = os.urandom(32), bucket_id, operation
        status, reply, _ = thief.call("keystore", "identity", "Authorize", request)
        if status == "OK":
            result = reply.results[0]
            assert result.verdict not in (key.ALLOWED, key.REFUSED)
            assert not (result.object_key or result.attribute_key or result.grant or result.handle)


@pytest.mark.parametrize("method", ["VerifyChunks", "RenewGrant", "ActivateBucket", "DropBucket"])
def test_a_made_up_handle_is_refused(thief, bucket_id, method):
    descriptor = key.DESCRIPTOR.services_by_name["Identity"].methods_by_name[method]
    request = getattr(key, descriptor.input_type.name)()
    request.handle = os.urandom(160)
    if "bucket" in request.DESCRIPTOR.fields_by_name:
        request.bucket = bucket_id
    status, reply, _ = thief.call("keystore", "identity", method, request)
    assert status != "OK" or reply.verdict != key.ALLOWED


@pytest.mark.parametrize("service, method", [
    *[("identity", m) for m in methods("identity") if m not in
      ("Authorize", "VerifyChunks", "RenewGrant", "ActivateBucket", "DropBucket")],
    *[("keys", m) for m in methods("keys") if m not in
      ("IssueTokens", "GetKeysets", "GetAccountKeys", "CertRenew")]])
def test_no_administration(thief, service, method):
    assert thief.call("keystore", service, method)[0] == "DENIED"


def accounts_of(caller):
    return caller.call("contentdb", "content", "ListAccounts")[1].accounts


def tokens(caller, account, perms):
    request = key.IssueTokensRequest(wanted=[key.TokenWanted(account=account, perm=p) for p in perms])
    status, reply, _ = caller.call("keystore", "keys", "IssueTokens", request)
    return [t.token for t in reply.tokens] if status == "OK" else [b""] * len(perms)


def test_blob_nodes_give_ciphertext_at_most(thief):
    account = accounts_of(thief)[0]
    read, write, delete, enumerate_, scrub = tokens(thief, account.account, [1, 2, 4, 8, 16])
    assert len(read) == len(write) == 232
    assert delete == enumerate_ == scrub == b""
    daemon = account.node_id
    listing = blob.EnumerateRequest(account=account.account, limit=10)
    removing = blob.DeleteRequest(account=account.account, ids=[os.urandom(16)])
    for token in (read, write, b"", os.urandom(232)):
        assert thief.call(daemon, "blob", "Enumerate", listing, token)[0] in ("DENIED", "UNAUTHENTICATED")
        assert thief.call(daemon, "blob", "Delete", removing, token)[0] in ("DENIED", "UNAUTHENTICATED")
    guess = blob.GetRequest(account=account.account, items=[blob.GetItem(id=os.urandom(16))])
    status, reply, _ = thief.call(daemon, "blob", "Get", guess, read)
    assert status == "OK" and reply.results[0].outcome == blob.NOT_FOUND
    assert thief.call(daemon, "blob", "Get", guess, write)[0] in ("DENIED", "UNAUTHENTICATED")


def test_a_token_is_for_one_account_and_one_certificate(thief, victim):
    first, second = accounts_of(thief)[:2]
    read = tokens(thief, first.account, [1])[0]
    other = blob.GetRequest(account=second.account, items=[blob.GetItem(id=os.urandom(16))])
    assert thief.call(second.node_id, "blob", "Get", other, read)[0] in ("DENIED", "UNAUTHENTICATED")
    same = blob.GetRequest(account=first.account, items=[blob.GetItem(id=os.urandom(16))])
    steward = Caller(victim, victim.data / "steward/tls")
    assert steward.call(first.node_id, "blob", "Get", same, read)[0] in ("DENIED", "UNAUTHENTICATED")
    flipped = bytes([*read[:100], read[100] ^ 1, *read[101:]])
    assert thief.call(first.node_id, "blob", "Get", same, flipped)[0] in ("DENIED", "UNAUTHENTICATED")


def test_an_unregistered_certificate_gets_no_keys(victim):
    """A stolen services CA gains nothing: what it issues is not in the registry."""
    stranger = Caller(victim, victim.issue("frontend", "stranger"))
    for service, method in [("keys", "IssueTokens"), ("keys", "GetAccountKeys"), ("identity", "Authorize")]:
        assert stranger.call("keystore", service, method)[0] == "DENIED"
    for method in ("ListAccounts", "OpenLease", "ResolveBucket"):
        assert stranger.call("contentdb", "content", method)[0] == "DENIED"
    steward = Caller(victim, victim.issue("steward", "stranger"))
    assert steward.call("contentdb", "content", "TakeSteward")[0] == "DENIED"


def test_wrong_role_certificates(victim):
    node = Caller(victim, victim.data / "blob1/tls")
    assert node.call("keystore", "keys", "GetAccountKeys")[0] == "DENIED"
    assert node.call("contentdb", "content", "ListAccounts")[0] == "DENIED"
    operator = Caller(victim, victim.data / "operator")
    assert operator.call("keystore", "keys", "GetAccountKeys")[0] == "DENIED"
    assert operator.call("keystore", "keys", "IssueTokens")[0] == "DENIED"
    assert operator.call("contentdb", "content", "List")[0] == "DENIED"


def test_removed_certificate_stops_at_once(victim):
    """And the frontend that holds it, until it is registered again."""
    listed = victim.triad("cert", "list").stdout
    assert "/frontend/frontend" in listed
    victim.triad("cert", "remove", "--uri", "triad://quickstart/frontend/frontend")
    try:
        stolen = Caller(victim, victim.data / "frontend/tls")
        assert stolen.call("keystore", "keys", "GetAccountKeys")[0] == "DENIED"
        assert stolen.call("keystore", "identity", "Authorize")[0] == "DENIED"
        time.sleep(1.5)  # The content DB hears of it with its next anchor.
        for method in ("ListAccounts", "OpenLease", "ResolveBucket", "Lookup"):
            assert stolen.call("contentdb", "content", method)[0] == "DENIED"
    finally:
        victim.triad("cert", "add", "--file", str(victim.data / "frontend/tls/cert.pem"))
        time.sleep(1.5)


@pytest.mark.parametrize("daemon", ["keystore", "contentdb", "blob1"])
def test_internal_ports_refuse_strangers(victim, daemon):
    """No certificate, TLS 1.2, or no TLS at all: refused, and the daemon goes on."""
    port = victim.listen_port(daemon)
    context = ssl.create_default_context(cafile=str(victim.data / daemon / "tls/ca.pem"))
    context.check_hostname = False
    context.set_alpn_protocols(["h2"])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
        with pytest.raises(OSError):
            with context.wrap_socket(plain) as tls:
                tls.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))
                while tls.recv(4096):
                    pass
                raise OSError("closed without an answer")
    old = ssl.create_default_context(cafile=str(victim.data / daemon / "tls/ca.pem"))
    old.check_hostname = False
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    old.load_cert_chain(victim.data / "frontend/tls/cert.pem", victim.data / "frontend/tls/key.pem")
    with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
        with pytest.raises(OSError):
            old.wrap_socket(plain)
    with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
        plain.sendall(os.urandom(4096))
    assert victim.health(daemon).startswith("ready")
