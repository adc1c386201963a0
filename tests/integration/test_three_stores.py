"""S1: the disks of one kind of store, or of two, open nothing; of all three, with the seal key,
everything, read by a program that shares no code with Triad (triad_reader)."""

import hashlib
import itertools
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from disk_attacker import (ChunkLock, LogLock, SealLock, candidates, haystack, search, spellings,
                           windows)
from triad_reader import open_stores, read_seal_key
from triad_reader.blobs import Blobs
from triad_reader.content import open_shards
from triad_reader.objects import Reader, fragment_id
from triad_reader.primitives import Refused, derive
from triad_reader.vaults import Identity, Keys

STORES = {"keystore": ["keystore"], "contentdb": ["contentdb"], "blobs": ["blob1", "blob2", "blob3"]}
PAIRS = list(itertools.combinations(STORES, 2))
BUCKET, TENANT = "planted-bucket-of-letters", "planted-tenant-acme"
TYPE, META = "application/x-planted-type", {"planted-meta-name": "planted meta value"}
SIZES = {"planted/short.txt": 100, "planted/middle größe.bin": 70 * 1024, "planted/large.bin": 5 << 20}
PARTS, MULTIPART = [5 << 20, 70_000], "planted/multipart.bin"
GONE = "planted/deleted later.txt"


def body_of(name, size):
    """Words for a short one, noise for a long one; never the name itself."""
    dice = random.Random(name)
    if size > 100:
        return dice.randbytes(size)
    return " ".join(dice.choices(["walrus", "and", "carpenter", "oysters", "sand"], k=size)).encode()[:size]


class Planted:
    """What was put, by whom, and what the client was told."""

    def __init__(self, cluster):
        self.cluster, self.data = cluster, cluster.data
        made = json.loads(cluster.triad("tenant", "create", "--name", TENANT, "--json").stdout)
        self.admin_key = made["admin_key"]
        key_file = self.data / "planted.key"
        key_file.write_text(self.admin_key + "\n")
        user = json.loads(cluster.triad("user", "create", "--tenant", TENANT, "--name", "planted-user",
                                        "--admin-key-file", str(key_file), "--json").stdout)
        self.access, self.secret = user["access_key"], user["secret_key"]
        self.s3 = cluster.s3(self.access, self.secret)
        self.s3.create_bucket(Bucket=BUCKET)
        self.bodies, self.etags = {}, {}
        for name, size in SIZES.items():
            self.put(name, body_of(name, size))
        self.put_multipart()
        self.copy(MULTIPART, "planted/copy of the multipart.bin")
        self.copy("planted/short.txt", "planted/copy of the short.txt")
        self.put(GONE, body_of(GONE, 3000))
        self.s3.delete_object(Bucket=BUCKET, Key=GONE)
        self.gone = self.bodies.pop(GONE)

    def put(self, name, body):
        told = self.s3.put_object(Bucket=BUCKET, Key=name, Body=body, ContentType=TYPE, Metadata=META)
        self.bodies[name], self.etags[name] = body, told["ETag"].strip('"')

    def put_multipart(self):
        self.parts = [body_of(f"part {i}", size) for i, size in enumerate(PARTS)]
        where = {"Bucket": BUCKET, "Key": MULTIPART}
        where["UploadId"] = self.s3.create_multipart_upload(**where, ContentType=TYPE,
                                                            Metadata=META)["UploadId"]
        told = [{"PartNumber": i + 1, "ETag": self.s3.upload_part(**where, PartNumber=i + 1,
                                                                  Body=part)["ETag"]}
                for i, part in enumerate(self.parts)]
        done = self.s3.complete_multipart_upload(**where, MultipartUpload={"Parts": told})
        self.bodies[MULTIPART] = b"".join(self.parts)
        self.etags[MULTIPART] = done["ETag"].strip('"')

    def copy(self, name, to):
        done = self.s3.copy_object(Bucket=BUCKET, Key=to, CopySource={"Bucket": BUCKET, "Key": name})
        self.bodies[to], self.etags[to] = self.bodies[name], done["CopyObjectResult"]["ETag"].strip('"')

    def content_needles(self):
        bodies = [*self.bodies.items(), (GONE, self.gone)]
        return {f"bytes of {name}, window {i}": window for name, body in bodies
                for i, window in enumerate(windows(body))}

    def digest_needles(self):
        bodies = [*self.bodies.items(), (GONE, self.gone),
                  *((f"part {i}", part) for i, part in enumerate(self.parts))]
        needles = {f"{kind} of {name}": hashlib.new(kind, body).digest()
                   for kind in ("md5", "sha1", "sha256") for name, body in bodies}
        md5s = b"".join(hashlib.md5(part).digest() for part in self.parts)
        return needles | {"md5 of the parts' md5": hashlib.md5(md5s).digest()}

    def name_needles(self):
        names = [*self.bodies, GONE, BUCKET, TENANT, "planted-user", TYPE]
        names += [text for pair in META.items() for text in pair]
        return {f"name {name}": name.encode() for name in names}

    def credential_needles(self):
        access, secret = self.cluster.credentials
        admin = (self.data / "secrets/tenant-admin.key").read_text().strip()
        texts = {"S3 secret": secret, "planted S3 secret": self.secret, "admin key": admin,
                 "planted admin key": self.admin_key}
        assert access != self.access
        return {label: text.encode() for label, text in texts.items()}


