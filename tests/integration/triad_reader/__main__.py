"""Reads a stopped Triad from its disks and its seal key alone, without any of Triad's code.

    /usr/bin/python3 tests/integration/triad_reader --data ~/.triad --list
    /usr/bin/python3 tests/integration/triad_reader --data ~/.triad --info BUCKET KEY
    /usr/bin/python3 tests/integration/triad_reader --data ~/.triad BUCKET KEY > file

Written from FORMATS.md with the standard library and python3-cryptography: what it opens proves
that page right. DATA holds keystore/data, contentdb/data and blob*/data, as ./quickstart lays them.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from triad_reader import open_stores  # noqa: E402
from triad_reader.primitives import Refused  # noqa: E402


def info_of(found):
    record = found.record
    return {"size": record.size, "etag": found.etag(), "created_ms": record.created_ms,
            "chunks": record.chunks, "segments": record.segments, "attributes": found.attributes()}


def run(arguments):
    seal = arguments.seal_key or arguments.data / "secrets/seal.key"
    reader = open_stores(arguments.data, seal, arguments.drop)
    if arguments.list:
        for bucket, name in reader.list():
            sys.stdout.buffer.write(bucket + b"/" + name + b"\n")
        return
    found = reader.open(arguments.bucket.encode(), arguments.key.encode())
    if arguments.info:
        print(json.dumps(info_of(found), indent=2, sort_keys=True))
        return
    for chunk in found.chunks():
        sys.stdout.buffer.write(chunk)


def main():
    parser = argparse.ArgumentParser(prog="triad_reader", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seal-key", type=Path, help="default: DATA/secrets/seal.key")
    parser.add_argument("--list", action="store_true", help="every bucket and key")
    parser.add_argument("--info", action="store_true", help="size, ETag and attributes")
    parser.add_argument("--drop", type=int, action="append", default=[], metavar="INDEX",
                        help="do without this fragment of each chunk")
    parser.add_argument("bucket", nargs="?")
    parser.add_argument("key", nargs="?")
    arguments = parser.parse_args()
    if not arguments.list and arguments.key is None:
        parser.error("BUCKET and KEY, or --list")
    try:
        run(arguments)
    except (Refused, OSError) as error:
        sys.exit(f"triad_reader: {error}")


if __name__ == "__main__":
    main()
