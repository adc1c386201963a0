"""deploy/compose under the test's hand: what deployment.py offers, for containers.

Brought up under a project name of its own by tests/compose/project.py, looked at through the engine. The host
has no way to the inner networks, on purpose; so what is asked of a container is asked by a socket
that is made inside its network namespace. Clients come through a relay of ours to each frontend, past haproxy.
There are no power rigs and no proxies here: the faults that need them are not possible.
"""

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import relay
from any_deployment import AnyDeployment
from deployment import Endpoint
from spaces import FIREWALL

sys.path.append(str(Path(__file__).resolve().parents[1] / "compose"))

from project import Project, run, why_not  # noqa: E402

ADMIN = 9100
ADMIN_NETWORK = {"keystore": "keys", "contentdb": "content", "steward": "content", "blobnode": "blobs", "frontend": "edge"}
KILLED = 137  # The engine's code for a death by SIGKILL.


class ComposeDeployment(AnyDeployment):
    accounts = 1

    def __init__(self, project=None):
        """project: a Project that runs already, and is left running."""
        reason = (None if project else why_not()) or ("it needs root" if os.geteuid() != 0 else None)
        if reason:
            raise RuntimeError(f"no containers: {reason}")
        self._is_ours = project is None
        self.project = project or Project(f"triadchaos{os.getpid()}")
        self.blobs = [f"blob{i}" for i in range(1, 7)]
        self.frontends = ["frontend1", "frontend2"]
        self.names = ["keystore", "contentdb", *self.blobs, "steward", *self.frontends]
        self.can_cut = all(shutil.which(tool) for tool in ("nsenter", "nft"))
        self.why_no_cuts = None if self.can_cut else "nsenter or nft is not installed"
        self.rigs, self.proxies, self.options = {}, {}, {}
        self.access_key = self.secret_key = None
        self._ids, self._cuts, self._relays, self._kills, self._launched = {}, set(), {}, {}, {}
        self._lock, self._events, self._operator = threading.RLock(), None, None

    # ---------------------------------------------------------------- all of it

    def start(self):
        try:
            if self._is_ours:
                self.project.start()
            for name in self.names:
                service, number = self._service(name)
                self._ids[name] = self.project.containers(service)[number]
            self._events = Deaths(self.project.name)
            self._operator = self._start_operator()
            text = (self.project.client / "credentials").read_text()
            self.access_key, self.secret_key = re.findall(r"_key(?:_id)? = (\S+)", text)
            for name in self.frontends:
                self._relays[name] = relay.Relay(lambda name=name: self._connect(name, 9000, 5))
        except BaseException:
            self.close()
            raise
        return self

    def _start_operator(self):
        """A container that waits for `docker exec`: `compose run` for each call would take seconds."""
        done = self.project.compose("run", "-d", "--entrypoint", "sleep", "operator", "infinity")
        return done.stdout.split()[-1]

    def close(self):
        for one in self._relays.values():
            one.close()
        if self._events is not None:
            self._events.close()
        if self._operator is not None:
            run("docker", "rm", "-f", self._operator, check=False)
        if self._is_ours:
            self.project.close()

    # ---------------------------------------------------------------- names and places

    def _service(self, name):
        """(service, which of its replicas)."""
        if name.startswith("blob"):
            return name.replace("blob", "blobnode"), 0
        return self.role_of(name), int(name[-1]) - 1 if name in self.frontends else 0

    def container(self, name):
        """Its id, which a restart keeps."""
        return self._ids[name]

    def _facts(self, name):
        return self.project.inspect(self._ids[name])[0]

    def _addresses(self, facts):
        return {network.removeprefix(f"{self.project.name}_"): where["IPAddress"]
                for network, where in facts["NetworkSettings"]["Networks"].items()}

    @property
    def endpoints(self):
        return [Endpoint(name, "127.0.0.1", one.port) for name, one in self._relays.items()]

    @property
    def ca(self):
        return self.project.client / "ca.pem"

    def directory(self, name):
        volume = f"{self.project.name}_{self._service(name)[0]}-data"
        return Path(self.project.inspect_volume(volume)["Mountpoint"])

    # ---------------------------------------------------------------- processes

    def pid(self, name):
        state = self._facts(name)["State"]
        return state["Pid"] if state["Running"] and state["Pid"] else None

    def alive(self, name):
        """Also while the engine is about to start it again."""
        state = self._facts(name)["State"]
        return state["Running"] or state["Restarting"]

    def launch(self, name, wrapper=()):
        assert not wrapper, "no wrapper reaches into a container"
        with self._lock:
            if not self.alive(name):
                self._launched[name] = time.monotonic()
                run("docker", "start", self._ids[name])
                self._apply()

    def kill(self, name):
        """Through the engine, which then leaves it down; it is gone on the return."""
        with self._lock:
            if not self.alive(name):
                return
            self.doom(name)
            run("docker", "kill", "--signal", "KILL", self._ids[name], check=False)
            deadline = time.monotonic() + 10
            while self.alive(name):
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{name} survives SIGKILL")
                time.sleep(0.05)

    def doom(self, name):
        self._kills[name] = self._kills.get(name, 0) + 1

    def restart(self, name):
        """Nothing: the engine starts again what ended by itself. What was cut stays cut for its new life."""
        if self._cuts:
            with self._lock:
                self._apply()

    def pause(self, name):
        run("docker", "pause", self._ids[name], check=False)

    def resume(self, name):
        run("docker", "unpause", self._ids[name], check=False)

    @property
    def deaths(self):
        """(name, exit code or minus the signal) of those that ended by themselves."""
        names = {container: name for name, container in self._ids.items()}
        kills, found = dict(self._kills), []
        for container, code in self._events.seen():
            name = names.get(container)
            if name is None:
                continue
            if code == KILLED and kills.get(name, 0) > 0:
                kills[name] -= 1
                continue
            found.append((name, 128 - code if code > 128 else code))
        return found

    # ---------------------------------------------------------------- what they say

    def _connect(self, name, port, seconds):
        """A connection to a port of the container, made inside its own network namespace."""
        facts = self._facts(name)
        if not facts["State"]["Pid"]:
            raise ConnectionRefusedError(f"{name} does not run")
        address = self._addresses(facts)[ADMIN_NETWORK[self.role_of(name)]]
        return relay.connect_inside(facts["State"]["Pid"], (address, port), seconds)

    def _admin_connection(self, name, seconds):
        connection = http.client.HTTPConnection("localhost", timeout=seconds)
        connection.sock = self._connect(name, ADMIN, seconds)
        return connection

    def wait_ready(self, name, seconds):
        """After a launch since its beginning: the engine's part is not left out."""
        now = time.monotonic()
        return now - self._launched.pop(name, now) + super().wait_ready(name, seconds)

    def log(self, name):
        done = run("docker", "logs", self._ids[name], check=False)
        return done.stdout + done.stderr

    def triad(self, *words, check=True, config=True):
        command = ["/usr/local/lib/triad/operator"] if config else ["triad"]
        return self.project.execute(self._operator, *command, *words, check=check)

    # ---------------------------------------------------------------- the network

    def cut(self, a, b):
        """No packet goes between a and b any more on any network, until heal. b may be "*": all other daemons."""
        if not self.can_cut:
            raise RuntimeError(f"cannot cut: {self.why_no_cuts}")
        with self._lock:
            self._cuts.add((a, b))
            self._apply()

    def heal(self, *pair):
        """Lifts the cut of this pair, or all cuts."""
        with self._lock:
            self._cuts -= {pair} if pair else set(self._cuts)
            if self.can_cut:
                self._apply()

    def _apply(self):
        """Each daemon's firewall says what the cuts say. A container that started again has a new one, and new addresses."""
        facts = dict(zip(self.names, self.project.inspect(*[self._ids[name] for name in self.names])))
        addresses = {name: set(self._addresses(one).values()) - {""} for name, one in facts.items()}
        for name in self.names:
            if not facts[name]["State"]["Running"] or not facts[name]["State"]["Pid"]:
                continue
            others = [b if a == name else a for a, b in self._cuts if name in (a, b)]
            others = [other for one in others for other in (self.names if one == "*" else [one]) if other != name]
            others += [a for a, b in self._cuts if b == "*" and a != name]
            wanted = sorted(set().union(set(), *(addresses[other] for other in others)))
            self._filter(facts[name]["State"]["Pid"], wanted)

    def _filter(self, pid, addresses):
        rules = "add table ip triad\ndelete table ip triad\n"
        if addresses:
            rules += FIREWALL + f"add element ip triad cut {{ {', '.join(addresses)} }}\n"
        done = subprocess.run(["nsenter", "--net", "--target", str(pid), "nft", "-f", "-"], input=rules, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=10, check=False)
        if done.returncode != 0 and Path(f"/proc/{pid}").exists():
            raise RuntimeError(f"nft in the namespace of {pid}: {done.stdout}")


class Deaths:
    """Listens to the engine: which containers of a project died, and of what."""

    def __init__(self, project):
        self._seen, self._lock = [], threading.Lock()
        self._process = subprocess.Popen(
            ["docker", "events", "--filter", "event=die", "--filter", f"label=com.docker.compose.project={project}",
             "--format", "{{json .}}"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for line in self._process.stdout:
            actor = json.loads(line)["Actor"]
            with self._lock:
                self._seen.append((actor["ID"], int(actor["Attributes"]["exitCode"])))

    def seen(self):
        with self._lock:
            return list(self._seen)

    def close(self):
        self._process.kill()
        self._process.wait()
