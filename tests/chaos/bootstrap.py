"""From an empty directory to a cluster that serves, with the operator's own commands, two at a time.

The order is that of the operator guide and of ./quickstart: CAs and certificates, key store, shard,
accounts, tenant and user; then who serves clients.
"""

import hashlib
import json
import shutil
from concurrent.futures import ThreadPoolExecutor

CLUSTER = "chaos"
START = 60  # Seconds that a daemon may take at the first start (a sanitizer's build, a busy machine).

# Small segments: the disk is not filled by what is preallocated, and rolling over happens in a run.
ROLE_OPTIONS = {
    "blobnode": {"segment_size": "66MiB", "space_reserve": "64MiB"},
    "contentdb": {"segment_size": "16MiB", "space_reserve": "64MiB"},
}


def bring_up(deployment):
    with ThreadPoolExecutor(4) as pool:
        _Bootstrap(deployment, pool).run()


class _Bootstrap:
    def __init__(self, deployment, pool):
        self.it, self.pool = deployment, pool

    def run(self):
        it = self.it
        self._binaries()
        it.triad("pki", "init", "--dir", it.data / "pki", "--cluster", CLUSTER, config=None)
        self._all(self._configure, it.names)
        self._operator()
        it.execute(it.binary("keystore"), "init", "--config", it.configuration("keystore"))
        self._launch(["keystore", *it.blobs])
        it.triad("pki", "delegate", "--dir", it.data / "pki")
        for name in ["contentdb", "steward", *it.frontends]:
            it.triad("cert", "add", "--file", it.data / name / "tls/cert.pem")
        recovery = it.triad("shard", "create").stdout
        (it.data / "shard").write_text(recovery, encoding="utf-8")
        self._launch(["contentdb"])
        self._accounts()
        self._user()
        self._launch(["steward", *it.frontends])

    def _all(self, function, things):
        return list(self.pool.map(function, things))

    def _launch(self, names):
        for name in names:
            self.it.launch(name)
        for name in names:
            self.it.wait_ready(name, START)

    # ---------------------------------------------------------------- files

    def _binaries(self):
        """Copies: a build in the middle of a run changes nothing, and a pid's binary says whose it is."""
        if not (self.it.binaries / "keystore/keystore").is_file():
            raise RuntimeError(f"no binaries in {self.it.binaries}: build them, or set TRIAD_BIN")
        (self.it.data / "bin").mkdir()
        for role in ("keystore", "contentdb", "blobnode", "steward", "frontend"):
            shutil.copy(self.it.binaries / role / role, self.it.binary(role))
        shutil.copy(self.it.binaries / "cli/triad", self.it.binary("triad"))

    def _issue(self, role, ident, out, *words):
        self.it.triad("pki", "issue", "--dir", self.it.data / "pki", "--role", role, "--id", ident,
                      "--out", out, *words, config=None)

    def _configure(self, name):
        it, home = self.it, self.it.data / name
        home.mkdir()
        self._issue(it.role_of(name), name, home / "tls")
        if name in it.frontends:
            self._issue("public", name, home / "s3", "--dns", "localhost", "--ip", it.address(name)[0])
        if it.role_of(name) in ("keystore", "contentdb", "blobnode"):
            it.directory(name).mkdir()
        it.configuration(name).write_text(self._text(self._lines(name)), encoding="utf-8")

    def _operator(self):
        out = self.it.data / "operator"
        self._issue("operator", "admin", out)
        (self.it.data / "triad.conf").write_text(self._text({
            "cluster": CLUSTER, "ca_file": out / "ca.pem", "cert_file": out / "cert.pem",
            "key_file": out / "key.pem",
            **self._peers(None, "keystore", "contentdb")}), encoding="utf-8")

    @staticmethod
    def _text(lines):
        return "".join(f"{key} = {value}\n" for key, value in lines.items())

    def _peers(self, client, *servers):
        lines = {}
        for server in servers:
            lines[f"{server}_address"] = self.it.way(client, server)
            lines[f"{server}_tls_name"] = f"{server}.{server}.triad"
        return lines

    def _lines(self, name):
        it, home, role = self.it, self.it.data / name, self.it.role_of(name)
        lines = {"cluster": CLUSTER, "node_id": name, "admin_listen": "{}:{}".format(*it.admin(name)),
                 "ca_file": home / "tls/ca.pem", "cert_file": home / "tls/cert.pem",
                 "key_file": home / "tls/key.pem"}
        if role != "steward":
            lines["listen"] = "{}:{}".format(*it.address(name))
        if role in ("keystore", "contentdb", "blobnode"):
            lines["data_dir"] = it.directory(name)
        if role == "keystore":
            (it.data / "secrets").mkdir()
            lines["seal_key_file"] = it.data / "secrets/seal.key"
        elif role == "blobnode":
            lines["keyset_root_file"] = it.data / "pki/keyset-root.pub"
        elif role == "contentdb":
            lines |= self._peers(name, "keystore")
        else:
            lines |= self._peers(name, "keystore", "contentdb")
        if role == "frontend":
            lines |= {"s3_cert_file": home / "s3/cert.pem", "s3_key_file": home / "s3/key.pem"}
        # A name's own lines stand above its role's.
        return lines | ROLE_OPTIONS.get(role, {}) | it.options.get(role, {}) | it.options.get(name, {})

    # ---------------------------------------------------------------- rows

    def _accounts(self):
        for name in self.it.blobs:
            for i in range(self.it.accounts):
                account = hashlib.sha256(f"{name}-{i}".encode()).hexdigest()[:32]
                self.it.triad("account", "add", "--address", self.it.way("*", name),
                              "--tls-name", f"{name}.blobnode.triad", "--account", account)

    def _user(self):
        it, key = self.it, self.it.data / "secrets/tenant-admin.key"
        tenant = json.loads(it.triad("tenant", "create", "--name", "default", "--json").stdout)
        key.write_text(tenant["admin_key"], encoding="ascii")
        user = json.loads(it.triad("user", "create", "--tenant", "default", "--name", "admin",
                                   "--admin-key-file", key, "--json").stdout)
        it.access_key, it.secret_key = user["access_key"], user["secret_key"]
