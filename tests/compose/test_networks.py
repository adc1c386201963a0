"""What must not connect does not, from inside the containers; and what must, does, so that the first can fail."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from project import run

NETWORKS = ("public", "edge", "keys", "content", "blobs")
# Who stands where. Whatever is not here must have no address there.
MEMBERS = {
    "keystore": {"keys"},
    "contentdb": {"keys", "content"},
    "steward": {"keys", "content", "blobs"},
    "frontend": {"edge", "keys", "content", "blobs"},
    "gateway": {"public", "edge"},
    "blobnode": {"blobs"},
}
# (service, network, port): everything that listens, and who may reach it.
DOORS = {
    ("keystore", "keys", 7201): {"contentdb", "steward", "frontend"},
    ("keystore", "keys", 9100): {"contentdb", "steward", "frontend"},
    ("contentdb", "content", 7302): {"steward", "frontend"},
    ("contentdb", "content", 9100): {"steward", "frontend"},
    ("blobnode", "blobs", 7301): {"blobnode", "steward", "frontend"},
    ("blobnode", "blobs", 9100): {"blobnode", "steward", "frontend"},
    ("steward", "content", 9100): {"contentdb", "frontend"},
    ("frontend", "edge", 9000): {"frontend", "gateway"},
    ("frontend", "edge", 9100): {"frontend", "gateway"},
    ("gateway", "edge", 9000): {"frontend"},
    ("gateway", "edge", 9100): {"frontend"},
}
ROLES = ("keystore", "contentdb", "steward", "frontend", "gateway", "blobnode")


def one(project, role):
    """A container of the role."""
    return project.containers("blobnode1" if role == "blobnode" else role)[0]


def other(project, role):
    """Another one than one() where there are several."""
    return project.containers("blobnode2" if role == "blobnode" else role)[-1]


def test_every_part_stands_on_its_networks_only(project):
    for service, facts in project.all():
        expected = MEMBERS.get(service.rstrip("0123456789"))
        if expected is not None:
            assert {name.removeprefix(f"{project.name}_") for name in facts["NetworkSettings"]["Networks"]} == expected


def test_all_networks_but_public_are_internal(project):
    for network in NETWORKS:
        facts = project.inspect(f"{project.name}_{network}")[0]
        assert facts["Internal"] == (network != "public"), network


@pytest.mark.parametrize("role", sorted(set(ROLES) - {"gateway"}))
def test_a_part_reaches_the_doors_that_are_its_own_and_no_other(project, role):
    """Each port of each part is tried on each of its addresses: 7201 on the key store's, 9000 on all four of a frontend's..."""
    caller = one(project, role)
    addresses = project.addresses()
    wanted = {}
    for (service, door_network, port), callers in DOORS.items():
        target = other(project, service)
        for network in MEMBERS[service]:
            # haproxy listens on all its addresses: what it publishes is open anyway.
            if target != caller and (service, network, port) != ("gateway", "public", 9000):
                wanted[addresses[target][network], port] = (service, network, role in callers and network == door_network)
    reached = project.reached(caller, wanted)
    wrong = [f"{role} to {service} on {network}, port {door[1]}: connects is {not expected}"
             for door, (service, network, expected) in wanted.items() if (door in reached) != expected]
    assert not wrong, "\n".join(wrong)
    assert len(wanted) >= 15


def test_the_gateway_reaches_the_frontends_and_no_other_part(project):
    """Outside addresses lead it to the outside, where some networks accept every connection: only an answer counts."""
    caller = one(project, "gateway")
    addresses = project.addresses()
    answering = set()
    for role in sorted(set(ROLES) - {"gateway"}):
        for network in MEMBERS[role]:
            script = (f"exec 3<>/dev/tcp/{addresses[one(project, role)][network]}/9100; "
                      "printf 'GET /health HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3")
            answer = project.execute(caller, "timeout", "2", "bash", "-c", script, check=False).stdout
            if answer.startswith("HTTP/1.0 200") and answer.endswith("ready\n"):
                answering.add((role, network))
    assert answering == {("frontend", "edge")}


@pytest.mark.parametrize("role", ["contentdb", "blobnode", "keystore"])
def test_parts_without_the_way_do_not_even_know_the_name(project, role):
    names = {"keystore": "blobnode1.blobs", "blobnode": "keystore.keys", "contentdb": "frontend.edge"}
    known = {"keystore": "contentdb.keys", "blobnode": "blobnode2.blobs", "contentdb": "keystore.keys"}
    caller = one(project, role)
    assert project.execute(caller, "getent", "hosts", known[role]).stdout
    assert project.execute(caller, "getent", "hosts", names[role], check=False).returncode != 0


class Listener:
    """A port of the host on all its addresses, as some service of its might have."""

    def __enter__(self):
        self.socket = socket.socket()
        self.socket.bind(("0.0.0.0", 0))
        self.socket.listen(16)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def serve(self):
        while True:
            try:
                self.socket.accept()[0].close()
            except OSError:
                return

    def __exit__(self, *_):
        self.socket.close()


def host_addresses():
    return [address for address in run("hostname", "-I").stdout.split() if "." in address][:4]


def bridge_addresses(project):
    """The address that the engine gives to the host on each network; on inner ones it keeps it for nobody."""
    return {network: project.inspect(f"{project.name}_{network}")[0]["IPAM"]["Config"][0]["Gateway"]
            for network in NETWORKS}


INNER = ("keystore", "contentdb", "blobnode", "steward", "frontend")


def of_each(project, ask):
    """{role: ask(a container of it)}, all at once: what gets no answer takes its time."""
    callers = [one(project, role) for role in INNER]
    with ThreadPoolExecutor(len(INNER)) as pool:
        return dict(zip(INNER, pool.map(ask, callers)))


def test_no_inner_part_reaches_a_port_of_the_host(project):
    bridges = bridge_addresses(project)
    with Listener() as listener:
        # The control: from the public network the host's port is open.
        assert project.connects(one(project, "gateway"), bridges["public"], listener.port)
        doors = [(address, listener.port) for address in (*bridges.values(), *host_addresses())]
        assert of_each(project, lambda caller: project.reached(caller, doors)) == {role: set() for role in INNER}


def test_nothing_on_an_inner_network_gets_out(project):
    doors = [("192.0.2.1", 53), ("8.8.8.8", 53)]
    assert of_each(project, lambda caller: project.reached(caller, doors)) == {role: set() for role in INNER}
    # No IPv6 beside it: bridges have link-local addresses of the host, which no rule covers.
    six = of_each(project, lambda caller: project.execute(caller, "cat", "/proc/net/if_inet6", check=False).stdout.splitlines())
    assert {role: [line for line in lines if not line.endswith(" lo")] for role, lines in six.items()} == {
        role: [] for role in INNER}
    # Nor does the engine's resolver carry questions out.
    found = of_each(project, lambda caller: project.execute(caller, "getent", "hosts", "deb.debian.org", check=False).returncode)
    assert 0 not in found.values()


def test_one_port_is_published_and_only_on_the_address_asked_for(project):
    published = {(service, port, binding["HostIp"], int(binding["HostPort"]))
                 for service, facts in project.all()
                 for port, bindings in facts["NetworkSettings"]["Ports"].items() for binding in bindings or []}
    assert published == {("gateway", "9000/tcp", "127.0.0.1", project.port)}