@pytest.fixture(scope="module")
def planted(own):
    made = Planted(own)
    own.quickstart("stop")
    return made


@pytest.fixture(scope="module")
def reader(planted):
    return open_stores(planted.data, planted.data / "secrets/seal.key")


@pytest.fixture(scope="module")
def disks(planted):
    """{store: {path: bytes}}"""
    found = {store: haystack([planted.data / name / "data" for name in names])
             for store, names in STORES.items()}
    assert all(sum(map(len, files.values())) > 4096 for files in found.values())
    return found


# -------------------------------------------------------------------- the positive control

def test_all_three_and_the_seal_key_give_every_object(planted, reader):
    assert [name.decode() for _, name in reader.list()] == sorted(planted.bodies)
    for name, body in planted.bodies.items():
        found = reader.open(BUCKET.encode(), name.encode())
        assert found.read() == body, name
        assert found.etag() == planted.etags[name], name
        told = {"content-type": TYPE} | {f"x-amz-meta-{k}": v for k, v in META.items()}
        assert found.attributes() == told, name


@pytest.mark.parametrize("drop", [(0,), (1, 3)])
def test_parity_gives_the_same(planted, drop):
    reader = open_stores(planted.data, planted.data / "secrets/seal.key", drop)
    for name, body in planted.bodies.items():
        assert reader.open(BUCKET.encode(), name.encode()).read() == body, name


