"""The unnamed database of an LMDB 0.9 file, read as liblmdb lays it out (little-endian, 64 bits).

    page   = pgno u64 | pad u16 | flags u16 (1 branch, 2 leaf, 4 overflow, 8 meta)
             | lower u16 | upper u16 (overflow: pages u32), then u16 offsets of its nodes
    meta   = on pages 0 and 1 behind the header: 0xBEEFC0DE u32 | 1 u32 | address u64
             | map size u64 | free db, main db (48 each) | last page u64 | transaction u64
    db     = page size u32 (of the free db) | flags u16 | depth u16 | 3 x u64 | entries u64 | root u64
    node   = lo u16 | hi u16 | flags u16 (1: value on overflow pages) | key size u16 | key | value;
             value size lo | hi << 16; of a branch the child is lo | hi << 16 | flags << 32
"""

import struct

from triad_reader.primitives import require

HEADER, NONE = 16, 0xFFFFFFFFFFFFFFFF
BRANCH, LEAF, BIG = 1, 2, 1


def _meta(data, at):
    magic, version = struct.unpack_from("<II", data, at + HEADER)
    require(magic == 0xBEEFC0DE and version == 1, "LMDB: meta page")
    page_size = struct.unpack_from("<I", data, at + HEADER + 24)[0]
    root = struct.unpack_from("<Q", data, at + HEADER + 24 + 48 + 40)[0]
    transaction = struct.unpack_from("<Q", data, at + HEADER + 24 + 96 + 8)[0]
    return transaction, root, page_size


def read_rows(path):
    """{key: value}"""
    with open(path, "rb") as file:
        data = file.read()
    first = _meta(data, 0)
    _, root, size = max(first, _meta(data, first[2]))
    rows = {}
    if root != NONE:
        _walk(data, size, root, rows)
    return rows


def _walk(data, size, page, rows):
    at = page * size
    flags, lower = struct.unpack_from("<HH", data, at + 10)
    require(flags & (BRANCH | LEAF), "LMDB: kind of a page")
    for i in range((lower - HEADER) // 2):
        node = at + struct.unpack_from("<H", data, at + HEADER + 2 * i)[0]
        low, high, node_flags, key_size = struct.unpack_from("<HHHH", data, node)
        if flags & BRANCH:
            _walk(data, size, low | high << 16 | node_flags << 32, rows)
            continue
        begin, length = node + 8 + key_size, low | high << 16
        if node_flags & BIG:
            begin = struct.unpack_from("<Q", data, begin)[0] * size + HEADER
        rows[data[node + 8 : node + 8 + key_size]] = data[begin : begin + length]
