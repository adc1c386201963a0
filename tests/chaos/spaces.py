"""A network namespace for each daemon, on a bridge of the run's own, so that cables can be cut.

    daemon's namespace  eth0 --- switch's namespace, bridge --- root namespace  tr<tag>
    198.18.n.10 ...                                             198.18.n.1: clients, health, proxies

The bridge has a namespace too: in the root namespace a firewall of the machine's (docker sets one) could
drop what goes over it. Packets are dropped by nftables in both ends' namespaces, silently.
198.18.0.0/15 is set aside for tests of networks (RFC 2544), so that nobody's real network is hidden.
"""

import functools
import ipaddress
import json
import os
import random
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

NETWORKS = list(ipaddress.ip_network("198.18.0.0/15").subnets(new_prefix=24))

FIREWALL = """
add table ip triad
add set ip triad cut { type ipv4_addr; }
add chain ip triad in { type filter hook input priority 0; }
add chain ip triad out { type filter hook output priority 0; }
add rule ip triad in ip saddr @cut drop
add rule ip triad out ip daddr @cut drop
"""


def run(*command, text=None):
    done = subprocess.run(command, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=30, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout.strip()}")
    return done.stdout


def inside(namespace):
    """Words that run a command there. Not `ip netns exec`: its copy of all mounts would hold a power rig's."""
    return ["nsenter", f"--net=/run/netns/{namespace}"]


@functools.lru_cache(maxsize=1)
def why_not():
    """None where namespaces work, or the reason why they do not."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for tool in ("ip", "nft", "nsenter"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    trial = f"triad-trial-{os.getpid()}"
    try:
        run("ip", "netns", "add", trial)
        try:
            run(*inside(trial), "nft", "-f", "-", text=FIREWALL)
        finally:
            run("ip", "netns", "delete", trial)
    except (RuntimeError, OSError) as error:
        return str(error)
    return None


def free_network():
    """A /24 that no address and no route of this machine touches."""
    taken = []
    for route in json.loads(run("ip", "-j", "-4", "route", "show", "table", "all") or "[]"):
        if route["dst"] != "default":
            taken.append(ipaddress.ip_network(route["dst"].split()[-1], strict=False))
    free = [one for one in NETWORKS if not any(one.overlaps(other) for other in taken)]
    if not free:
        raise RuntimeError("no free network in 198.18.0.0/15")
    return random.choice(free)


class Spaces:
    def __init__(self, tag, names):
        self.tag, self.names = tag, list(names)
        self.cuts = set()       # (a, b), b may be "*": all other daemons.
        self._filters = {}      # name -> the addresses that its firewall drops

    def start(self):
        network = free_network()
        self.home = str(network[1])
        self._addresses = {name: str(network[10 + i]) for i, name in enumerate(self.names)}
        switch, up = self._space("switch"), f"tr{self.tag}"
        lines = [f"netns add {switch}"]
        for i, name in enumerate(self.names):
            lines += [f"netns add {self._space(name)}",
                      f"link add name p{i} netns {switch} type veth peer name eth0 netns {self._space(name)}"]
        lines += [f"link add name {up} type veth peer name uplink netns {switch}",
                  f"address add {self.home}/24 dev {up}", f"link set {up} up"]
        run("ip", "-batch", "-", text="\n".join(lines))
        ports = ["uplink", *[f"p{i}" for i in range(len(self.names))]]
        run("ip", "-netns", switch, "-batch", "-", text="link add name br0 type bridge\nlink set br0 up\n"
            + "".join(f"link set {port} master br0\nlink set {port} up\n" for port in ports))
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self._furnish, self.names))

    def _furnish(self, name):
        run("ip", "-netns", self._space(name), "-batch", "-", text=(
            f"link set lo up\naddress add {self._addresses[name]}/24 dev eth0\nlink set eth0 up\n"))
        run(*inside(self._space(name)), "nft", "-f", "-", text=FIREWALL)

    def _space(self, name):
        return f"triad-{self.tag}-{name}"

    def address(self, name):
        return self._addresses[name]

    def command(self, name):
        return inside(self._space(name))

    # ---------------------------------------------------------------- cables

    def cut(self, a, b):
        self.cuts.add((a, b))
        self._apply()

    def heal(self, *pair):
        """One cut, or all."""
        self.cuts -= {pair} if pair else set(self.cuts)
        self._apply()

    def _dropped(self, name):
        """The addresses that name must not hear from nor speak to."""
        others = set()
        for a, b in self.cuts:
            if a == name:
                others |= set(self.names) - {name} if b == "*" else {b}
            elif b == name:
                others.add(a)
        return {self._addresses[other] for other in others}

    def _apply(self):
        for name in self.names:
            wanted = self._dropped(name)
            if wanted == self._filters.get(name, set()):
                continue
            rules = "flush set ip triad cut\n"
            if wanted:
                rules += f"add element ip triad cut {{ {', '.join(sorted(wanted))} }}\n"
            run(*self.command(name), "nft", "-f", "-", text=rules)
            self._filters[name] = wanted
