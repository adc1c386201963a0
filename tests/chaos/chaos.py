#!/usr/bin/python3
"""The chaos suite: rounds of faults under load against a whole Triad, each checked to the last byte.

  chaos.py run [--profile smoke|full|soak] [--seed N] [--seconds N] [--faults kill,pause,...]
               [--rounds N] [--compose] [--schedule FILE] [--keep DIR]

  smoke   one short round, in ./run-tests; at most 3 minutes
  full    rounds until 18 minutes are over, each with a cluster of its own; at most 20 minutes
  soak    rounds for --seconds (default 4 hours)

A round's seed decides its cluster, its schedule of faults and each client's operations. What fails
prints the seed and the command that replays it; history and schedule stay in the printed directory.
Binaries come from TRIAD_BIN (default bazel-bin).
"""

import argparse
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

import chaos_round
import cluster_plan
import report
import schedule

PROFILES = {  # seconds of faults a round, seconds for all rounds
    "smoke": (60, 0),
    "full": (90, 18 * 60),
    "soak": (300, 4 * 3600),
}


def one_round(options, seed, seconds):
    """A round on a fresh cluster; its directory stays when something was wrong."""
    directory = Path(tempfile.mkdtemp(prefix=f"triad-chaos-{seed}-", dir=options.keep))
    events = schedule.load(options.schedule) if options.schedule else None
    plan = chaos_round.Round(seed, seconds, options.faults, events=events, directory=directory)
    with cluster_plan.Cluster(seed, options.compose) as cluster:
        print(f"round {seed}: {cluster.words}, {seconds:.0f} s of faults", flush=True)
        result = chaos_round.run(cluster.deployment, plan, lambda line: print(line, flush=True))
    if result.violations:
        compose = " --compose" if options.compose else ""
        print(f"replay: tests/chaos/chaos.py run --seed {seed} --seconds {seconds:.0f}{compose}"
              f" --schedule {directory}/schedule.jsonl")
    elif not options.keep:
        shutil.rmtree(directory)
    return result


def run(options):
    seconds, total = PROFILES[options.profile]
    if options.seconds and options.profile == "soak":
        total = options.seconds
    elif options.seconds:
        seconds = options.seconds
    begin, results = time.monotonic(), []
    while True:
        # A first seed leads to the later ones; each stands alone in a replay.
        seed = options.seed + len(results)
        results.append(one_round(options, seed, seconds))
        print(report.of_round(results[-1]), flush=True)
        spent = time.monotonic() - begin
        if len(results) >= options.rounds if options.rounds else spent + spent / len(results) > total:
            break
    print(report.of_run(results, time.monotonic() - begin))
    return 1 if any(result.violations for result in results) else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    words = commands.add_parser("run")
    words.add_argument("--profile", choices=PROFILES, default="smoke")
    words.add_argument("--seed", type=int, default=secrets.randbelow(10**9))
    words.add_argument("--seconds", type=float)
    words.add_argument("--rounds", type=int)
    words.add_argument("--faults", type=lambda text: text.split(","))
    words.add_argument("--compose", action="store_true")
    words.add_argument("--schedule", type=Path)
    words.add_argument("--keep", type=Path)
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
