"""RPCs with any certificate, through tests/support/rpc_probe: for tests that play the attacker."""

import importlib
import subprocess
import sys
import tempfile
from pathlib import Path

from cluster import BIN, REPO

PROBE = BIN / "tests/support/rpc_probe"


def load_protos():
    """Python classes of the .proto files, made by the protoc that the build uses."""
    out = tempfile.mkdtemp(prefix="triad-proto-")
    subprocess.run(["protoc", f"--proto_path={REPO}/proto", f"--python_out={out}",
                    *map(str, sorted((REPO / "proto").glob("*.proto")))], check=True)
    sys.path.insert(0, out)
    return tuple(importlib.import_module(f"{name}_pb2") for name in ("blob", "content", "key"))


blob, content, key = load_protos()
MODULES = {"blob": blob, "content": content, "identity": key, "keys": key}
SERVICES = {"blob": "Blob", "content": "Content", "identity": "Identity", "keys": "Keys"}


def methods(service):
    return [method.name for method in MODULES[service].DESCRIPTOR.services_by_name[SERVICES[service]].methods]


class Caller:
    """A holder of a certificate and key, as they lie in a directory of `triad pki issue`."""

    def __init__(self, cluster, tls, name="quickstart"):
        self.cluster, self.tls, self.cluster_name = cluster, Path(tls), name

    def call(self, daemon, service, method, request=None, capability=b"", payload=b""):
        """(status name, reply message or None, payload)."""
        descriptor = MODULES[service].DESCRIPTOR.services_by_name[SERVICES[service]].methods_by_name[method]
        kind = {"keystore": "keystore", "contentdb": "contentdb"}.get(daemon, "blobnode")
        port = self.cluster.listen_port(daemon)
        if request is None:
            request = getattr(MODULES[service], descriptor.input_type.name)()
        done = subprocess.run(
            [str(PROBE), str(self.tls / "ca.pem"), str(self.tls / "cert.pem"), str(self.tls / "key.pem"),
             self.cluster_name, f"127.0.0.1:{port}", f"{daemon}.{kind}.triad", kind, service, method,
             request.SerializeToString().hex(), capability.hex(), payload.hex()],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        words = done.stdout.rstrip("\n").split(" ")
        if done.returncode != 0:
            raise RuntimeError(f"rpc_probe {method}: {done.stderr}")
        if words[0] != "OK":
            return words[0], None, b""
        reply = getattr(MODULES[service], descriptor.output_type.name)()
        reply.ParseFromString(bytes.fromhex(words[1] if len(words) > 1 else ""))
        return "OK", reply, bytes.fromhex(words[2]) if len(words) > 2 else b""
