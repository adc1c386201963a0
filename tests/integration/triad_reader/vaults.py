"""FORMATS 2, 9 and 10: the key store's two vaults, from the seal file down to a bucket's keys."""

import os

from triad_reader.primitives import (Fields, Refused, derive, require, sha256, u32, unwrap,
                                     unwrap_padded)
from triad_reader.sealed_log import Database


class Vault:
    """<key store>/identity or /keys: seal, kv/"""

    def __init__(self, directory, slot_key):
        with open(os.path.join(directory, "seal"), "rb") as file:
            fields = Fields(file.read(), f"{directory}/seal")
        fields.magic(b"TSL1", 1)
        self.uuid = fields.take(16)
        self.root = self._open_root(fields, slot_key)
        self.seks = {}
        for _ in range(fields.u16()):
            version = fields.u32()
            kek = derive(self.root, "triad/v1/sek", u32(version))
            self.seks[version] = unwrap(kek, fields.take(40), f"SEK {version}")
        fields.end()
        self.database = Database(os.path.join(directory, "kv"), self.uuid, self.seks)
        self.rows = self.database.rows

    def _open_root(self, fields, slot_key):
        root, kek = None, derive(slot_key, "triad/v1/seal", self.uuid)
        for _ in range(fields.u16()):
            kind, _, wrapped = fields.u8(), fields.text(), fields.take(40)
            if kind == 1:
                try:
                    root = unwrap(kek, wrapped, "root")
                except Refused:
                    continue
        require(root is not None, "no slot of the seal opens with this key file")
        return root

    def row(self, key, what):
        require(key in self.rows, f"{what}: no such row")
        return self.rows[key]


class Keys:
    """Keys of the vault `keys`."""

    def __init__(self, directory, slot_key):
        self.vault = Vault(os.path.join(directory, "keys"), slot_key)
        self.masters = dict(self._versions("M", "mk", 0))
        self.grants = dict(self._versions("G", "gk", 8))
        self.integrity = dict(self._versions("I", "ik", 0))
        self.bucket_keys = {}

    def _versions(self, letter, label, skip):
        for key, value in self.vault.database.below(letter.encode()):
            version, fields = int.from_bytes(key, "big"), Fields(value, f"row {letter}")
            fields.take(skip)
            kek = derive(self.vault.root, f"triad/v1/{label}", key)
            yield version, unwrap(kek, fields.take(40), f"{label} {version}")
            fields.end()

    def account_id_key(self, account):
        fields = Fields(self.vault.row(b"A" + account, "account"), "row A")
        fields.take(8)
        kek = derive(self.vault.root, "triad/v1/idk", account)
        return unwrap(kek, fields.take(40), "IDK")

    def shard_key(self, db_uuid, shard, version, wrapped):
        """The TDE key of a shard; the wrapping says by itself which master key it is under."""
        for master in self.masters.values():
            kek = derive(master, "triad/v1/tde", db_uuid + u32(shard) + u32(version))
            try:
                return unwrap(kek, wrapped, "DEK")
            except Refused:
                continue
        raise Refused(f"DEK {version} of shard {shard} opens under no master key")

    def anchor(self, shard):
        """(fence, seq, tag) that the shard's log must reach."""
        fields = Fields(self.vault.row(b"S" + u32(shard), "shard"), "row S")
        fields.take(16 + 4 + 8 + 16)
        return fields.u32(), fields.u64(), fields.take(16)

    def tenant_key(self, tenant):
        fields = Fields(self.vault.row(b"T" + tenant, "tenant"), "row T")
        require(fields.take(16) == tenant, "row T of another tenant")
        fields.u8()
        version, found = fields.u32(), None
        for _ in range(fields.u16()):
            kind, _, kek_version = fields.u8(), fields.text(), fields.text()
            alg, wrapped = fields.u8(), fields.text()
            if kind == 1 and alg == 1:
                master = self.masters[int.from_bytes(kek_version, "big")]
                kek = derive(master, "triad/v1/tk", tenant + u32(version))
                found = unwrap(kek, wrapped, "TK")
        fields.end()
        require(found is not None, "tenant without a master protector")
        return found

    def open_bucket(self, bucket):
        """({bk_ver: BK}, AK, tenant16)"""
        if bucket not in self.bucket_keys:
            self.bucket_keys[bucket] = self._open_bucket(bucket)
        return self.bucket_keys[bucket]

    def _open_bucket(self, bucket):
        fields = Fields(self.vault.row(b"B" + bucket, "bucket"), "row B of the vault")
        require(fields.take(16) == bucket, "row B of another bucket")
        tenant = fields.take(16)
        fields.take(32 + 1 + 1 + 32 + 16)
        ak_version, ak_wrapped, versions = fields.u32(), fields.take(40), {}
        for _ in range(fields.u16()):
            version, kind = fields.u32(), fields.u8()
            fields.take(16)
            fields.u32()
            alg, wrapped = fields.u8(), fields.text()
            require(kind == 1 and alg == 1, "bucket key under something else than its tenant")
            kek = derive(self.tenant_key(tenant), "triad/v1/bk", tenant + bucket + u32(version))
            versions[version] = unwrap(kek, wrapped, f"BK {version}")
        fields.end()
        kek = derive(versions[ak_version], "triad/v1/ak", tenant + bucket)
        return versions, unwrap(kek, ak_wrapped, "AK"), tenant


class Identity:
    """Users of the vault `identity`."""

    def __init__(self, directory, slot_key):
        self.vault = Vault(os.path.join(directory, "identity"), slot_key)

    def tenants(self):
        return {name.decode(): value[:16] for name, value in self.vault.database.below(b"t")}

    def users(self):
        """{access key: (tenant16, name, S3 secret)}"""
        users = {}
        for access, value in self.vault.database.below(b"u"):
            fields = Fields(value, "row u")
            tenant = fields.take(16)
            fields.take(1 + 8)
            name = fields.text().decode()
            kek = derive(self.vault.root, "triad/v1/s3", sha256(access))
            users[access.decode()] = (tenant, name, unwrap_padded(kek, fields.text(), "secret"))
        return users
