"""Reads a stopped Triad from its disks and its seal key alone; see __main__.py."""

from pathlib import Path

from triad_reader.blobs import Blobs
from triad_reader.content import open_shards
from triad_reader.objects import Reader
from triad_reader.primitives import require
from triad_reader.vaults import Keys


def read_seal_key(path):
    key = Path(path).read_bytes()
    require(len(key) == 32, "a seal key has 32 bytes")
    return key


def open_stores(data, seal_key_file, drop=()):
    """A Reader on a directory that has keystore/data, contentdb/data and blob*/data."""
    keys = Keys(data / "keystore/data", read_seal_key(seal_key_file))
    shards = open_shards(data / "contentdb/data", keys)
    return Reader(keys, shards, Blobs(sorted(data.glob("blob*/data"))), drop)
