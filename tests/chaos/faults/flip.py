"""Bits of stored fragments rot on the disk of one blob node.

Always in the same account of the same node, drawn once a run: an account holds at most one fragment of a
chunk, so that no chunk has more than one rotten fragment however often this strikes, and nothing may be
lost. Only records are hit that a later record calls durable: in a log's tail a bad record cannot be
told from a torn one, and is cut off with what follows. The damage stays: readers and repair have to find it.
"""

import random as randoms
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "integration"))

from triad_reader.segment_log import SEGMENT_HEADER, Segment  # noqa: E402

BLOB = 1        # Flags of a record that holds a fragment.
BYTES_MAX = 64  # That a strike changes in a fragment.
LOOK_MAX = 4000  # Records that are looked at: a strike is to be quick.


class Flip:
    name, weight, hold = "flip", 2, (0.1, 0.2)

    def possible(self, deployment):
        # With two accounts a node, a rotten fragment and a node that is away are one too many.
        return getattr(deployment, "accounts", 1) == 1 and all(deployment.directory(name).is_dir() for name in deployment.blobs)

    def choose(self, deployment, random):
        node = getattr(deployment, "rotten_node", None)
        if node is None:
            node = deployment.rotten_node = random.choice(deployment.blobs)
        return {"node": node, "seed": random.getrandbits(32), "count": random.randint(1, 4)}

    def inject(self, deployment, what):
        random = randoms.Random(what["seed"])
        hit = deployment.__dict__.setdefault("rotten_fragments", set())
        fragments = [one for one in durable(deployment.directory(what["node"]))
                     if (one.segment.path, one.offset) not in hit]
        for record in random.sample(fragments, min(what["count"], len(fragments))):
            self.strike(record, random)
            hit.add((record.segment.path, record.offset))

    def strike(self, record, random):
        flip(record, random)

    def lift(self, deployment, what):
        """Nothing: a disk does not heal by itself."""


def durable(data):
    """Fragments in the node's first account that are known to be durable by what stands behind them."""
    logs = sorted(data.glob("*/log"))
    found, proved = [], 0
    for path in sorted(logs[0].glob("*.seg")) if logs else ():
        segment, offset = Segment(str(path), int(path.stem, 16)), SEGMENT_HEADER
        while len(found) < LOOK_MAX and (record := segment.record_at(offset)) is not None:
            offset, proved = record.end, max(proved, record.durable)
            if record.flags == BLOB and record.size > 0:
                found.append(record)
    return [record for record in found if record.lsn <= proved]


def flip(record, random):
    """One to BYTES_MAX neighbouring bytes of the payload, each changed for sure: (where it begins, how many)."""
    begin = random.randrange(record.size)
    count = min(random.randint(1, BYTES_MAX), record.size - begin)
    with open(record.segment.path, "r+b") as file:
        file.seek(record.start + begin)
        old = file.read(count)
        file.seek(record.start + begin)
        file.write(bytes(byte ^ random.randint(1, 255) for byte in old))
    return begin, count
