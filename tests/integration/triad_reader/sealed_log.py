"""FORMATS 8, 10.2 and 10.3: the rows of a sealed database, replayed from its log."""

import os
import struct

from triad_reader.lmdb_file import read_rows
from triad_reader.primitives import Fields, derive, gcm_open, mac, require, u32, u64
from triad_reader.segment_log import read_log

EPOCH_SIZE = 4 + 32 + 4 + 32
OVERHEAD = 4 + 8 + 4 + 16


class Epochs:
    """Keys of the log by fence, from the epoch rows; deks by version."""

    def __init__(self, nodes, db_uuid, deks):
        self.db_uuid, self.deks = db_uuid, deks
        self.rows = {key[1:]: value for key, value in nodes.items() if key[:1] == b"E"}

    def log_key(self, fence):
        require(u32(fence) in self.rows, f"fence {fence} has no epoch row")
        row = self.rows[u32(fence)]
        require(len(row) == EPOCH_SIZE, "length of an epoch row")
        row_fence, salt, version, row_mac = struct.unpack(">I32sI32s", row)
        require(row_fence == fence and version in self.deks, f"epoch row of fence {fence}")
        key = self.deks[version]
        expected = mac(derive(key, "triad/v1/tde/epoch", self.db_uuid), row[:-32])
        require(row_mac == expected, f"MAC of the epoch row of fence {fence}")
        return derive(key, "triad/v1/tde/log", self.db_uuid + u32(fence) + salt)


def open_record(log_key, db_uuid, raw, previous_tag):
    """(fence, seq, tag, rows of the record)"""
    require(len(raw) >= OVERHEAD, "length of a log record")
    fence, seq, size = struct.unpack_from(">IQI", raw)
    require(size == len(raw) - OVERHEAD, "length field of a log record")
    aad = db_uuid + u32(fence) + u64(seq) + previous_tag
    plain = gcm_open(log_key, bytes(4) + u64(seq), raw[16:], aad, f"log record {seq}")
    return seq, raw[-16:], list(parse_rows(plain))


def parse_rows(plain):
    fields = Fields(plain, "rows of a log record")
    for _ in range(fields.u32()):
        op, key_size, value_size = fields.u8(), fields.u16(), fields.u32()
        require(op in (1, 2) and 1 <= key_size <= 1200 and value_size <= 65536, "row of the log")
        require(op == 1 or value_size == 0, "a delete has a value")
        yield op, fields.take(key_size), fields.take(value_size)
    fields.end()


class Database:
    """The directory of an embedded store (log/, nodes/), opened with the keys that fit it."""

    def __init__(self, directory, db_uuid, deks):
        nodes = read_rows(os.path.join(directory, "nodes", "data.mdb"))
        require(b"R" not in nodes or not any(nodes[b"R"][8:]) or nodes[b"R"][:8] <= u64(1),
                f"{directory}: trimmed behind a checkpoint, which this program cannot read")
        epochs, keys, self.rows = Epochs(nodes, db_uuid, deks), {}, {}
        self.seq, self.tag, fence, lsn = 0, bytes(16), 0, 0
        for record in read_log(os.path.join(directory, "log")):
            require(record.id == bytes(16) and record.flags == 0, "record of a commit log")
            require(record.lsn == lsn + 1, f"{directory}: a record is missing")
            raw, lsn = record.payload(), record.lsn
            require(len(raw) >= 4 and raw[:4] >= u32(fence), "fences fell")
            fence = int.from_bytes(raw[:4], "big")
            if fence not in keys:
                keys[fence] = epochs.log_key(fence)
            seq, tag, rows = open_record(keys[fence], db_uuid, raw, self.tag)
            require(seq > self.seq, "seq did not rise")
            self.seq, self.tag, self.fence = seq, tag, fence
            self._apply(rows)

    def _apply(self, rows):
        for op, key, value in rows:
            if op == 1:
                self.rows[key] = value
            else:
                self.rows.pop(key, None)

    def below(self, prefix):
        """(rest of the key, value), in key order"""
        for key in sorted(self.rows):
            if key.startswith(prefix):
                yield key[len(prefix):], self.rows[key]
