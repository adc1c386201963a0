#!/usr/bin/python3
"""Kills a daemon at its k-th system call, for every k, and looks at everything after each restart.

  sweep.py [--target blob1,contentdb,keystore] [--syscall fdatasync,...|all] [--workload put,...]
           [--mode kill|after|tear|eio|enospc|start|start-eio|stop] [--from K] [--to K] [--nodes N]

For each target, syscall and workload: k = 1, 2, ... until the workload ends before the k-th call. After
each: what was acknowledged is there byte for byte, what was not is there whole or not at all and stays
so, nothing else has changed, LIST agrees, and the next requests work, all within 10 s.

  kill    SIGKILL before the k-th call          after   SIGKILL when it returned
  tear    the k-th write is cut short, SIGKILL
  start   SIGKILL at the k-th call of the start that follows a kill   stop   the same while it stops
  start-eio     the k-th call of that start fails
  eio, enospc   the k-th call fails, the daemon goes on or ends; restarted and looked at again

`--syscall all` counts the calls of all kinds together. Calls of the background (anchors, the audit log,
saved indexes, repairs) count too: they are hit as well. A log that is written with zeros first makes 258 writes
for a new segment (workload roll): of those each 32nd is struck, with --step another. Binaries come from TRIAD_BIN.
"""

import argparse
import ctypes
import os
import platform
import signal
import sys
import time
from dataclasses import dataclass, field

from deployment import Deployment
from sweep_model import WITHIN, Wrong, said
from sweep_rig import Rig, Strike
from sweep_tracing import Tracing
from sweep_workloads import ALL

TARGETS = ("blob1", "contentdb", "keystore")
STORING = ("fdatasync", "pwritev", "pwrite64", "fsync", "openat", "renameat", "unlinkat", "fallocate",
           "mkdir", "mkdirat")
CALLS = (*STORING, "sendmsg")
FAILING = ("fdatasync", "pwritev", "pwrite64")
MODES = ("kill", "after", "tear", "eio", "enospc", "start", "start-eio", "stop")
PR_SET_DUMPABLE = 4  # prctl(2)
K_MAX = 400     # No case has so many calls; a case that comes so far is a finding.
WRONG_MAX = 5   # Then a case is given up.
AGAIN = 3       # How often a run that made fewer calls than one before it is repeated.


@dataclass
class Case:
    """One row of the table."""
    target: str
    syscall: str
    workload: str
    mode: str
    step: int = 1              # Between two k.
    k: int = 0                 # The last k at which it was struck.
    kills: int = 0             # Strikes after which the daemon was gone.
    wrong: list = field(default_factory=list)
    recovery: float = 0.0      # The slowest.
    answer: float = 0.0        # The slowest answer to an operation under way.
    hits: dict = field(default_factory=dict)
    answers: list = field(default_factory=lambda: [0, 0, 0])  # Of struck operations: good, 5xx, none.
    is_short: bool = False     # The last runs made fewer calls than one before them.
    seconds: float = 0.0

    def calls(self):
        return list(STORING) if self.syscall == "all" else [self.syscall]

    def replay(self, k, nodes):
        return (f"tests/chaos/sweep.py --target {self.target} --syscall {self.syscall} --workload "
                f"{self.workload} --mode {self.mode} --from {k} --to {k} --nodes {nodes}")

    def row(self):
        return (f"{self.target:10} {self.syscall:10} {self.workload:10} {self.mode:7} {self.k:4}"
                f"{'~' if self.is_short else ' '} {self.kills:6} {'/'.join(map(str, self.answers)):>10} "
                f"{self.answer:8.2f} {self.recovery:9.2f} {len(self.wrong):10} {self.seconds:8.1f}")


HEADING = (f"{'target':10} {'syscall':10} {'workload':10} {'mode':7} {'k to':>5} {'deaths':>6} "
           f"{'2xx/5xx/0':>10} {'answer':>8} {'ready':>9} {'violations':>10} {'seconds':>8}")


def why_not():
    """None, or why processes cannot be traced here: said loudly by who skips."""
    if platform.machine() != "x86_64":
        return f"the tracer knows x86-64, not {platform.machine()}"
    hidden, told = os.pipe()
    child = os.fork()
    if child == 0:
        # As those of our daemons that hold keys: not dumpable, which takes CAP_SYS_PTRACE to trace.
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
        os.write(told, b".")
        signal.pause()
        os._exit(0)
    os.read(hidden, 1)
    os.close(hidden)
    os.close(told)
    try:
        Tracing(child, ["fsync"], 0, "kill").close()
        return None
    except RuntimeError as error:
        return f"processes that are not dumpable cannot be traced: {error}"
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


