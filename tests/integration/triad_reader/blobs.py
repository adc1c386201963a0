"""FORMATS 4 and 10: fragments by account and id, from the blob nodes' segment files."""

import os

from triad_reader.primitives import Fields, crc32c, require
from triad_reader.segment_log import read_log

BLOB, TOMBSTONE = 1, 2


def read_account(directory):
    """(account16, {fragment id: record})"""
    with open(os.path.join(directory, "account"), "rb") as file:
        raw = file.read()
    fields = Fields(raw, f"{directory}/account")
    fields.magic(b"TBA1", 1)
    fields.zeros(2)
    account = fields.take(16)
    fields.take(16)
    require(fields.u32() == crc32c(raw[:-4]), f"{directory}/account: sum")
    fields.end()
    blobs = {}
    for record in read_log(os.path.join(directory, "log")):
        require(record.flags in (BLOB, TOMBSTONE), "flags of a blob record")
        if record.flags == BLOB:
            blobs[record.id] = record
    return account, blobs


class Blobs:
    """All accounts below some data directories of blob nodes. What is in the trash is read too."""

    def __init__(self, directories):
        self.accounts = {}
        for directory in directories:
            for name in sorted(os.listdir(directory)):
                path = os.path.join(directory, name)
                if os.path.exists(os.path.join(path, "account")):
                    account, blobs = read_account(path)
                    self.accounts[account] = blobs

    def get(self, account, ident):
        """The fragment, or None."""
        record = self.accounts.get(account, {}).get(ident)
        return None if record is None else record.payload()
