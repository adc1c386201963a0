#!/usr/bin/python3
"""Proof that the suite finds what it is for: Triads with one grave bug each must turn it red.

  mutants.py [NAME ...] [--seed N]

  no_fsync                   fsync and fdatasync do nothing (libeatmydata under every daemon)
  acknowledge_before_fsync   a blob node says STORED before the sync that covers it
  commit_before_fsync        the content DB answers a commit before the sync
  no_head_check              the content DB commits whatever the key's head is
  no_block_tag               a frontend does not look at the tag of a block that it opens
  one_account                a frontend sends all fragments of a chunk to one account

All but the first are compiled in (bazel build --define=mutant=NAME, lib/base/mutant.h). Each runs the
scenario that is aimed at it (scenarios.py), and the same scenario runs with the true binaries: they must
stay green. True binaries come from TRIAD_BIN (default bazel-bin), the command that builds from
TRIAD_BAZEL (default bazel).
"""

import argparse
import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import scenarios
from deployment import BIN, REPO, Deployment
from leftovers import Run

# A directory of outputs of their own: no build of the true daemons ever meets a mutant.
BUILD = ("--platform_suffix=-mutant",)
DAEMONS = ("keystore/keystore", "contentdb/contentdb", "blobnode/blobnode", "steward/steward",
           "frontend/frontend", "cli/triad")
LIBRARY = "libeatmydata.so"
LINES, LINE = 4, 160  # Of a violation that are shown.
TURNS, TURNS_MAX = 3, 8  # For the true binaries; until a mutant must have shown itself, which most do in the first.


@dataclass
class Mutant:
    scenario: str
    daemon: str = None   # That has the bug compiled in; None: the library under all.


ALL = {
    "no_fsync": Mutant("blackout"),
    "acknowledge_before_fsync": Mutant("blackout", "blobnode"),
    "commit_before_fsync": Mutant("blackout", "contentdb"),
    "no_head_check": Mutant("contention", "contentdb"),
    "no_block_tag": Mutant("lies", "frontend"),
    "one_account": Mutant("one_node_away", "frontend"),
}


class Broken(RuntimeError):
    """The mutant could not be made, or did not run: nothing is proved."""


@dataclass
class Verdict:
    """Of one scenario with one set of binaries."""
    who: str             # The mutant, or "true binaries".
    scenario: str
    seed: int
    wrong: list = field(default_factory=list)
    seconds: float = 0.0   # Without what it took to build.

    @property
    def is_green(self):
        return not self.wrong

    @property
    def is_as_it_should(self):
        return self.is_green == (self.who not in ALL)

    def __str__(self):
        words = f"{self.who:25} {self.scenario:14} {'green' if self.is_green else 'red':5} {self.seconds:5.1f} s"
        if self.wrong:
            lines = [line[:LINE] for line in self.wrong[0].splitlines()[:LINES]]
            words += f"  {len(self.wrong)} wrong, the first:\n    " + "\n    ".join(lines)
        if not self.is_as_it_should:
            words += f"\n    AND SHOULD BE {'RED: the suite does not see this bug' if self.is_green else 'GREEN'}"
            words += f"; again: tests/chaos/mutants.py {self.who if self.who in ALL else ''} --seed {self.seed}"
        return words


# ---------------------------------------------------------------- making one


def bazel(*words):
    command = [*shlex.split(os.environ.get("TRIAD_BAZEL", "bazel")), *words]
    done = subprocess.run(command, cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=900, check=False)
    if done.returncode != 0:
        raise Broken(f"{' '.join(command)}: {done.stdout[-500:]}{done.stderr[-2000:]}")
    return done.stdout


def build(name, daemon, into):
    """The daemon with the mutant in it, as file `into`. Not before the copy is another one built."""
    options = (*BUILD, f"--define=mutant={name}")
    # No links: bazel-bin stays what it is.
    bazel("build", "--symlink_prefix=/", "--noshow_progress", *options, f"//{daemon}")
    place = Path(bazel("info", *options, "bazel-bin").strip().splitlines()[-1])
    shutil.copy(place / daemon / daemon, into)


def binaries(name, directory):
    """A directory like TRIAD_BIN, with one daemon replaced."""
    mutant = ALL[name]
    for path in DAEMONS:
        into = directory / path
        into.parent.mkdir(parents=True)
        if path == f"{mutant.daemon}/{mutant.daemon}":
            build(name, mutant.daemon, into)
        else:
            into.symlink_to((Path(BIN) / path).resolve())
    return directory


def library():
    return next(Path("/usr/lib").glob(f"*/{LIBRARY}"), None)


def why_not(name):
    """Why this mutant cannot be tried here, or None."""
    if ALL[name].daemon is None and library() is None:
        return f"{LIBRARY} is not installed"
    return scenarios.ALL[ALL[name].scenario].why_not()


# ---------------------------------------------------------------- trying one


def bug_of(deployment, daemon):
    """The mutant that a running daemon is; None for a true one."""
    found = re.search(r'"mutant":"(\w+)"', deployment.log(daemon))
    if found:
        return found.group(1)
    if deployment.preload:
        maps = Path(f"/proc/{deployment.pid(daemon)}/maps").read_text(encoding="utf-8")
        return "no_fsync" if LIBRARY in maps else None
    return None


def check_running(deployment, who):
    """The bug is where it should be, and nowhere else: otherwise a verdict says nothing."""
    for daemon in deployment.names:
        is_struck = who in ALL and ALL[who].daemon in (None, deployment.role_of(daemon))
        wanted, found = who if is_struck else None, bug_of(deployment, daemon)
        if found != wanted:
            raise Broken(f"{daemon} is {found or 'a true one'}, and should be {wanted or 'a true one'}")


def try_out(who, scenario, seed):
    """A mutant, or the true binaries, in a scenario."""
    run = Run("mutant")
    try:
        words = {"binaries": BIN}
        if who in ALL:
            words = {"binaries": binaries(who, run.directory / "bin"),
                     "preload": library() if ALL[who].daemon is None else None}

        @contextmanager
        def cluster(**more):
            with Deployment(**words, **more) as deployment:
                check_running(deployment, who)
                yield deployment

        begin, turns = time.monotonic(), TURNS_MAX if who in ALL else TURNS
        wrong = scenarios.ALL[scenario].run(cluster, seed, turns)
        return Verdict(who, scenario, seed, list(map(str, wrong)), time.monotonic() - begin)
    finally:
        run.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[[], *ALL], metavar="NAME")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**9))
    options = parser.parse_args()
    names, is_good = options.names or list(ALL), True
    for name in names:
        if why_not(name):
            print(f"{name:25} NOT TESTED: {why_not(name)}")
    names = [name for name in names if not why_not(name)]
    wanted = dict.fromkeys(ALL[name].scenario for name in names)
    runs = [("true binaries", scenario) for scenario in wanted] + [(name, ALL[name].scenario) for name in names]
    print(f"seed {options.seed}")
    for who, scenario in runs:
        verdict = try_out(who, scenario, options.seed)
        print(verdict, flush=True)
        is_good = is_good and verdict.is_as_it_should
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
