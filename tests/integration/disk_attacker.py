"""Someone who carried disks away: searches their bytes, and tries whatever lies there as a key.

It is given more than a thief has: where the locks are, and every parameter of them but the key.
"""

import base64
import itertools
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from triad_reader.lmdb_file import read_rows
from triad_reader.primitives import Refused, derive, mac, u32, u64, unwrap
from triad_reader.segment_log import read_log

PAGE, PIECE = 4096, 1024 * 1024
KEY = 32
SMALL, LARGE_MAX = 64 * 1024, 8_000  # Bytes; candidates of a larger one.


# -------------------------------------------------------------------- searching

def used_bytes(path):
    """A file without its pages of zeros: preallocated segments are mostly that."""
    runs, last_was_zero = [], True
    with open(path, "rb") as file:
        while piece := file.read(PIECE):
            if piece == bytes(len(piece)):
                last_was_zero = True
                continue
            for at in range(0, len(piece), PAGE):
                page = piece[at : at + PAGE]
                is_zero = page == bytes(len(page))
                if not is_zero:
                    runs.append(bytes(KEY) + page if last_was_zero else page)
                last_was_zero = is_zero
    return b"".join(runs)


def haystack(directories):
    """{path: used bytes} of every file below."""
    return {path: used_bytes(path) for directory in directories
            for path in sorted(directory.rglob("*")) if path.is_file()}


def spellings(secret):
    """How bytes may stand in a file: raw, hexadecimal, and base64 at each of its alignments."""
    forms = {secret, secret.hex().encode(), secret.hex().upper().encode(), base64.b64encode(secret)}
    for shift in (0, 1, 2):
        inner = secret[shift:]
        inner = inner[: len(inner) // 3 * 3]
        if len(inner) >= 9:  # 12 characters: nothing that chance would write.
            forms |= {base64.b64encode(inner), base64.urlsafe_b64encode(inner)}
    return forms


def windows(body, count=6, size=16):
    """Windows of a body: its ends, and some between, none at a multiple of anything."""
    if len(body) <= size:
        return [body]
    last = len(body) - size
    return [body[last * i // (count - 1) :][:size] for i in range(count)]


def search(files, needles):
    """{label: paths} of the needles {label: bytes} that stand in files, in any spelling."""
    found, places = {}, {}
    for label, needle in needles.items():
        if needle not in places:
            forms = spellings(needle)
            places[needle] = [path for path, data in files.items()
                              if any(form in data for form in forms)]
        if places[needle]:
            found[label] = places[needle]
    return found


# -------------------------------------------------------------------- opening

def candidates(files):
    """32 bytes from everywhere: at each byte of a small file; of others at each fourth up to a
    bound, half of it spent on the beginning and half on places spread over the rest."""
    for data in files.values():
        step = 1 if len(data) <= SMALL else 4
        count = max(0, (len(data) - KEY) // step + 1)
        dense = count if step == 1 else min(count, LARGE_MAX // 2)
        spread = range(dense, count, max(1, 2 * count // LARGE_MAX))
        for i in itertools.chain(range(dense), spread):
            yield data[i * step : i * step + KEY]


class SealLock:
    """The seal of a vault. One unwrapping is slow in Python, so it is tried only where asked."""

    def __init__(self, directory):
        raw = (directory / "seal").read_bytes()
        self.uuid, size = raw[6:22], struct.unpack_from(">H", raw, 25)[0]
        self.wrapped_root = raw[27 + size : 67 + size]
        self.wrapped_sek = raw[73 + size : 113 + size]

    def opens(self, key):
        for kek, wrapped in ((derive(key, "triad/v1/seal", self.uuid), self.wrapped_root),
                             (derive(key, "triad/v1/sek", u32(1)), self.wrapped_sek),
                             (key, self.wrapped_root), (key, self.wrapped_sek)):
            try:
                return unwrap(kek, wrapped, "seal") is not None
            except Refused:
                continue
        return False


class LogLock:
    """A sealed log: a key may be the one that the epoch row is under, or that of the records."""

    def __init__(self, directory, db_uuid):
        rows = read_rows(directory / "nodes/data.mdb")
        self.row = min(value for key, value in rows.items() if key[:1] == b"E")
        self.uuid = db_uuid
        first = next(read_log(directory / "log")).payload()
        fence, self.seq = struct.unpack_from(">IQ", first)
        self.sealed = first[16:]
        self.aad = db_uuid + u32(fence) + u64(self.seq) + bytes(16)

    def opens(self, key):
        under = derive(key, "triad/v1/tde/epoch", self.uuid)
        return mac(under, self.row[:-32]) == self.row[-32:] or opens_gcm(
            key, bytes(4) + u64(self.seq), self.sealed, self.aad)


class ChunkLock:
    """A chunk whose context, commitment and first block the attacker knows, against the rules."""

    def __init__(self, ctx, commit, block, is_last):
        self.ctx, self.commit, self.block = ctx, commit, block
        self.iv = bytes(7) + bytes([is_last]) + bytes(4)

    def opens(self, key):
        return (derive(key, "triad/v1/commit", self.ctx) == self.commit
                or opens_gcm(key, self.iv, self.block, self.ctx))


def opens_gcm(key, iv, sealed, aad):
    try:
        return AESGCM(key).decrypt(iv, sealed, aad) is not None
    except InvalidTag:
        return False
