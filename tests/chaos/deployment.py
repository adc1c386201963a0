"""A whole Triad of plain processes under the test's hand, one network namespace each where possible.

It is what the faults pull at: launch, kill, pause, cut, a proxy's levers. Threads may share it.
"""

import http.client
import os
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import bootstrap
import spaces as namespaces
from any_deployment import AnyDeployment
from daemons import Daemons
from leftovers import Run
from proxy import Proxy

sys.path.append(str(Path(__file__).resolve().parents[1] / "integration"))

from cluster import BIN, REPO, free_port_block  # noqa: E402

PORTS = {"keystore": 7201, "contentdb": 7302, "blobnode": 7301, "steward": 7400, "frontend": 9000}
ADMIN = 100  # The admin port lies so far above the daemon's.

Endpoint = namedtuple("Endpoint", "name host port")


class Deployment(AnyDeployment, Daemons):
    def __init__(self, nodes=6, accounts=1, frontends=2, binaries=BIN, preload=None, volumes=None,
                 proxies=(), options=None, spaces=None):
        super().__init__(preload)
        self.blobs = [f"blob{i + 1}" for i in range(nodes)]
        self.frontends = [f"frontend{i + 1}" for i in range(frontends)]
        self.names = ["keystore", "contentdb", *self.blobs, "steward", *self.frontends]
        self.accounts, self.binaries = accounts, Path(binaries)
        self.options = options or {}
        why_not = namespaces.why_not() if spaces is not False else "not wanted"
        if spaces and why_not:
            raise RuntimeError(f"no network namespaces: {why_not}")
        self.why_no_cuts, self.can_cut = why_not, why_not is None
        self.rigs = {name: rig for name, rig in (volumes or {}).items() if hasattr(rig, "restore")}
        self._volumes, self._edges = dict(volumes or {}), [tuple(edge) for edge in proxies]
        self.access_key = self.secret_key = self._spaces = self.data = None
        self.proxies = {}        # (client or "*", server) -> Proxy
        self._run = None

    # ---------------------------------------------------------------- all of it

    def start(self):
        self._run = Run("cluster")
        self.data = self._run.directory
        try:
            if self.can_cut:
                self._spaces = namespaces.Spaces(self._run.tag, self.names)
                self._spaces.start()
            else:
                self._base = free_port_block(2 * len(self.names))
            for name, rig in self.rigs.items():
                self._volumes[name] = rig.mount()
            for client, server in self._edges:
                host = self._spaces.home if self.can_cut else "127.0.0.1"
                self.proxies[client, server] = Proxy(host, self.address(server))
            bootstrap.bring_up(self)
        except BaseException:
            self.close()
            raise
        return self

    def close(self):
        """Ends and removes everything; the directory stays with TRIAD_KEEP=1. A rig is closed too."""
        with self._lock:
            run, self._run, self._is_closed = self._run, None, True
            if run is None:
                return
            for name in self.names:
                self.kill(name)
            for proxy in self.proxies.values():
                proxy.close()
            for rig in self.rigs.values():
                rig.close()
            keep = bool(os.environ.get("TRIAD_KEEP"))
            if keep:
                print(f"kept {self.data}")
            run.close(keep)

    # ---------------------------------------------------------------- names and places

    def address(self, name):
        """(host, port) where the daemon listens."""
        if self.can_cut:
            return self._spaces.address(name), PORTS[self.role_of(name)]
        return "127.0.0.1", self._base + 2 * self.names.index(name)

    def admin(self, name):
        host, port = self.address(name)
        return host, port + (ADMIN if self.can_cut else 1)

    def way(self, client, server):
        """host:port where this client finds that server: its proxy, or itself."""
        proxy = self.proxies.get((client, server))
        return "{}:{}".format(*(proxy.address if proxy else self.address(server)))

    def binary(self, role):
        return self.data / "bin" / role

    def configuration(self, name):
        return self.data / name / f"{self.role_of(name)}.conf"

    def _home(self, name):
        return self.data / name

    def _command(self, name):
        return [str(self.binary(self.role_of(name))), "--config", str(self.configuration(name))]

    def _place(self, name):
        return self._spaces.command(name) if self.can_cut else []

    def directory(self, name):
        """The daemon's data directory."""
        return Path(self._volumes.get(name, self.data / name)) / "data"

    @property
    def endpoints(self):
        return [Endpoint(name, *self.address(name)) for name in self.frontends]

    @property
    def ca(self):
        return self.data / self.frontends[0] / "s3/ca.pem"

    # ---------------------------------------------------------------- what they say

    def _admin_connection(self, name, seconds):
        return http.client.HTTPConnection(*self.admin(name), timeout=seconds)

    def log(self, name):
        return (self.data / name / "log").read_text(encoding="utf-8", errors="replace")

    def execute(self, *words, check=True):
        done = subprocess.run(list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=60, check=False)
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, words))}: {done.stdout}{done.stderr}")
        return done

    def triad(self, *words, check=True, config=True):
        """The CLI, with the operator's certificate."""
        more = ["--config", self.data / "triad.conf"] if config else []
        return self.execute(self.binary("triad"), *words, *more, check=check)

    # ---------------------------------------------------------------- the network

    def cut(self, a, b):
        """No packet goes between a and b any more, until heal. b may be "*": all other daemons.

        A proxied edge goes through us: there the proxy stalls.
        """
        if not self.can_cut:
            raise RuntimeError(f"cannot cut: {self.why_no_cuts}")
        with self._lock:
            self._spaces.cut(a, b)
            self._stall_proxies()

    def heal(self, *pair):
        """Lifts the cut of this pair, or all cuts."""
        with self._lock:
            if self.can_cut and self._spaces is not None:
                self._spaces.heal(*pair)
                self._stall_proxies()

    def _stall_proxies(self):
        for edge, proxy in self.proxies.items():
            cuts = self._spaces.cuts
            is_cut = edge in cuts or edge[::-1] in cuts or any((name, "*") in cuts for name in edge)
            (proxy.stall if is_cut else proxy.flow)()

    def proxy(self, a, b):
        return self.proxies[a, b]
