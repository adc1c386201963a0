"""One round: a fresh cluster, a workload, faults from a schedule, healing, and everything checked.

All that is random in a round comes from its seed; the order in which threads meet does not, so a
replay repeats the schedule and each client's operations, and finds a race again sooner or later.
"""

import random
import time
from dataclasses import dataclass, field
from pathlib import Path

import check_linear
import check_list
import check_patience
import faults
import finale
import schedule
import supervisor
from history import History
from workload import Workload

RECOVERY = 10.0  # Seconds that a killed daemon may take until it is ready again (A2).


@dataclass
class Round:
    """What a round is to do."""
    seed: int
    seconds: float                     # Of faults; healing and checks come on top.
    kinds: list = None                 # Names of faults; None: all that are possible here.
    clients: int = 8
    events: list = None                # A schedule to replay in the place of the seed's.
    directory: Path = None             # Where history and schedule go.


@dataclass
class Result:
    """What it found."""
    seed: int
    operations: dict = field(default_factory=dict)   # kind -> {outcome: count}
    moved: int = 0                                   # Bytes written and read by clients.
    injected: dict = field(default_factory=dict)     # fault -> count
    recoveries: list = field(default_factory=list)   # (daemon, seconds) from kill -9 to ready
    facts: list = field(default_factory=list)
    violations: list = field(default_factory=list)
    seconds: float = 0.0


def heal(deployment, result):
    """Everything runs again, and is ready within the promised time."""
    deployment.heal()
    for name in deployment.names:
        deployment.resume(name)
        deployment.launch(name)
    for name in deployment.names:
        ready(deployment, name, result)


def recover(deployment, result):
    """kill -9 of each daemon once more, under load and with everybody else in order: now the time counts (A2)."""
    for name in deployment.names:
        deployment.kill(name)
        deployment.launch(name)
        seconds = ready(deployment, name, result)
        if seconds is not None:
            result.recoveries.append((name, seconds))


def ready(deployment, name, result):
    try:
        return deployment.wait_ready(name, RECOVERY)
    except RuntimeError as error:
        result.violations.append(f"A2: {name} is not ready {RECOVERY:.0f} s after its start: {error}")
        return None


def run(deployment, plan, say=print):
    """Runs a round on a started deployment; never raises for what the cluster did wrong."""
    begin, result, history = time.monotonic(), Result(plan.seed), History()
    kinds = [one for one in faults.ALL if plan.kinds is None or one.name in plan.kinds]
    events = plan.events
    if events is None:
        events = schedule.draw(deployment, kinds, random.Random(plan.seed), plan.seconds)
    schedule.save(events, plan.directory / "schedule.jsonl")
    workload = Workload(deployment, history, plan.seed, clients=plan.clients)
    injector = schedule.Injector(deployment, kinds, events, say)
    with supervisor.Supervisor(deployment):
        workload.start()
        try:
            injector.start()
            injector.join()
            heal(deployment, result)
            recover(deployment, result)
            time.sleep(2)  # The workload also runs on the healed cluster.
        finally:
            injector.stop()
            workload.stop()
    result.injected = injector.injected
    result.violations += [f"lever: {problem}" for problem in injector.problems]
    settle(deployment, history, result)
    for facts, into in zip(supervisor.verdict(deployment), (result.facts, result.violations)):
        into += facts
    facts, violations = check_patience.check(history, injector.carried)
    result.facts += facts
    result.violations += violations
    history.save(plan.directory / "history.jsonl")
    result.operations, result.moved = count(history)
    result.seconds = time.monotonic() - begin
    return result


def settle(deployment, history, result):
    """After the storm: repair ends, everything reads back from everywhere, and the history is lawful."""
    try:
        seconds = finale.wait_repaired(deployment, finale.REPAIR)
        result.facts.append(f"full redundancy {seconds:.1f} s after healing")
    except RuntimeError as error:
        result.violations.append(f"D4: {error}")
    try:
        facts, violations = finale.read_back(deployment, history)
        result.facts += facts
        result.violations += violations
    except Exception as error:  # noqa: BLE001: what is wrong with the cluster breaks this in many ways.
        result.violations.append(f"finale: {type(error).__name__}: {error}")
    result.violations += check_linear.check(history)
    result.violations += check_list.check(history)


def count(history):
    """Operations by kind and outcome, and the bytes that were moved."""
    table, moved = {}, 0
    for one in history.operations:
        kind = table.setdefault(one.kind, {})
        kind[one.outcome] = kind.get(one.outcome, 0) + 1
        moved += one.bytes
    return table, moved
