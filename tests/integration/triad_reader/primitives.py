"""FORMATS 2 and what every layer reads with: derivation, wrapping, sums, fields."""

import hashlib
import hmac
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import (InvalidUnwrap, aes_key_unwrap,
                                                    aes_key_unwrap_with_padding)


class Refused(Exception):
    """The bytes are not what FORMATS.md says, or the key does not fit."""


def require(condition, what):
    if not condition:
        raise Refused(what)


def mac(key, data):
    return hmac.digest(key, data, "sha256")


def sha256(data):
    return hashlib.sha256(data).digest()


def derive(key, label, ctx=b""):
    """D(K, label, ctx)"""
    return mac(key, b"\0\0\0\1" + label.encode() + b"\0" + ctx + b"\0\0\1\0")


def unwrap(kek, wrapped, what):
    try:
        return aes_key_unwrap(kek, wrapped)
    except (InvalidUnwrap, ValueError):
        raise Refused(f"{what} does not unwrap") from None


def unwrap_padded(kek, wrapped, what):
    try:
        return aes_key_unwrap_with_padding(kek, wrapped)
    except (InvalidUnwrap, ValueError):
        raise Refused(f"{what} does not unwrap") from None


def gcm_open(key, iv, sealed, aad, what):
    try:
        return AESGCM(key).decrypt(iv, sealed, aad)
    except InvalidTag:
        raise Refused(f"{what} does not open") from None


def gmac(key, iv, data):
    return AESGCM(key).encrypt(iv, b"", data)


def aes_block(key, data):
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def u16(value):
    return struct.pack(">H", value)


def u32(value):
    return struct.pack(">I", value)


def u64(value):
    return struct.pack(">Q", value)


def _crc_table():
    """CRC32C (Castagnoli, reflected) of each pair of bytes."""
    table = []
    for value in range(65536):
        for _ in range(16):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_CRC = _crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for pair in struct.unpack(f"<{len(data) // 2}H", data[: len(data) // 2 * 2]):
        crc = _CRC[(crc ^ pair) & 0xFFFF] ^ (crc >> 16)
    if len(data) % 2:
        crc ^= data[-1]
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


class Fields:
    """Reads fields one after the other; all of them must be there, and nothing more."""

    def __init__(self, data, what):
        self.data, self.at, self.what = data, 0, what

    def take(self, size):
        require(self.at + size <= len(self.data), f"{self.what}: too short")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def u8(self):
        return self.number(1)

    def u16(self):
        return self.number(2)

    def u32(self):
        return self.number(4)

    def u64(self):
        return self.number(8)

    def text(self):
        """len u16, bytes"""
        return self.take(self.u16())

    def zeros(self, size):
        require(not any(self.take(size)), f"{self.what}: a reserved byte is not zero")

    def magic(self, expected, version=None):
        require(self.take(len(expected)) == expected, f"{self.what}: magic")
        if version is not None:
            require(self.u16() == version, f"{self.what}: version")

    def rest(self):
        return self.take(len(self.data) - self.at)

    def end(self):
        require(self.at == len(self.data), f"{self.what}: too long")
