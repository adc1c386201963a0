"""A blob node gives wrong bytes with right checksums, as a hostile one does, or a memory that rots before the write.

Its own checks call them good, so only the tags that readers check can tell. The same account as
flip's, for the same reason; what flip has hit stays flip's, and the other way round.
"""

import random as randoms
import struct

from . import flip
from triad_reader.primitives import crc32c
from triad_reader.segment_log import BLOCK, HEADER


class Lie(flip.Flip):
    name, weight, hold = "lie", 2, (0.1, 0.2)

    def strike(self, record, random):
        lie(record, random)


def lie(record, random):
    """Changes bytes of the payload, and the sum of each block that holds one of them."""
    begin, size = flip.flip(record, random)
    with open(record.segment.path, "r+b") as file:
        for block in range(begin // BLOCK, (begin + size - 1) // BLOCK + 1):
            start = record.start + block * BLOCK
            file.seek(start)
            bytes_of_block = file.read(min(BLOCK, record.end - start))  # The last with the zeros behind it.
            file.seek(record.offset + HEADER + 4 * block)
            file.write(struct.pack(">I", crc32c(bytes_of_block)))
