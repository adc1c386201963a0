"""What a service manager does: a daemon that ended by itself is started again.

Only those that no fault killed. Ending is allowed (a content DB ends when its disk fails or its shard
has another owner); dying of a signal is not.
"""

import threading

PAUSE = 0.5  # Seconds between two looks.


class Supervisor:
    def __init__(self, deployment):
        self.deployment, self.stopping = deployment, threading.Event()
        self.thread = threading.Thread(target=self._run, name="supervisor")

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()

    def _run(self):
        while not self.stopping.wait(PAUSE):
            for name in self.deployment.names:
                self.deployment.restart(name)


def verdict(deployment):
    """(facts, violations) of the daemons that ended by themselves."""
    facts, violations = [], []
    for name, code in deployment.deaths:
        if code < 0:
            violations.append(f"A4: {name} died of signal {-code}")
        else:
            facts.append(f"{name} ended by itself with {code} and was started again")
    return facts, violations
