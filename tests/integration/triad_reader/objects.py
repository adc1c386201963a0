"""One object from all three stores: its record, pages, keys, fragments, blocks, attributes."""

import hashlib
import struct
from collections import namedtuple

from triad_reader import erasure
from triad_reader.content import INLINE, MULTIPART, OPEN_UPLOAD, SSE_C, parse_segment
from triad_reader.primitives import (Fields, Refused, aes_block, derive, gcm_open, gmac, mac,
                                     require, sha256, u16, u32, u64, unwrap, xor)

PAGE_ROWS, MAC = 128, 32
STORED, MISSING, MOVING = 1, 2, 3
Page = namedtuple("Page", "k m integrity_version first_offset rows places")
Chunk = namedtuple("Chunk", "page row places ctx key")
Row = namedtuple("Row", "chunk suite plain padded block_len commit wrapped tags")


class Reader:
    """Finds and opens objects. Drop keeps fragments from being used: then parity must serve."""

    def __init__(self, keys, shards, blobs, drop=()):
        self.keys, self.shards, self.blobs, self.drop = keys, shards, blobs, set(drop)

    def buckets(self):
        found = {}
        for shard in self.shards:
            for name, (bucket, _) in shard.buckets().items():
                found[name] = bucket
        return found

    def list(self):
        for bucket_name, bucket in sorted(self.buckets().items()):
            for shard in self.shards:
                for name in shard.names(bucket):
                    yield bucket_name, name

    def open(self, bucket_name, name):
        bucket = self.buckets().get(bucket_name)
        require(bucket is not None, "no such bucket")
        for shard in self.shards:
            if b"O" + bucket + name in shard.rows:
                return OpenObject(self, shard, bucket, name)
        raise Refused("no such object")


