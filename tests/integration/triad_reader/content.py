"""FORMATS 5 and 10: the content DB's shards, and their rows as plain values."""

import os
import struct
from collections import namedtuple

from triad_reader.primitives import Fields, require, u32, u64
from triad_reader.sealed_log import Database

Record = namedtuple("Record", "flags tenant bucket name_hash version data content created_ms size "
                              "segments chunks attr_sha256 etag etag_parts")
Object = namedtuple("Object", "seq record raw_record vmac key_ref attributes")
Segment = namedtuple("Segment", "data content part first_index chunks skip length link")
OPEN_UPLOAD, MULTIPART, INLINE, SSE_C = 1, 2, 4, 8


def parse_record(raw):
    fields = Fields(raw, "version record")
    fields.magic(b"TVR1", 1)
    flags = fields.u16()
    require(flags < 16, "flags of a version record")
    ids = fields.take(16), fields.take(16), fields.take(32), fields.take(16), fields.take(16)
    content = fields.take(10)
    fields.zeros(6)
    record = Record(flags, *ids, content, fields.u64(), fields.u64(), fields.u32(), fields.u64(),
                    fields.take(32), fields.take(16), fields.u32())
    fields.end()
    return record


def parse_segment(raw):
    fields = Fields(raw, "segment")
    data, content = fields.take(16), fields.take(10)
    fields.zeros(2)
    segment = Segment(data, content, fields.u32(), fields.u32(), fields.u32(), fields.u64(),
                      fields.u64(), fields.take(40))
    fields.end()
    return segment


class Shard:
    """<content DB>/shard-N: header, store/"""

    def __init__(self, directory, keys):
        with open(os.path.join(directory, "header"), "rb") as file:
            fields = Fields(file.read(), f"{directory}/header")
        fields.magic(b"TSH1", 1)
        self.number, self.db_uuid, self.deks = fields.u32(), fields.take(16), {}
        for _ in range(fields.u16()):
            version, wrapped, _ = fields.u32(), fields.text(), fields.text()
            self.deks[version] = keys.shard_key(self.db_uuid, self.number, version, wrapped)
        fields.end()
        self.database = Database(os.path.join(directory, "store"), self.db_uuid, self.deks)
        self.rows = self.database.rows
        _, seq, _ = keys.anchor(self.number)
        require(self.database.seq >= seq, "the shard's log ends below its anchor")

    def _row(self, key, what):
        require(key in self.rows, f"{what}: no such row")
        fields = Fields(self.rows[key], what)
        require(fields.u8() == 1, f"{what}: version of the row")
        return fields

    def buckets(self):
        """{name: (bucket16, tenant16)}, of shard 0"""
        found = {}
        for name, _ in self.database.below(b"N"):
            fields = self._row(b"N" + name, "row N")
            found[name] = (fields.take(16), fields.take(16))
            require(fields.u8() == 1, "row N: state")
            require(fields.take(4) == b"\0\1\0\0", "row N: a bucket over several shards")
            fields.u32()
            fields.end()
        return found

    def names(self, bucket):
        return [name for name, _ in self.database.below(b"O" + bucket)]

    def object(self, bucket, name):
        fields = self._row(b"O" + bucket + name, "row O")
        flags, seq = fields.u8(), fields.u64()
        raw, vmac = fields.take(200), fields.take(32)
        key_ref, attributes = fields.text(), fields.text()
        fields.end()
        if flags == 1:
            attributes = self.rows[b"A" + bucket + name + b"\0" + u64(seq)]
        return Object(seq, parse_record(raw), raw, vmac, key_ref, attributes)

    def page(self, content, number):
        key = content + u32(number)
        require(b"M" + key in self.rows and b"P" + key in self.rows, "a page has no row")
        return self.rows[b"M" + key], self.rows[b"P" + key]

    def segment_pages(self, version):
        pages = dict(self.database.below(b"S" + version))
        require(list(pages) == [u32(i) for i in range(len(pages))], "rows S: numbers")
        return list(pages.values())

    def accounts(self):
        """{number: account16}"""
        found = {}
        for number, _ in self.database.below(b"a"):
            if len(number) == 4:
                found[struct.unpack(">I", number)[0]] = self._row(b"a" + number, "row a").take(16)
        return found


def open_shards(directory, keys):
    names = sorted(name for name in os.listdir(directory) if name.startswith("shard-"))
    require(names, f"{directory}: no shard")
    return [Shard(os.path.join(directory, name), keys) for name in names]