class Sweep:
    def __init__(self, deployment, say=print):
        self.rig, self.say = Rig(deployment), say
        self.nodes = len(deployment.blobs)

    def strike(self, case, k, model):
        return self.rig.strike(case.target, case.calls(), case.workload, k, case.mode, model)

    def note(self, case, k, strike):
        case.recovery = max(case.recovery, strike.recovery or 0)
        case.answer = max(case.answer, strike.seconds if strike.hit else 0)
        if strike.hit:
            case.k = k
            case.kills += strike.ended
            status = strike.answer.status if strike.answer else 0
            case.answers[0 if 200 <= status < 300 else 1 if status else 2] += 1
            case.hits[strike.hit] = case.hits.get(strike.hit, 0) + 1
        for problem in strike.wrong:
            case.wrong.append(problem)
            answer = said(strike.answer) if strike.answer else "nothing yet"
            self.say(f"VIOLATION at k={k} ({strike.hit}; answered {answer}): {problem}\n"
                     f"  replay: {case.replay(k, self.nodes)}")

    def run(self, case, first=1, last=K_MAX, model=None):
        """Every k of one case; then one more restart, and every key of its bucket.

        model: several cases share one; then finish() is the caller's.
        """
        begin, shorter, is_own = time.monotonic(), 0, model is None
        try:
            model = model or self.rig.bucket()
            self.rig.follow(case.target, model)
            k = first
            while k <= last and len(case.wrong) < WRONG_MAX:
                strike = self.strike(case, k, model)
                self.note(case, k, strike)
                if strike.hit is None and not strike.wrong:
                    # A run with fewer calls than one that was struck proves nothing about k.
                    shorter += 1
                    case.is_short = strike.count < k - case.step
                    if not case.is_short or shorter > AGAIN:
                        break
                    continue
                k += case.step
            else:
                if k > K_MAX:
                    case.wrong.append(f"the workload does not end within {K_MAX} calls")
            if is_own and case.k > 0:  # Else nothing was done to it.
                self.finish(case.target, model)
        except Wrong as error:
            case.wrong.append(str(error))
            self.say(f"VIOLATION after {case.replay(first, self.nodes)}: {error}")
            self.rig.calm(case.target)
        case.seconds = time.monotonic() - begin
        return case

    def finish(self, target, model):
        """After the last restart of all: raises Wrong."""
        self.rig.check_audit(target)
        self.rig.restart(target, Strike())
        model.check(list(model.allowed), time.monotonic() + WITHIN)


def cases(options):
    for target in options.target:
        for syscall in options.syscall:
            for workload in options.workload:
                if workload == "reopen" and target != "keystore":
                    continue
                is_filled = workload == "roll" and not target.startswith("blob")
                if is_filled and syscall == "all":
                    continue  # Its other calls are struck one kind at a time.
                step = 32 if is_filled and syscall == "pwrite64" else 1
                yield Case(target, syscall, workload, options.mode, options.step or step)


def words(known):
    def parse(text):
        chosen = text.split(",")
        unknown = set(chosen) - set(known)
        if unknown:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: choose from {', '.join(known)}")
        return chosen
    return parse


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--target", type=lambda text: text.split(","), default=list(TARGETS))
    parser.add_argument("--syscall", type=words((*CALLS, "all")))
    parser.add_argument("--workload", type=words(ALL), default=None)
    parser.add_argument("--mode", choices=MODES, default="kill")
    parser.add_argument("--from", dest="first", type=int, default=1)
    parser.add_argument("--to", dest="last", type=int, default=K_MAX)
    parser.add_argument("--step", type=int)
    parser.add_argument("--nodes", type=int, default=3)
    options = parser.parse_args()
    if options.syscall is None:
        options.syscall = {"kill": list(CALLS), "after": list(CALLS), "start": ["all"],
                           "start-eio": ["all"], "stop": ["all"],
                           "tear": ["pwritev", "pwrite64"]}.get(options.mode, list(FAILING))
    if options.workload is None:
        options.workload = ["put"] if options.mode in ("start", "start-eio", "stop") else list(ALL)
    return options


def main():
    options = arguments()
    if (problem := why_not()) is not None:
        print(f"sweep: {problem}", file=sys.stderr)
        return 2
    wrong = strikes = 0
    begin = time.monotonic()
    with Deployment(nodes=options.nodes, accounts=1, frontends=2, spaces=False) as deployment:
        sweep = Sweep(deployment, lambda line: print(line, flush=True))
        print(HEADING)
        for case in cases(options):
            sweep.run(case, options.first, options.last)
            print(case.row(), flush=True)
            wrong += len(case.wrong)
            strikes += sum(case.hits.values())
    seconds = time.monotonic() - begin
    print(f"{strikes} strikes, {wrong} violations, {seconds:.0f} s, {strikes / seconds:.2f} strikes a second")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