class OpenObject:
    """A version whose record was verified under its FK."""

    def __init__(self, reader, shard, bucket, name):
        self.reader, self.shard = reader, shard
        self.row = shard.object(bucket, name)
        self.record = record = self.row.record
        versions, self.attribute_key, tenant = reader.keys.open_bucket(bucket)
        require(record.tenant == tenant and record.bucket == bucket, "record of another bucket")
        require(record.name_hash == sha256(b"triad/v1/name\0" + bucket + name), "hash of the name")
        require(not record.flags & (OPEN_UPLOAD | INLINE | SSE_C), "kind of version")
        self.key = self._open_key(versions)
        expected = mac(derive(self.key, "triad/v1/version", record.data), self.row.raw_record)
        require(expected == self.row.vmac, "MAC of the version record")

    def _open_key(self, versions):
        fields, record = Fields(self.row.key_ref, "key_ref"), self.record
        kind, alg, size, version = fields.u8(), fields.u8(), fields.u16(), fields.u32()
        require(kind == 1 and alg == 1 and version in versions, "kind of key_ref")
        kek = derive(versions[version], "triad/v1/fk", record.tenant + record.bucket + record.data)
        key = unwrap(kek, fields.take(size), "FK")
        fields.end()
        return key

    # ---------------------------------------------------------------- what the client was told

    def etag(self):
        key = derive(self.attribute_key, "triad/v1/etag", self.record.bucket)
        text = xor(self.record.etag, aes_block(key, self.record.version)).hex()
        return f"{text}-{self.record.etag_parts}" if self.record.etag_parts else text

    def attributes(self):
        sealed, record = self.row.attributes, self.record
        if not sealed:
            require(record.attr_sha256 == sha256(b""), "hash of no attributes")
            return {}
        require(sha256(sealed) == record.attr_sha256, "hash of the attributes")
        key = derive(self.attribute_key, "triad/v1/attr", record.version + sealed[:16])
        aad = record.tenant + record.bucket + record.version
        fields = Fields(gcm_open(key, sealed[16:28], sealed[28:], aad, "attributes"), "attributes")
        found = {}
        while fields.at < len(fields.data):
            name = fields.text().decode()
            require(not found or name > max(found), "attributes are not sorted")
            found[name] = fields.text().decode()
        return found

    # ---------------------------------------------------------------- the plaintext

    def chunks(self):
        """The plaintext, chunk by chunk."""
        total = 0
        for part, content, first, count, size in self.runs():
            length = 0
            for index in range(first, first + count):
                plain = self._chunk(content, part, index, length)
                length += len(plain)
                yield plain
            require(length == size, "length of a run of chunks")
            total += length
        require(total == self.record.size, "length of the object")

    def read(self):
        """The plaintext; a single PUT's ETag is checked too."""
        body = b"".join(self.chunks())
        if not self.record.etag_parts:
            require(hashlib.md5(body).hexdigest() == self.etag(), "MD5 of the object")
        return body

    def runs(self):
        """(part, content10, first chunk, chunks, bytes)"""
        record = self.record
        if record.segments == 0:
            yield 0, record.content, 0, record.chunks, record.size
            return
        require(record.flags & MULTIPART and record.content == bytes(10), "record with segments")
        segments = list(self._segments())
        require(len(segments) == record.segments, "number of segments")
        require(sum(s.chunks for s in segments) == record.chunks, "number of chunks")
        for segment in segments:
            require(segment.data == record.data and segment.link == bytes(40)
                    and segment.skip == 0, "a segment of other data, which this program cannot read")
            yield (segment.part, segment.content, segment.first_index, segment.chunks,
                   segment.length)

    def _segments(self):
        for number, page in enumerate(self.shard.segment_pages(self.record.version)):
            key = derive(self.key, "triad/v1/seg", self.record.version + u32(number))
            require(mac(key, page[:-MAC]) == page[-MAC:], "MAC of a page of segments")
            for at in range(0, len(page) - MAC, 96):
                yield parse_segment(page[at : min(at + 96, len(page) - MAC)])

    def _page(self, content, part, number):
        raw, placement = self.shard.page(content, number)
        key = derive(self.key, "triad/v1/page", self.record.data)
        require(mac(key, raw[:-MAC]) == raw[-MAC:], "MAC of a manifest page")
        fields = Fields(raw[:-MAC], "manifest page")
        fields.magic(b"TPG1", 1)
        rows = fields.u16()
        require(fields.take(16) == self.record.data and fields.take(10) == content, "page: ids")
        fields.zeros(2)
        require(fields.u32() == part and fields.u32() == number, "page: part or number")
        first, integrity, alg = fields.u64(), fields.u16(), fields.u8()
        k, m = fields.u8(), fields.u8()
        fields.zeros(3)
        require(alg == 1 and 0 < rows <= PAGE_ROWS and k > 0 and k + m <= 24, "page: numbers")
        found = [self._page_row(fields, k + m) for _ in range(rows)]
        fields.end()
        return Page(k, m, integrity, first, found, parse_placement(placement, rows, k + m))

    @staticmethod
    def _page_row(fields, fragments):
        row = Row(fields.take(14), fields.u16(), fields.u32(), fields.u32(), fields.u32(),
                  fields.take(32), fields.take(40), [fields.take(16) for _ in range(fragments)])
        require(row.suite == 1 and 0 < row.plain <= row.padded, "row of a manifest page")
        return row

    def chunk_key(self, content, part, index, offset):
        """Where a chunk lies, its context and its DEK, which the commitment proves."""
        page = self._page(content, part, index // PAGE_ROWS)
        row, places = page.rows[index % PAGE_ROWS], page.places[index % PAGE_ROWS]
        if index % PAGE_ROWS == 0:
            require(page.first_offset == offset, "first offset of a page")
        record = self.record
        ctx = (u16(row.suite) + bytes(2) + record.tenant + record.bucket + record.data + u32(part)
               + u32(index) + u64(offset) + u32(row.plain) + u32(row.padded) + u32(row.block_len)
               + row.chunk + bytes(2))
        require(len(ctx) == 96 and row.chunk[:10] == content, "chunk of another upload")
        key = unwrap(derive(self.key, "triad/v1/dek", record.data), row.wrapped, "DEK")
        require(derive(key, "triad/v1/commit", ctx) == row.commit, "commitment of a chunk")
        return Chunk(page, row, places, ctx, key)

    def _chunk(self, content, part, index, offset):
        page, row, places, ctx, key = self.chunk_key(content, part, index, offset)
        shape = erasure.Shape(row.padded, row.block_len, page.k)
        blocks = erasure.data_blocks(shape, self._fragments(page, row, places, shape))
        return open_blocks(derive(key, "triad/v1/enc", ctx), ctx, blocks, row.plain)

    def _fragments(self, page, row, places, shape):
        """Any k good ones: {index: bytes}"""
        reader, found = self.reader, {}
        accounts = self.shard.accounts()
        tag_key = derive(reader.keys.integrity[page.integrity_version], "triad/v1/frag", row.chunk)
        for index, (number, copy, state) in enumerate(places):
            if state == MISSING or index in reader.drop or len(found) == page.k:
                continue
            account = accounts[number]
            ident = fragment_id(reader.keys.account_id_key(account), row.chunk, copy)
            fragment = reader.blobs.get(account, ident)
            if fragment is None:
                continue
            require(len(fragment) == shape.fragment_size(index), "size of a fragment")
            tag = gmac(tag_key, bytes(8) + u32(index), fragment)
            require(tag == row.tags[index], f"tag of fragment {index}")
            found[index] = fragment
        return found


def fragment_id(id_key, chunk, copy):
    return aes_block(id_key, chunk + bytes([copy, 0x5A]))


def parse_placement(raw, rows, fragments):
    """For each chunk its (account number, copy, state)s; targets of moves are not needed."""
    count = rows * fragments
    require(len(raw) >= 6 * count, "length of a placement row")
    entries = [struct.unpack_from(">IBB", raw, 6 * i) for i in range(count)]
    moving = sum(state == MOVING for _, _, state in entries)
    require(len(raw) == 6 * count + 5 * moving, "length of a placement row")
    require(all(STORED <= state <= MOVING for _, _, state in entries), "state in a placement row")
    return [entries[i * fragments : (i + 1) * fragments] for i in range(rows)]


def open_blocks(key, ctx, blocks, plain_len):
    plain = b""
    for number, block in enumerate(blocks):
        iv = bytes(7) + bytes([number + 1 == len(blocks)]) + u32(number)
        plain += gcm_open(key, iv, block, ctx, f"block {number}")
    require(not any(plain[plain_len:]), "padding is not zero")
    return plain[:plain_len]
