"""Nobody waits for an answer longer than promised, whatever is down: success or a clean 503 within 5 s.

A frontend that sleeps itself answers nobody: its sleep is not counted. Only small requests are judged, since
what a client takes to send and to receive is not the cluster's. Twice the promise is a violation: these
machines have sleeps of their own.
"""

from history import Violation

PROMISE = 5.0
LIMIT = 10.0
SMALL = 100_000


def check(history, carried):
    """(facts, violations); carried: (event, begin, end) of the faults, in monotonic ns."""
    sleeps = [(event.what["name"], begin, end) for event, begin, end in carried
              if event.fault in ("pause", "long_pause")]
    waits = sorted(((waited(one, sleeps), one) for one in history.operations
                    if one.end and one.detail.get("status") and (one.bytes or 0) < SMALL), key=lambda pair: pair[0])
    if not waits:
        return ["no small request was answered"], []
    over = sum(wait > PROMISE for wait, _ in waits)
    fact = (f"answers to small requests: median {waits[len(waits) // 2][0] * 1000:.0f} ms, slowest "
            f"{waits[-1][0]:.1f} s, {over} over {PROMISE:.0f} s")
    return [fact], [Violation("patience", f"{one.bucket}/{one.key}", f"{wait:.1f} s for an answer\n  {one.words()}")
                    for wait, one in waits if wait > LIMIT]


def waited(operation, sleeps):
    """Seconds that the client waited while its frontend was awake."""
    asleep = sum(max(0, min(end, operation.end) - max(begin, operation.start))
                 for name, begin, end in sleeps if name == operation.endpoint)
    return (operation.end - operation.start - asleep) / 1e9
