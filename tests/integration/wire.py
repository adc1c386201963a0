"""S3 by hand on a TLS socket: for clients that are slow, break off, or look at what really came."""

import re
import socket
import ssl
import urllib.parse

from test_bad_input import Signed


class Wire(Signed):
    """Makes signed request heads; what is done with them is the caller's."""

    def send(self, method, target, headers, body=b"", length=None, sent=None):
        lines = [f"{method} {urllib.parse.quote(target, safe='/~-._?=&%')} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines.append(f"content-length: {len(body) if length is None else length}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def get_head(self, bucket, key):
        return self.request("GET", f"/{bucket}/{key}")

    def put_head(self, bucket, key, length):
        return self.request("PUT", f"/{bucket}/{key}", length=length, digest="UNSIGNED-PAYLOAD")

    def connect(self, seconds=30, receive=None):
        """A TLS connection; receive: bytes of the kernel's buffer, for clients that take little."""
        plain = socket.socket()
        plain.settimeout(seconds)
        if receive is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        plain.connect(("127.0.0.1", self.cluster.port))
        return self.context.wrap_socket(plain, server_hostname="localhost")

    def answer(self, tls):
        """(status, announced length, body as far as it came, it is whole); status None: cut before a head."""
        got, whole = b"", None
        while whole is None or len(got) < whole:
            try:
                piece = tls.recv(262144)
            except (ConnectionError, ssl.SSLError):
                piece = b""
            if not piece:
                break
            got += piece
            if whole is None and b"\r\n\r\n" in got:
                head = got[: got.index(b"\r\n\r\n") + 4]
                length = int(re.search(rb"(?i)content-length: (\d+)", head).group(1))
                whole = len(head) + length
        if whole is None:
            return None, None, b"", False
        return int(got[9:12]), length, got[len(head):], len(got) == whole

    def get(self, bucket, key):
        with self.connect() as tls:
            tls.sendall(self.get_head(bucket, key))
            return self.answer(tls)