def test_the_program_stands_alone(planted):
    program = [sys.executable, "-I", str(Path(__file__).parent / "triad_reader"), "--data",
               str(planted.data)]
    name = "planted/middle größe.bin"
    done = subprocess.run([*program, BUCKET, name], stdout=subprocess.PIPE, check=True)
    assert done.stdout == planted.bodies[name]
    listed = subprocess.run([*program, "--list"], stdout=subprocess.PIPE, check=True).stdout.decode()
    assert listed.splitlines() == [f"{BUCKET}/{name}" for name in sorted(planted.bodies)]
    other = planted.data / "other.key"
    other.write_bytes(os.urandom(32))
    done = subprocess.run([*program, "--seal-key", str(other), "--list"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert "no slot of the seal opens" in done.stderr


def opened_files(planted, reader):
    """What the databases hold once they are open, and the objects, as files to search."""
    identity = Identity(planted.data / "keystore/data", read_seal_key(planted.data / "secrets/seal.key"))
    rows = [*reader.keys.vault.rows.items(), *identity.vault.rows.items(),
            *(row for shard in reader.shards for row in shard.rows.items())]
    files = {"rows": b"\n".join(key + b"\0" + value for key, value in rows)}
    files["secrets"] = b"\n".join(secret for _, _, secret in identity.users().values())
    for name in planted.bodies:
        found = reader.open(BUCKET.encode(), name.encode())
        files[name] = found.read()
        files[f"attributes of {name}"] = json.dumps(
            [found.etag(), found.attributes()], ensure_ascii=False).encode()
    return files


def test_the_search_finds_what_is_there(planted, reader):
    """The attacker's own control: on what the reader opened, each needle is found."""
    files = opened_files(planted, reader)
    expected = {**planted.content_needles(), **planted.name_needles()}
    expected |= {k: v for k, v in planted.credential_needles().items() if "S3" in k}
    expected |= {f"md5 of {n}": hashlib.md5(planted.bodies[n]).digest() for n in SIZES}
    expected = {k: v for k, v in expected.items() if GONE not in k}
    assert expected.keys() - search(files, expected).keys() == set()
    for form in spellings(planted.bodies["planted/large.bin"][1000:1016]):
        assert search({"spelled": b"xx" + form + b"yy"},
                      {"x": planted.bodies["planted/large.bin"][1000:1016]})


# -------------------------------------------------------------------- searching

def needles_of(planted):
    return {**planted.content_needles(), **planted.digest_needles(), **planted.name_needles(),
            **planted.credential_needles()}


@pytest.mark.parametrize("store", STORES)
def test_no_store_holds_a_readable_secret(planted, disks, store):
    """A pair of disks holds no byte more than its two, so this search answers for pairs too."""
    assert search(disks[store], needles_of(planted)) == {}


def test_access_key_ids_stand_in_the_audit_log_alone(planted, disks):
    """The one admitted exception (FORMATS 10, audit record): who asked, by the id of the key that
    signed, which is no secret and opens nothing; the names of users and tenants are not there."""
    needles = {"id": planted.access.encode(), "other id": planted.cluster.credentials[0].encode()}
    where = {path for store in disks.values() for paths in search(store, needles).values()
             for path in paths}
    assert {path.parent for path in where} <= {planted.data / "keystore/data/audit"}


def true_keys(planted, reader):
    """Every key there is, by the reader; each opens something."""
    slot_key = read_seal_key(planted.data / "secrets/seal.key")
    identity = Identity(planted.data / "keystore/data", slot_key)
    keys = {"seal key": slot_key, "root of keys": reader.keys.vault.root,
            "root of identity": identity.vault.root}
    for kind in ("masters", "integrity", "grants"):
        keys |= {f"{kind} {v}": key for v, key in getattr(reader.keys, kind).items()}
    for shard in reader.shards:
        keys |= {f"DEK {v} of shard": key for v, key in shard.deks.items()}
        keys |= {f"IDK {n}": reader.keys.account_id_key(a) for n, a in shard.accounts().items()}
    keys |= {f"SEK {v}": key for v, key in reader.keys.vault.seks.items()}
    for name in planted.bodies:
        found = reader.open(BUCKET.encode(), name.encode())
        versions, attribute_key, tenant = reader.keys.open_bucket(found.record.bucket)
        keys |= {f"BK {v}": key for v, key in versions.items()}
        keys |= {"AK": attribute_key, "TK": reader.keys.tenant_key(tenant), f"FK {name}": found.key}
        keys[f"DEK of {name}"] = first_chunk(found).key
    return keys


def test_no_store_holds_a_key(planted, reader, disks):
    keys = true_keys(planted, reader)
    assert len(keys) >= 25 and all(len(key) == 32 for key in keys.values())
    halves = {f"{label}, half {i}": key[16 * i : 16 * i + 16] for label, key in keys.items()
              for i in (0, 1)}
    for store, files in disks.items():
        assert search(files, halves) == {}, store


# -------------------------------------------------------------------- opening

def first_chunk(found):
    """The first chunk of an object: page, row, ctx, DEK."""
    part, content, first, _, _ = next(found.runs())
    return found.chunk_key(content, part, first, 0)


def chunk_lock(reader, name):
    """A chunk in k = 1 is whole in its first fragment."""
    found = reader.open(BUCKET.encode(), name.encode())
    chunk = first_chunk(found)
    assert chunk.page.k == 1
    account = found.shard.accounts()[chunk.places[0][0]]
    ident = fragment_id(reader.keys.account_id_key(account), chunk.row.chunk, chunk.places[0][1])
    block = reader.blobs.get(account, ident)
    return ChunkLock(chunk.ctx, chunk.row.commit, block, True), chunk


@pytest.fixture(scope="module")
def locks(planted, reader):
    """{label: (lock, a key that opens it)}"""
    data, slot = planted.data, read_seal_key(planted.data / "secrets/seal.key")
    vault, shard = reader.keys.vault, reader.shards[0]
    lock, chunk = chunk_lock(reader, "planted/short.txt")
    return {"log of the vault": (LogLock(data / "keystore/data/keys/kv", vault.uuid), vault.seks[1]),
            "log of the shard": (LogLock(data / "contentdb/data/shard-0/store", shard.db_uuid),
                                 shard.deks[1]),
            "chunk": (lock, chunk.key),
            "block": (lock, derive(chunk.key, "triad/v1/enc", chunk.ctx))}, {
            "seal of keys": (SealLock(data / "keystore/data/keys"), slot),
            "seal of identity": (SealLock(data / "keystore/data/identity"), slot),
            "root of keys": (SealLock(data / "keystore/data/keys"), vault.root)}


def test_the_locks_open_with_their_keys(locks):
    for label, (lock, key) in {**locks[0], **locks[1]}.items():
        assert lock.opens(key), label
        assert not lock.opens(bytes([key[0] ^ 1]) + key[1:]), label
        assert key in set(candidates({"disk": random.Random(label).randbytes(9_001) + key})), label


@pytest.mark.parametrize("store", STORES)
def test_nothing_on_a_disk_is_a_key(disks, locks, store):
    """Each candidate is tried on the locks of all stores, so that pairs are tried with it."""
    fast, slow = ({lock for lock, _ in some.values()} for some in locks)
    tried = set()
    for candidate in candidates(disks[store]):
        if candidate in tried or candidate == bytes(32):
            continue
        tried.add(candidate)
        assert not any(lock.opens(candidate) for lock in fast), candidate.hex()
    assert len(tried) > 5000
    small = {path: data for path, data in disks[store].items() if len(data) <= 8192}
    for candidate in set(itertools.islice(candidates(small), 3000)):
        assert not any(lock.opens(candidate) for lock in slow), candidate.hex()


def test_weak_keys_open_nothing(planted, reader, locks):
    ids = [reader.keys.vault.uuid, reader.shards[0].db_uuid, b"triad", b"password", b"", bytes(32),
           planted.access.encode(), TENANT.encode(), BUCKET.encode()]
    guesses = [bytes(32), b"\xff" * 32, bytes(range(32))]
    guesses += [hashlib.sha256(text).digest() for text in ids]
    guesses += [(text * 32)[:32] for text in ids if text]
    for label, (lock, _) in {**locks[0], **locks[1]}.items():
        assert not any(lock.opens(guess) for guess in guesses), label


# -------------------------------------------------------------------- with the seal key, without a store

def stores_in(tmp_path, planted, stores):
    for name in itertools.chain.from_iterable(STORES[store] for store in stores):
        (tmp_path / name).symlink_to(planted.data / name)
    return tmp_path


@pytest.mark.parametrize("pair", PAIRS, ids="+".join)
def test_a_pair_with_a_wrong_seal_key_opens_nothing(planted, tmp_path, pair):
    data = stores_in(tmp_path, planted, pair)
    (tmp_path / "guess").write_bytes(os.urandom(32))
    with pytest.raises((Refused, FileNotFoundError)):
        open_stores(data, tmp_path / "guess")
    if "keystore" in pair:
        for vault in (Keys, Identity):
            with pytest.raises(Refused, match="no slot of the seal"):
                vault(data / "keystore/data", os.urandom(32))


def test_without_the_content_db_there_are_no_names_and_no_map(planted, reader, tmp_path):
    data = stores_in(tmp_path, planted, ["keystore", "blobs"])
    slot_key = read_seal_key(planted.data / "secrets/seal.key")
    keys, identity = Keys(data / "keystore/data", slot_key), Identity(data / "keystore/data", slot_key)
    with pytest.raises(FileNotFoundError):
        open_stores(data, planted.data / "secrets/seal.key")
    rows = [*keys.vault.rows.items(), *identity.vault.rows.items()]
    files = {"vaults": b"\n".join(key + b"\0" + value for key, value in rows)}
    users = {f"name {TENANT}", "name planted-user"}
    assert search(files, needles_of(planted)).keys() <= users
    true = true_keys(planted, reader)  # Only the content DB has what leads to these.
    wrapped = {label: key for label, key in true.items() if label.startswith(("FK", "DEK"))}
    assert wrapped and search(files, wrapped) == {}


def test_without_the_blobs_there_are_names_and_no_bytes(planted, tmp_path):
    data = stores_in(tmp_path, planted, ["keystore", "contentdb"])
    partial = open_stores(data, planted.data / "secrets/seal.key")
    assert [name.decode() for _, name in partial.list()] == sorted(planted.bodies)
    rows = {"rows": b"\n".join(k + b"\0" + v for k, v in partial.shards[0].rows.items())}
    assert search(rows, planted.content_needles()) == {}
    assert search(rows, planted.digest_needles()) == {}
    for name in planted.bodies:
        with pytest.raises(Refused, match="0 fragments"):
            partial.open(BUCKET.encode(), name.encode()).read()


def test_without_the_key_store_nothing_opens(planted, locks, tmp_path):
    data = stores_in(tmp_path, planted, ["contentdb", "blobs"])
    with pytest.raises(FileNotFoundError):
        open_stores(data, planted.data / "secrets/seal.key")
    slot_key = read_seal_key(planted.data / "secrets/seal.key")
    for label in ("log of the shard", "chunk", "block"):
        assert not locks[0][label][0].opens(slot_key)

    class NoKeys:
        def shard_key(self, *_):
            return slot_key

    with pytest.raises(Refused, match="epoch row"):
        open_shards(data / "contentdb/data", NoKeys())


def test_two_nodes_of_three_are_enough_and_one_is_not(planted, reader):
    """4+2 over six accounts, two a node: the loss of one node is what it bears."""
    for count, is_enough in ((2, True), (1, False)):
        blobs = Blobs([planted.data / f"blob{i + 1}/data" for i in range(count)])
        found = Reader(reader.keys, reader.shards, blobs).open(BUCKET.encode(), b"planted/large.bin")
        if is_enough:
            assert found.read() == planted.bodies["planted/large.bin"]
            continue
        with pytest.raises(Refused, match="fragments of 4"):
            found.read()
