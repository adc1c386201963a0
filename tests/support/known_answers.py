#!/usr/bin/env python3
"""Known answers of Triad's formats, made from FORMATS.md alone with python3-cryptography.

Prints each answer; with --check, fails unless FORMATS.md or a unit test states it:

    python3 tests/support/known_answers.py --check
"""

import hashlib
import hmac
import pathlib
import struct
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ROOT = pathlib.Path(__file__).resolve().parents[2]
WHERE = [ROOT / "FORMATS.md"] + sorted((ROOT / "tests" / "unit").glob("*/*_test.c"))


def count(first, size):
    return bytes(range(first, first + size))


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def derive(key, label, ctx):
    return mac(key, struct.pack(">I", 1) + label.encode() + b"\0" + ctx + struct.pack(">I", 256))


def block(key, data):
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def sha(data):
    return hashlib.sha256(data).hexdigest()


TENANT, BUCKET, DATA, VERSION = (bytes([b]) * 16 for b in (0x11, 0x22, 0x33, 0x44))
CONTENT = bytes.fromhex("00000500000600000007")
FK, DEK, AK, IK, IDK = count(0x20, 32), count(0, 32), count(0x60, 32), count(0, 32), count(0, 32)


def keys():
    yield "FK of section 2", derive(count(0, 32), "triad/v1/fk", bytes(48)).hex()
    yield "wrapped DEK", aes_key_wrap(derive(FK, "triad/v1/dek", DATA), DEK).hex()


def chunks():
    chunk_id = CONTENT + struct.pack(">I", 9)
    for plain in (b"hello", bytes(i % 251 for i in range(10000))):
        size = len(plain)
        ctx = struct.pack(">HH", 1, 0) + TENANT + BUCKET + DATA
        ctx += struct.pack(">IIQIII", 0, 0, 0, size, size, 4096) + chunk_id + bytes(2)
        gcm = AESGCM(derive(DEK, "triad/v1/enc", ctx))
        blocks = [plain[i:i + 4096] for i in range(0, size, 4096)]
        sealed = b"".join(
            gcm.encrypt(bytes(7) + bytes([i == len(blocks) - 1]) + struct.pack(">I", i), b, ctx)
            for i, b in enumerate(blocks))
        yield "commit", derive(DEK, "triad/v1/commit", ctx).hex()
        yield "sealed", sealed.hex() if size == 5 else sha(sealed)
    yield "fragment id", block(IDK, chunk_id + b"\0\x5a").hex()
    tag = AESGCM(derive(IK, "triad/v1/frag", chunk_id)).encrypt(
        bytes(8) + struct.pack(">I", 2), b"", bytes(64))
    yield "fragment tag", tag.hex()


def pages():
    head = b"TPG1" + struct.pack(">HH", 1, 2) + DATA + CONTENT + bytes(2)
    head += struct.pack(">IIQHBBB", 3, 1, 1 << 30, 2, 1, 2, 1) + bytes(3)
    rows = b""
    for n in range(2):
        rows += CONTENT + struct.pack(">IHIII", 9 + n, 1, 5000 + n, 5000 + n, 4096)
        rows += count(n, 32) + count(n + 1, 40) + count(n + 2, 48)
    body = head + rows
    page = body + mac(derive(FK, "triad/v1/page", DATA), body)
    yield "manifest page", sha(page)


def versions():
    record = b"TVR1" + struct.pack(">HH", 1, 8) + TENANT + BUCKET
    name = hashlib.sha256(b"triad/v1/name\0" + BUCKET + b"photos/cat.jpg").digest()
    yield "name hash", name.hex()
    record += name + VERSION + DATA + CONTENT + bytes(6)
    record += struct.pack(">QQIQ", 1700000000123, 10000, 0, 1) + count(0x80, 32)
    record += count(0xa0, 16) + struct.pack(">I", 0)
    assert len(record) == 200
    yield "version record", sha(record)
    yield "version mac", mac(derive(FK, "triad/v1/version", DATA), record).hex()
    segment = DATA + CONTENT + bytes(2) + struct.pack(">IIIQQ", 1, 2, 3, 4, 5) + count(1, 40)
    assert len(segment) == 96
    yield "segment page", mac(
        derive(FK, "triad/v1/seg", VERSION + struct.pack(">I", 6)), segment).hex()


def attributes():
    salt, iv = count(0x10, 16), count(0x30, 12)
    plain = b"".join(
        struct.pack(">H", len(n)) + n + struct.pack(">H", len(v)) + v
        for n, v in ((b"content-type", b"image/jpeg"), (b"x-amz-meta-a", b"")))
    sealed = AESGCM(derive(AK, "triad/v1/attr", VERSION + salt)).encrypt(
        iv, plain, TENANT + BUCKET + VERSION)
    yield "attributes", (salt + iv + sealed).hex()
    md5 = hashlib.md5(b"hello").digest()
    for label, what in (("etag", VERSION), ("petag", CONTENT + struct.pack(">IH", 12, 0))):
        pad = block(derive(AK, "triad/v1/" + label, BUCKET), what)
        yield label, bytes(a ^ b for a, b in zip(md5, pad)).hex()


