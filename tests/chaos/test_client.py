"""The client tells apart how a call broke: what was never sent whole, what never came, what came in part."""

import socket
import ssl
import threading

import pytest

from client import Broken, Client, Connection, code_of, listed
from history import History, Operation
from reading import judge_read, outcome_of_write

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"e\"\r\n\r\n"


class Server:
    """A peer on a socket pair, in the place of TLS: says given bytes, then ends."""

    def __init__(self, *said, is_open=False):
        ours, self.theirs = socket.socketpair()
        self.connection = Connection.__new__(Connection)
        self.connection.tls, self.connection.seconds, self.connection.rest = Tls(ours), 1, b""
        for words in said:
            self.theirs.sendall(words)
        if not is_open:
            self.theirs.shutdown(socket.SHUT_WR)

    def close(self):
        self.connection.close()
        self.theirs.close()


class Tls:
    """The methods of an SSLSocket that a Connection uses, on a plain socket."""

    def __init__(self, plain):
        self.plain = plain
        plain.settimeout(0.3)

    def __getattr__(self, name):
        return getattr(self.plain, name)

    def pending(self):
        return 0


def answered(*said, has_body=True, is_open=False):
    server = Server(*said, is_open=is_open)
    try:
        return server.connection.answer(has_body, True)
    finally:
        server.close()


def broken(*said, **more):
    with pytest.raises(Broken) as error:
        answered(*said, **more)
    return error.value


def test_a_whole_answer_comes_back():
    assert answered(HEAD + b"0123456789") == (200, {"content-length": "10", "etag": '"e"'}, b"0123456789")
    assert answered(HEAD[:20], HEAD[20:] + b"01234", b"56789", is_open=True)[2] == b"0123456789"
    assert answered(HEAD, has_body=False, is_open=True)[2] == b"", "HEAD"
    assert answered(b"HTTP/1.1 204 No Content\r\n\r\n", is_open=True)[0] == 204


def test_a_body_that_ends_early_is_told_with_what_came():
    error = broken(HEAD + b"01234")
    assert (error.how, error.status, error.body) == ("short", 200, b"01234")


def test_an_end_before_an_answer_a_silence_and_rubbish_differ():
    assert broken().how == "reset"
    assert broken(HEAD[:30]).how == "reset"
    assert broken(is_open=True).how == "timeout"
    assert broken(HEAD + b"012", is_open=True).how == "timeout"
    assert broken(b"SSH-2.0\r\n\r\n").how == "garbled"
    assert broken(b"HTTP/1.1 200 OK\r\n\r\n").how == "garbled", "no length"


def test_what_was_never_sent_whole_is_certainly_not_applied():
    server = Server(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n", is_open=True)
    assert server.connection.send(b"head", bytes(1 << 20)) is False, "an early answer"
    assert server.connection.answer(True, False)[0] == 503
    server.close()
    server = Server()
    server.theirs.close()
    assert server.connection.send(b"", bytes(1 << 20)) is False, "nobody there"
    server.close()
    assert outcome_of_write(Broken("reset", "", False)) == "fail"
    assert outcome_of_write(Broken("reset", "", True)) == "unknown"
    server = Server(is_open=True)
    got = []
    reader = threading.Thread(target=lambda: got.extend(iter(lambda: len(server.theirs.recv(65536)), 0)))
    reader.start()
    assert server.connection.send(b"", bytes(1 << 20)) is True
    server.connection.close()
    reader.join()
    assert sum(got) == 1 << 20
    server.close()


def test_nobody_listening_is_told_as_such():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()
    with pytest.raises(Broken) as error:
        Connection(address, ssl.create_default_context(), 1)
    assert error.value.how == "connect" and not error.value.is_sent


def test_outcomes_of_writes():
    def outcome(status, body=b""):
        return outcome_of_write(type("Answer", (), {"status": status, "code": code_of(status, body)}))
    assert [outcome(status) for status in (200, 204, 404, 412, 500, 503)] == [
        "ok", "ok", "fail", "fail", "unknown", "unknown"]
    assert outcome(200, b"<?xml?><Error><Code>InternalError</Code></Error>") == "unknown"


def test_bytes_of_a_broken_body_are_judged_too():
    history, operation = History(), Operation("c", "f", "get", "b", "k")
    history.record(Operation("c", "f", "put", "b", "k", wrote="v", etag="e", length=10))
    judge_read(operation, history, Broken("short", "", True, 200, {
        "content-length": "10", "etag": '"e"', "x-amz-meta-value": "v"}, b"wrong"))
    assert operation.problem and operation.read is None and operation.outcome == "fail"


def test_a_listing_is_read_with_its_escapes():
    assert listed(b"<Contents><Key>a&amp;b</Key><ETag>&quot;e-2&quot;</ETag><Size>7</Size></Contents>") == [
        ["a&b", "e-2", 7]]


def test_the_signature_of_a_known_request():
    """As python3-botocore signs it, in another spelling: the header's order is free, the signature is not."""
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
    client = Client.__new__(Client)
    client.access_key, client.secret_key, client.signing_key = "AKID", "secret", (None, None)
    endpoint = type("Endpoint", (), {"host": "h", "port": 9})
    head = client.head(endpoint, "PUT", "/b/a%20b", "partNumber=1&uploadId=u", {"x-amz-meta-value": "v"},
                       "UNSIGNED-PAYLOAD", 0).decode()
    lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
    request = AWSRequest("PUT", "https://h:9/b/a%20b?partNumber=1&uploadId=u", headers={
        name: value for name, value in lines.items() if name not in ("authorization", "content-length")})
    request.context["timestamp"] = lines["x-amz-date"]
    auth = S3SigV4Auth(Credentials("AKID", "secret"), "s3", "us-east-1")
    canonical = auth.canonical_request(request)
    signature = auth.signature(auth.string_to_sign(request, canonical), request)
    assert lines["authorization"].endswith(f"Signature={signature}")
