"""FORMATS 10.1: the segment files of commit logs and of blob accounts."""

import mmap
import os
import re
import struct

from triad_reader.primitives import Refused, crc32c, require

BLOCK = 64 * 1024
ZEROS = bytes(BLOCK)
HEADER, SEGMENT_HEADER, ALIGN = 48, 64, 16
PAYLOAD_MAX = 64 * 1024 * 1024 + 128 * 1024


class Record:
    """One record; its payload is read, and its sums checked, only when asked for."""

    def __init__(self, segment, offset, fields):
        self.segment, self.offset = segment, offset
        self.id, self.size, self.flags, self.lsn, self.durable = fields
        blocks = -(-self.size // BLOCK)
        self.start = offset + HEADER + 4 * blocks
        self.end = -(-(self.start + self.size) // ALIGN) * ALIGN

    def payload(self):
        data = self.segment.data
        sums = struct.unpack_from(f">{-(-self.size // BLOCK)}I", data, self.offset + HEADER)
        for i, expected in enumerate(sums):
            begin = self.start + i * BLOCK
            block = data[begin : self.end if i + 1 == len(sums) else begin + BLOCK]
            require(crc32c(block) == expected, f"{self.segment.path}: sum of a block")
        return data[self.start : self.start + self.size]

    def is_whole(self):
        """False for a torn one. Where another record follows it need not be asked here: who uses
        the payload checks it."""
        if self.segment.record_at(self.end) is not None:
            return True
        try:
            self.payload()
            return True
        except Refused:
            return False


class Segment:
    def __init__(self, path, number):
        self.path, self.number = path, number
        with open(path, "rb") as file:
            self.data = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        size = len(self.data)
        header = self._header(0) or self._header(size - SEGMENT_HEADER)
        require(header is not None, f"{path}: both headers are damaged")
        self.salt, self.first_lsn, self.previous_end, self.previous_cut = header

    def _header(self, at):
        raw = self.data[at : at + SEGMENT_HEADER]
        magic, flags, number, salt, size, first, previous, zeros, crc = struct.unpack(
            ">4sIQ8sQQQ12sI", raw)
        good = (magic == b"TSG1" and crc == crc32c(raw[:60]) and number == self.number
                and size == len(self.data) and not any(zeros) and flags <= 1)
        return (salt, first, previous, flags == 1) if good else None

    def record_at(self, offset):
        """The header at offset, or None; the payload is not looked at."""
        limit = len(self.data) - SEGMENT_HEADER
        if offset + HEADER > limit or self.data[offset : offset + 4] != b"TSR1":
            return None
        raw = self.data[offset : offset + HEADER]
        _, ident, size, flags, lsn, durable, crc = struct.unpack(">4s16sIIQQI", raw)
        if crc != crc32c(self.salt + struct.pack(">QQ", self.number, offset) + raw[:44]):
            return None
        record = Record(self, offset, (ident, size, flags, lsn, durable))
        return record if size <= PAYLOAD_MAX and record.end <= limit and durable < lsn else None

    def records(self, last_lsn, end):
        """The records up to end (None: this is the last segment, which may be torn)."""
        offset = SEGMENT_HEADER
        while end is None or offset < end:
            record = self.record_at(offset)
            if record is None or record.lsn <= last_lsn or (end is None and not record.is_whole()):
                require(end is None, f"{self.path}: damage at {offset}")
                self._check_tail(offset, last_lsn)
                return
            yield record
            last_lsn, offset = record.lsn, record.end

    def _check_tail(self, offset, last_lsn):
        """What lies behind the end is a torn tail unless a later record proves it was durable."""
        for begin in range(offset, len(self.data), BLOCK):
            block = self.data[begin : begin + BLOCK]
            for at in range(0, len(block), ALIGN) if block != ZEROS[: len(block)] else ():
                later = self.record_at(begin + at)
                if later is not None:
                    require(later.durable < last_lsn + 1, f"{self.path}: damage at {offset}")


def read_log(directory):
    """Every record of a log, in order of LSN."""
    found = [name for name in os.listdir(directory) if re.fullmatch(r"[0-9a-f]{16}\.seg", name)]
    segments = [Segment(os.path.join(directory, name), int(name[:16], 16))
                for name in sorted(found)]
    last = 0
    for i, segment in enumerate(segments):
        end = None
        if i + 1 < len(segments) and segments[i + 1].number == segment.number + 1:
            end = segments[i + 1].previous_end
        for record in segment.records(last, end):
            yield record
            last = record.lsn
