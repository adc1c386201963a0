"""When which fault strikes: drawn from the seed alone before the run, so that a failure replays.

A schedule is a list of events in time order. Its hand (Injector) carries it out beside the workload,
undoes each event after its hold, and remembers what really happened.
"""

import json
import threading
import time
from dataclasses import asdict, dataclass

AT_ONCE = 2  # Faults that may overlap; what a cluster of this size promises to survive.


@dataclass
class Event:
    at: float    # Seconds from the start of the run.
    fault: str   # The name of one of faults.ALL.
    what: dict   # Its parameters.
    hold: float  # Seconds until it is undone.

    def __str__(self):
        words = " ".join(f"{name}={value}" for name, value in self.what.items())
        return f"{self.at:7.2f} s  {self.fault} {words} for {self.hold:.1f} s"


def touched(what, names):
    """The daemons that an event is about: two events at once are never about the same one."""
    found = set()
    for value in what.values():
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if one in names:
                found.add(one)
    return found


def draw(deployment, faults, random, seconds, gap=(0.3, 2.5)):
    """Events that fill so many seconds; the last is undone before their end, as far as holds allow."""
    possible = [fault for fault in faults if fault.possible(deployment)]
    events, now = [], 0.5
    while possible and now < seconds:
        now += random.uniform(*gap)
        weights = [one.weight for one in possible]
        fault = random.choices(possible, weights=weights)[0]
        what = fault.choose(deployment, random)
        hold = random.uniform(*fault.hold)
        if what is None or now + hold > seconds:
            continue
        names = touched(what, deployment.names)
        active = [event for event in events if event.at + event.hold + 0.5 > now]
        if len(active) >= AT_ONCE:
            continue
        if any(touched(event.what, deployment.names) & names for event in active):
            continue
        events.append(Event(round(now, 3), fault.name, what, round(hold, 2)))
    return events


def save(events, path):
    path.write_text("".join(json.dumps(asdict(event)) + "\n" for event in events))


def load(path):
    return [Event(**json.loads(line)) for line in path.read_text().splitlines()]


class Injector:
    """Carries a schedule out on a thread of its own."""

    def __init__(self, deployment, faults, events, say=print):
        self.deployment, self.say = deployment, say
        self.faults = {fault.name: fault for fault in faults}
        self.events = events
        self.injected = {}   # How often each kind of fault was injected.
        self.problems = []   # Levers that broke: the run proves nothing then.
        self.active = []     # (when to lift, event, monotonic ns of its beginning)
        self.carried = []    # (event, when it began, when it was undone): monotonic ns
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, name="injector")

    def start(self):
        self.begin = time.monotonic()
        self.thread.start()

    def join(self):
        self.thread.join()

    def stop(self):
        self.stopping.set()
        self.thread.join()

    def _elapsed(self):
        return time.monotonic() - self.begin

    def _run(self):
        waiting = sorted(self.events, key=lambda event: event.at)
        while (waiting or self.active) and not self.stopping.is_set():
            due = min([event.at for event in waiting[:1]] + [one[0] for one in self.active])
            if self.stopping.wait(max(0.0, due - self._elapsed())):
                break
            self._lift_due()
            if waiting and waiting[0].at <= self._elapsed():
                self._inject(waiting.pop(0))
        for one in self.active:
            self._lift(one)
        self.active = []

    def _lift_due(self):
        now = self._elapsed()
        for one in [one for one in self.active if one[0] <= now]:
            self.active.remove(one)
            self._lift(one)

    def _lift(self, one):
        _, event, began = one
        self._do("lift", event)
        self.carried.append((event, began, time.monotonic_ns()))

    def _inject(self, event):
        self.say(f"  {event}")
        began = time.monotonic_ns()
        if self._do("inject", event):
            self.injected[event.fault] = self.injected.get(event.fault, 0) + 1
        # Undone even when it broke half-way.
        self.active.append((self._elapsed() + event.hold, event, began))

    def _do(self, verb, event):
        try:
            getattr(self.faults[event.fault], verb)(self.deployment, event.what)
            return True
        except Exception as error:  # noqa: BLE001: whatever it is, the run goes on and the report says it.
            self.problems.append(f"{verb} {event}: {type(error).__name__}: {error}")
            return False
