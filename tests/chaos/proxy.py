"""A TCP proxy between two daemons that can lose a reply, delay, or stall.

It sees TLS records only. A request is a larger run of bytes on a connection on which both sides spoke
before: the handshake is over, and HTTP/2's own small frames (pings, window updates) do not count.
"""

import socket
import struct
import threading
import time

PIECE = 256 * 1024
TALKED = 3000    # Bytes that the server sent: its handshake, and more.
REQUEST = 128    # Bytes; frames of HTTP/2 about itself are below that under TLS, calls are above.
REPLY = 64
REPLY_WAIT = 2.0  # Seconds that the server has to answer what is then lost.


class Connection:
    """One client's connection and ours to the server, each pumped by a thread."""

    def __init__(self, proxy, client):
        self.proxy, self.client = proxy, client
        self.server = None
        self.received = 0          # Bytes from the server.
        self.losing = None         # Since when this connection's reply is being lost.
        self.lock = threading.Lock()

    def serve(self):
        try:
            self.proxy.gate.wait()
            self.server = socket.create_connection(self.proxy.target, timeout=5)
            self.server.settimeout(None)
        except OSError:
            self.reset()
            return
        for one in (self.client, self.server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        down = threading.Thread(target=self._pump, args=(self.server, self._from_server), daemon=True)
        down.start()
        self._pump(self.client, self._from_client)
        down.join()
        self.proxy.forget(self)

    def _pump(self, source, forward):
        try:
            while data := source.recv(PIECE):
                time.sleep(self.proxy.delay_s)
                self.proxy.gate.wait()
                forward(data)
            other = self.server if source is self.client else self.client
            other.shutdown(socket.SHUT_WR)
        except OSError:
            self.reset()

    def _from_client(self, data):
        if len(data) >= REQUEST and self.received >= TALKED and self.losing is None \
                and self.proxy.take_order():
            self.losing = time.monotonic()
            # Where no answer comes the client must not wait for ever either.
            timer = threading.Timer(REPLY_WAIT, self._lost)
            timer.daemon = True
            timer.start()
        self.server.sendall(data)

    def _from_server(self, data):
        self.received += len(data)
        if self.losing is None:
            self.client.sendall(data)
        elif len(data) >= REPLY:
            self._lost()

    def _lost(self):
        with self.lock:
            if self.losing is None:
                return
            self.losing = None
            self.reset()
        self.proxy.lost += 1

    def reset(self):
        """Both ends see a reset, not an orderly end."""
        for one in (self.client, self.server):
            if one is None:
                continue
            try:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                # Wakes the thread that reads; the reset itself goes out with the close below.
                one.shutdown(socket.SHUT_RD)
            except OSError:
                pass
            one.close()
        self.proxy.forget(self)


class Proxy:
    def __init__(self, host, target, port=0):
        self.target = target
        self.lost = 0            # Replies that were lost so far.
        self.delay_s = 0.0       # For each piece, in each direction.
        self.gate = threading.Event()
        self.gate.set()
        self._orders = 0
        self._lock = threading.Lock()
        self._connections = set()
        self._listener = socket.create_server((host, port), backlog=64)
        self.address = self._listener.getsockname()[:2]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            connection = Connection(self, client)
            with self._lock:
                self._connections.add(connection)
            threading.Thread(target=connection.serve, daemon=True).start()

    def forget(self, connection):
        with self._lock:
            self._connections.discard(connection)

    # ---------------------------------------------------------------- levers

    def lose_reply(self, count=1):
        """The answers to the next count requests are swallowed, and their connections reset."""
        with self._lock:
            self._orders = count

    def take_order(self):
        with self._lock:
            if self._orders == 0:
                return False
            self._orders -= 1
            return True

    def delay(self, milliseconds):
        self.delay_s = milliseconds / 1000

    def stall(self):
        """Connections stay, and nothing goes through, as if the cable were cut."""
        self.gate.clear()

    def flow(self):
        self.gate.set()

    def calm(self):
        """Everything as at the beginning."""
        self.lose_reply(0)
        self.delay(0)
        self.gate.set()

    def reset(self):
        """All connections of now."""
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.reset()

    def close(self):
        self.calm()
        # Closing alone does not wake a thread that accepts.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.reset()
