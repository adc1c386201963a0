"""Is there an order of a key's operations that a single register could have shown? (Wing-Gong-Lowe)

Steps are taken one by one: a step may come next if no other certain step ended before it began. What
was tried before (the same steps done, the same state) is not tried again. Four facts keep it small,
none changes the answer:
  - a read that fits the state now may be taken now;
  - a value that is overwritten with reads of it left is a dead end, since values are unique;
  - values that nobody read are all alike;
  - uncertain steps without a witness (writes whose value nobody read, deletes) may be taken in the
    order of their beginnings only, and need not be taken at all.
"""

from dataclasses import dataclass

from history import ABSENT, PRESENT

SOME = "*"      # A value that nobody read.
BUDGET = 300_000


@dataclass
class Step:
    kind: str               # write, new (a write that needs absence), delete, read
    value: object           # Of a write its value id; of a read the set of states that it may have seen.
    start: int
    end: float
    is_certain: bool        # It happened. Else: any time after its start, or never.
    operation: object       # What it came from.


class Search:
    def __init__(self, steps, budget=BUDGET):
        self.steps = sorted((step for step in steps if step.is_certain), key=lambda step: step.start)
        self.maybe = [sorted((step for step in steps if not step.is_certain and step.kind == kind),
                             key=lambda step: step.start) for kind in ("write", "new", "delete")]
        self.full, self.budget = (1 << len(self.steps)) - 1, budget
        self.readers = {}       # value -> the reads that only it satisfies
        for i, step in enumerate(self.steps):
            if step.kind == "read" and step.value != PRESENT and len(step.value) == 1:
                value = next(iter(step.value))
                self.readers[value] = self.readers.get(value, 0) | 1 << i
        self.read_values = {value for step in self.steps if step.kind == "read" and step.value != PRESENT
                            for value in step.value}
        self.best = 0           # The most certain steps that any order took.

    def run(self):
        """True, False, or None when the budget is used up."""
        stack, seen = [(0, (0, 0, 0), ABSENT)], set()
        while stack:
            done, used, state = stack.pop()
            done, window = self.take_reads(done, state)
            if done == self.full:
                return True
            if (done, used, state) in seen:
                continue
            seen.add((done, used, state))
            if done.bit_count() > self.best.bit_count():
                self.best = done
            self.budget -= 1
            if self.budget < 0:
                return None
            stack += self.next_ones(done, used, state, window)
        return False

    def window(self, done):
        """What may come next, and the end that bounds it."""
        i, limit, found = (~done & (done + 1)).bit_length() - 1, float("inf"), []
        while i < len(self.steps) and self.steps[i].start <= limit:
            if not done >> i & 1:
                limit = min(limit, self.steps[i].end)
                found.append(i)
            i += 1
        return [j for j in found if self.steps[j].start <= limit], limit

    def take_reads(self, done, state):
        while True:
            window = self.window(done)
            fitting = [i for i in window[0] if self.steps[i].kind == "read" and fits(self.steps[i].value, state)]
            if not fitting:
                return done, window
            for i in fitting:
                done |= 1 << i

    def named(self, value):
        return value if value in self.read_values else SOME

    def after(self, step, state):
        """The state after a write or delete; None where it cannot be."""
        if step.kind == "delete":
            return ABSENT
        if step.kind == "new" and state != ABSENT:
            return None
        return self.named(step.value)

    def next_ones(self, done, used, state, window):
        """Configurations to try, the likeliest last."""
        which, limit = window
        is_bound = self.readers.get(state, 0) & ~done if state not in (ABSENT, SOME) else 0
        found = []
        for group, steps in enumerate(self.maybe):
            if is_bound or used[group] >= len(steps) or steps[used[group]].start > limit:
                continue
            then = self.after(steps[used[group]], state)
            if then is not None and then != state:
                found.append((done, (*used[:group], used[group] + 1, *used[group + 1:]), then))
        for i in sorted((i for i in which if self.steps[i].kind != "read"),
                        key=lambda i: self.steps[i].end, reverse=True):
            then = self.after(self.steps[i], state)
            if then is not None and not (is_bound and then != state):
                found.append((done | 1 << i, used, then))
        return found


def fits(wanted, state):
    return state != ABSENT if wanted == PRESENT else state in wanted
