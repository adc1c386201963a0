"""What each client of a workload is going to do: drawn from the seed alone, whatever the cluster answers."""

import random
from dataclasses import dataclass

PART = 5 * 1024 * 1024      # The least size of a part that is not the last.
CHUNK = 1024 * 1024

KINDS = {"put": 24, "put_new": 8, "get": 24, "range": 10, "head": 6, "delete": 9, "copy": 6, "multipart": 2,
         "list": 10, "keep": 7}
# (weight, least, most): small ones, around one block, some chunks, many chunks.
SIZES = ((65, 0, 4096), (24, 65536 - 80, 65536 + 80), (10, CHUNK, 3 * CHUNK), (1, 4 * CHUNK, 7 * CHUNK))
ENDINGS = {"complete": 70, "complete twice": 15, "abort": 8, "leave": 7}
PREFIXES = ("a/", "a/b c/")                   # Sources of copies; one prefix lies in the other.
KEPT = "kept/"                                # Keys that are written once: what is lost there no later write hides.
COPIES = "copy/"                              # Only keys here are ever written by a copy.
LISTED = ("", "a/", "a/b c/", COPIES, "none/")


@dataclass(frozen=True)
class Intent:
    kind: str
    slot: int           # Which key of the working set.
    source: int         # Of a copy: which other.
    endpoint: int
    size: int
    ending: str         # Of a multipart upload.
    first: float        # Of a range: where it begins, in parts of the whole, and how many bytes.
    span: int
    is_signed: bool
    prefix: str         # Of a list.
    limit: int
    pause: float        # Before it, in parts of the mean.


class Plan:
    """The working set, and a stream of intents for each client."""

    def __init__(self, seed, endpoints, sizes=SIZES, kinds=None, buckets=2, width=2):
        self.seed, self.endpoints, self.sizes, self.kinds = seed, endpoints, sizes, kinds or KINDS
        self.slots = [(bucket, prefix + f"k{i}") for bucket in range(buckets) for prefix in (*PREFIXES, COPIES)
                      for i in range(width)]
        self.targets = [i for i, slot in enumerate(self.slots) if slot[1].startswith(COPIES)]
        self.sources = [i for i in range(len(self.slots)) if i not in self.targets]

    def size(self, rng):
        _, low, high = rng.choices(self.sizes, [row[0] for row in self.sizes])[0]
        return rng.randint(low, high)

    def intents(self, client):
        rng = random.Random(f"{self.seed} {client}")
        endpoint = rng.randrange(self.endpoints)
        while True:
            kind = rng.choices(list(self.kinds), list(self.kinds.values()))[0]
            if rng.random() < 0.75:  # The next frontend, mostly: what one did the other must know.
                endpoint = (endpoint + 1) % self.endpoints
            yield Intent(
                kind, rng.choice(self.targets) if kind == "copy" else rng.randrange(len(self.slots)),
                rng.choice(self.sources), endpoint,
                PART + rng.randrange(1, PART) if kind == "multipart" else self.size(rng),
                rng.choices(list(ENDINGS), list(ENDINGS.values()))[0], rng.random(),
                rng.choice([1, 64, 1000, 70_000, CHUNK + 1]), rng.random() < 0.25, rng.choice(LISTED),
                rng.choice([1, 3, 10, 1000]), 2 * rng.random())
