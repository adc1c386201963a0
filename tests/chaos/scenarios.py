"""Short runs, each aimed at one kind of bug: made of the suite's own parts, for mutants.py.

A scenario gets `cluster`, which takes a Deployment's words and gives the cluster to use in a with
block, a seed, and how many turns it may take. It returns what is wrong as soon as it finds something;
a sound Triad goes through all turns, and nothing is. The rounds of chaos.py draw the same faults and check
the same way; only the aim is new here.
"""

import random
import time
from dataclasses import dataclass

import chaos_round
import check_linear
import finale
from faults.blackout import Blackout
from faults.lie import Lie
from history import History
from rig import PowerRig
from workload import Workload

MIB = 1024 * 1024
EVERYTHING = 10_000                     # Fragments to lie about: all of the account.
SMALL = ((1, 1, 60_000),)               # Stored as copies.
LARGE = ((1, 70_000, 300_000),)         # As 4+2: every read meets each data fragment.
MIXED = ((3, 1, 60_000), (2, 70_000, MIB))


@dataclass
class Scenario:
    run: object                         # (cluster, seed, turns) -> list of what is wrong
    about: str
    why_not: object = lambda: None      # Why it cannot be here, or None.


class Load:
    """A workload and its history, for a with block; a client's breakdown is an error of the suite."""

    def __init__(self, deployment, seed, **words):
        self.history = History()
        self.workload = Workload(deployment, self.history, seed, think=0.005, **words)

    def __enter__(self):
        self.workload.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.workload.stop()

    def wrong(self):
        return [str(one) for one in check_linear.check(self.history)]


def read_everything(deployment, load):
    """All keys through each frontend, until something is wrong; then, and with what was seen before, what."""
    end = finale.Finale(deployment, load.history)
    for name in end.names:
        end.read_all(name, [name])
        if end.violations:
            break
    return [*map(str, end.violations), *load.wrong()]


# ---------------------------------------------------------------- the scenarios


def blackout(cluster, seed, turns):
    """The power of all disks fails at the same moment, right after the last answer or in the middle of writes."""
    rigs = {name: PowerRig(512 * MIB) for name in ("contentdb", *(f"blob{i}" for i in range(1, 7)))}
    with cluster(volumes=rigs) as deployment:
        for turn in range(turns):
            wrong = power_fails(deployment, f"{seed}-{turn}", is_quiet=turn % 2 == 0)
            if wrong:
                return wrong
    return []


def power_fails(deployment, seed, is_quiet):
    fault, result = Blackout(), chaos_round.Result(seed)
    what = fault.choose(deployment, random.Random(seed))
    with Load(deployment, seed, clients=4, sizes=MIXED, kinds={"put": 8, "delete": 1}) as load:
        time.sleep(1)
        if is_quiet:
            load.stop()
        fault.inject(deployment, what)
        fault.lift(deployment, what)
        chaos_round.heal(deployment, result)
    return result.violations or read_everything(deployment, load)


def contention(cluster, seed, turns):  # noqa: ARG001: one turn is enough.
    """Many clients create the same keys, each only if it is not there, and delete them again."""
    with cluster(nodes=3) as deployment:
        with Load(deployment, seed, sizes=SMALL, kinds={"put_new": 6, "delete": 3, "get": 1}) as load:
            time.sleep(3)
        return load.wrong()


def lies(cluster, seed, turns):  # noqa: ARG001: one turn is enough.
    """One account gives other bytes than it was given, with right checksums."""
    fault = Lie()
    with cluster() as deployment:
        with Load(deployment, seed, sizes=LARGE, kinds={"put": 6, "get": 3, "range": 2}) as load:
            time.sleep(1)
        what = fault.choose(deployment, random.Random(seed)) | {"count": EVERYTHING}
        fault.inject(deployment, what)
        return read_everything(deployment, load)


def one_node_away(cluster, seed, turns):  # noqa: ARG001: one turn is enough.
    """Each blob node in turn is dead, and nobody repaired anything before."""
    with cluster() as deployment:
        deployment.kill("steward")
        with Load(deployment, seed, clients=2, sizes=SMALL, kinds={"put": 1}) as load:
            time.sleep(1)
        end = finale.Finale(deployment, load.history)
        for blob in deployment.blobs:
            end.without(blob)
            wrong = [*map(str, end.violations), *load.wrong()]
            if wrong:
                return wrong
    return []


ALL = {
    "blackout": Scenario(blackout, "the power of all disks fails at once, several times", PowerRig.available),
    "contention": Scenario(contention, "clients create the same keys if they are not there"),
    "lies": Scenario(lies, "every fragment of one account is wrong, its checksums right"),
    "one_node_away": Scenario(one_node_away, "each blob node is dead in turn"),
}
