"""Sockets inside another process's network namespace, and a relay on loopback that leads to one."""

import ctypes
import os
import socket
import threading

NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def enter(path):
    """Moves this thread, and no other, into a network namespace."""
    with open(path, "rb") as namespace:
        if LIBC.setns(namespace.fileno(), NEWNET) != 0:
            code = ctypes.get_errno()
            raise OSError(code, f"setns {path}: {os.strerror(code)}")


def connect_inside(pid, address, seconds):
    """A TCP connection from inside the namespace of that process. A socket stays where it was made."""
    answer = []

    def connect():
        # A thread of its own: if the way back failed, the caller would be left in the wrong network.
        try:
            enter(f"/proc/{pid}/ns/net")
            answer.append(socket.create_connection(address, seconds))
        except OSError as error:
            answer.append(error)

    thread = threading.Thread(target=connect)
    thread.start()
    thread.join()
    if isinstance(answer[0], OSError):
        raise answer[0]
    return answer[0]


class Relay:
    """Listens on 127.0.0.1:port; each connection is passed on over what connect() returns. An end ends both sides."""

    def __init__(self, connect):
        self.connect = connect
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.open, self.lock = set(), threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()
        with self.lock:
            for one in self.open:
                abort(one)

    def _accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            server = self.connect()
        except OSError:
            abort(client)
            client.close()
            return
        server.settimeout(None)
        with self.lock:
            self.open |= {client, server}
        back = threading.Thread(target=pump, args=(server, client), daemon=True)
        back.start()
        pump(client, server)
        back.join()
        with self.lock:
            self.open -= {client, server}
        client.close()
        server.close()


def pump(source, sink):
    """Until source ends; that is passed on, a break as a break."""
    try:
        while data := source.recv(1 << 16):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        abort(source)
        abort(sink)


def abort(one):
    try:
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