def grants():
    body = b"TGR1" + struct.pack(">HHQ", 1, 0, 1800000000) + TENANT + BUCKET + count(0, 32)
    body += struct.pack(">II", 3, 4)
    key = derive(count(0, 32), "triad/v1/gk", struct.pack(">II", 0, 500000))
    yield "grant mac", mac(key, b"triad/v1/grant\0" + body).hex()


def pair(first):
    private = Ed25519PrivateKey.from_private_bytes(count(first, 32))
    spki = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return private, spki


def tokens():
    root, _ = pair(0x00)
    online, online_spki = pair(0x20)
    signing, signing_spki = pair(0x40)
    account, jti, denied = (bytes([b]) * 16 for b in (0x44, 0x55, 0x66))
    begin = 1700000000

    delegation = b"TKD1" + bytes([1, 0, 0, 0]) + struct.pack(">QQ", begin, begin + 31536000)
    delegation += struct.pack(">H", len(online_spki)) + online_spki + struct.pack(">H", 64)
    delegation += root.sign(b"TRIAD-DELEGATION-v1\0" + delegation)
    yield "TKD1", delegation[-64:].hex()
    yield "TKD1 whole", sha(delegation)

    kid = hashlib.sha256(signing_spki).digest()[:8]
    yield "kid", kid.hex()
    keyset = b"TKS1" + struct.pack(">H", 1) + account
    keyset += struct.pack(">QQQ", 7, begin + 100, begin + 1000) + struct.pack(">5I", 1, 2, 3, 4, 5)
    keyset += struct.pack(">H", 1) + kid + bytes([1, 1])
    keyset += struct.pack(">QQH", begin, begin + 5184000, len(signing_spki)) + signing_spki
    keyset += struct.pack(">H", 1) + denied + delegation + struct.pack(">H", 64)
    keyset += online.sign(b"TRIAD-KEYSET-v1\0" + keyset)
    yield "TKS1", keyset[-64:].hex()
    yield "TKS1 whole", sha(keyset)

    token = b"TCT1" + bytes([1, 1]) + struct.pack(">H", 1) + kid + jti
    token += struct.pack(">QQ", begin, begin + 3600) + account + bytes(16 + 4)
    token += struct.pack(">I", 1) + count(0, 32) + bytes(32 + 2 + 2 + 8 + 4)
    assert len(token) == 168
    token += signing.sign(b"TRIAD-CAP-v1\0" + token)
    yield "TCT1", token[-64:].hex()
    yield "TCT1 whole", sha(token)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def logs():
    """A sealed log record (section 8), and it as a record of a segment (10.1)."""
    dek, db, salt, fence, seq, before = count(0, 32), TENANT, count(0x40, 32), 5, 7, BUCKET
    epoch = struct.pack(">I", fence) + salt + struct.pack(">I", 1)
    epoch += mac(derive(dek, "triad/v1/tde/epoch", db), epoch)
    yield "epoch row", epoch.hex()
    key = derive(dek, "triad/v1/tde/log", db + struct.pack(">I", fence) + salt)
    yield "log key", key.hex()
    rows = struct.pack(">I", 2)
    rows += struct.pack(">BHI", 1, 3, 5) + b"key" + b"value" + struct.pack(">BHI", 2, 4, 0) + b"gone"
    head = struct.pack(">IQ", fence, seq)
    sealed = AESGCM(key).encrypt(bytes(4) + struct.pack(">Q", seq), rows, db + head + before)
    record = head + struct.pack(">I", len(rows)) + sealed
    yield "log record", record.hex()

    segment = b"TSG1" + struct.pack(">IQ", 0, 1) + count(0x60, 8)
    segment += struct.pack(">QQQ", 65536, 1, 0) + bytes(12)
    segment += struct.pack(">I", crc32c(segment))
    yield "segment header", segment.hex()
    header = b"TSR1" + DATA + struct.pack(">IIQQ", len(record), 1, 1, 0)
    place = count(0x60, 8) + struct.pack(">QQ", 1, 64)
    header += struct.pack(">I", crc32c(place + header))
    padding = bytes(-(len(header) + 4 + len(record)) % 16)
    yield "segment record", (header + struct.pack(">I", crc32c(record + padding))).hex()


def main():
    # Long answers are split over lines in C.
    stated = "".join(p.read_text() for p in WHERE)
    stated = "".join(stated.replace('"', "").split())
    missing = 0
    for part in (keys, chunks, pages, versions, attributes, grants, tokens, logs):
        for name, answer in part():
            print(f"{name}: {answer}")
            if "--check" in sys.argv and answer not in stated:
                print(f"  {name} is stated nowhere", file=sys.stderr)
                missing += 1
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
