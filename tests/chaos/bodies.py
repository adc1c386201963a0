"""Bodies that say what they are: each 64 bytes name the value, the key and their own place.

So any range of a body tells whether it is whole, mixed, stale, shifted or somebody else's. A record is
"<value id, 22> <hash of bucket/key, 16> <number of the record, 8> <filler, 14>" and a newline.
"""

import functools
import hashlib
import re

RECORD = 64
RECORDS_MAX = 1 << 18           # Bodies of up to 16 MiB.
VALUE_MAX = 22
NUMBER_AT = VALUE_MAX + 1 + 16 + 1
FORM = re.compile(rb"(\S{1,22}) *(?<=.{22}) ([0-9a-f]{16}) ([0-9a-f]{8}) ~triad-chaos~\.\n")


class Mixed:
    """A body that is not what it should be; `text` says what lies where."""

    def __init__(self, text):
        self.text = text

    def __str__(self):
        return self.text


@functools.lru_cache(maxsize=4096)
def key_hash(key):
    return hashlib.blake2b(key.encode(), digest_size=8).hexdigest().encode()


@functools.lru_cache(maxsize=1)
def number_columns():
    """For each of the 8 digits: its value in record 0, 1, 2, ... as one string of bytes."""
    digits, columns = b"0123456789abcdef", []
    for place in range(8):
        run = 16 ** (7 - place)
        cycle = b"".join(bytes([digit]) * min(run, RECORDS_MAX) for digit in digits)[:RECORDS_MAX]
        columns.append((cycle * (RECORDS_MAX // len(cycle) + 1))[:RECORDS_MAX])
    return columns


def piece(value_id, key, offset, length):
    """The bytes of a body from offset on; the body's own length does not matter to them."""
    first, last = offset // RECORD, (offset + length + RECORD - 1) // RECORD
    if last > RECORDS_MAX or len(value_id) > VALUE_MAX:
        raise ValueError(f"no body for {value_id} up to {offset + length}")
    record = b"%-22s %s %08d ~triad-chaos~.\n" % (value_id.encode(), key_hash(key), 0)
    body = bytearray(record * (last - first))
    for place, column in enumerate(number_columns()):
        body[NUMBER_AT + place::RECORD] = column[first:last]
    return bytes(memoryview(body)[offset - first * RECORD:offset - first * RECORD + length])


def make(value_id, key, length):
    """The body of a value; key is "bucket/key"."""
    return piece(value_id, key, 0, length)


def verify(data, key, offset=0, value_id=None, length=None):
    """The value whose bytes these are, from offset on, or a Mixed.

    value_id: which it should be; without it the first whole record says. length: how many bytes
    there should be.
    """
    data = bytes(data)
    if length is not None and len(data) != length:
        return Mixed(f"{len(data)} bytes instead of {length}; {describe(data, offset)}")
    if value_id is None:
        found = FORM.match(data, -offset % RECORD)
        if found is None:
            return Mixed(f"names no value; {describe(data, offset)}")
        value_id = found.group(1).decode(errors="replace")
    if data == piece(value_id, key, offset, len(data)):
        return value_id
    return Mixed(f"not the bytes of {value_id} of {key} ({key_hash(key).decode()}); {describe(data, offset, key)}")


def describe(data, offset, key=None):
    """What lies where, run by run; only looked at when something is wrong."""
    runs, position = [], 0
    while position < len(data):
        what, size = look(data, position, offset, key)
        if runs and runs[-1][2] == what:
            runs[-1][1] = position + size
        else:
            runs.append([position, position + size, what])
        position += size
    words = [f"{offset + first}-{offset + last - 1}: {what}" for first, last, what in runs[:12]]
    return "; ".join(words) + (f"; and {len(runs) - 12} runs more" if len(runs) > 12 else "") or "no bytes"


def look(data, position, offset, key):
    """What begins at a position, and how long it is."""
    found = FORM.match(data, position)
    if found is None:
        following = FORM.search(data, position)
        size = following.start() - position if following else len(data) - position
        return ("zeros" if not any(data[position:position + size]) else
                "rubbish" if size > RECORD else "part of a record"), size
    value, whose, number = found.groups()
    words = f"value {value.decode(errors='replace')}"
    if key is None or whose != key_hash(key):
        words += f" of key {whose.decode()}"
    shift = offset + position - int(number, 16) * RECORD
    return words + (f" shifted by {shift}" if shift else ""), RECORD
