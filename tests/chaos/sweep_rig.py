"""A cluster in which one daemon at a time is struck at its k-th system call, and everything looked at."""

import os
import signal
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from sweep_client import Client
from sweep_model import WITHIN, Model, Wrong
from sweep_tracing import Tracing
from sweep_workloads import ALL, NotPrepared, must

FATAL = ("kill", "after", "tear")  # Acts after which the daemon must be gone.
ACTS = {"start": "kill", "start-eio": "eio"}
FAILING = ("eio", "enospc")        # Acts after which it may go on.
STOP = 20                          # Seconds for a stop that was asked for, with its drain.
GRACE = 0.1                        # Calls that belong to an answered operation still come so much later.
HELD = 'echo $$ >"$0.pid"; read _ <"$0"; exec "$@"'  # A daemon's start that waits for its tracer.


@dataclass
class Strike:
    """One k: what was struck, and what came of it."""
    hit: str = None          # The call, None: the workload ended unharmed.
    count: int = 0           # Calls that were counted.
    answer: object = None
    seconds: float = 0.0     # Until the operation's answer.
    recovery: float = None   # Until the relaunched daemon was ready.
    ended: bool = False      # The daemon was gone afterwards.
    wrong: list = field(default_factory=list)


class Rig:
    def __init__(self, deployment):
        self.deployment, self.client = deployment, Client.of(deployment)
        self.names = deployment.frontends
        self._buckets = self._seen = 0

    def bucket(self):
        """A model of a new, empty bucket with three objects that nothing touches."""
        self._buckets += 1
        model = Model(self.client, f"sweep-{self._buckets}")
        self._insist(lambda: self.client.create_bucket(self.names[0], model.bucket))
        for i, length in enumerate((0, 4096, 1_500_000)):
            key, value = f"still-{i}", f"still-{i}"
            body = model.body(value, length)
            self._insist(lambda key=key, value=value, body=body: self.client.put(
                self.names[0], model.bucket, key, body, value))
            model.allowed[key] = {value}
        return model

    @staticmethod
    def _insist(ask):
        """Until it works: nothing is disturbed, but a daemon may have come back this moment."""
        end = time.monotonic() + WITHIN
        while True:
            try:
                answer = ask()
                return must(answer) if answer is not None else None
            except NotPrepared:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    # ---------------------------------------------------------------- the daemons

    def relaunch(self, target, strike):
        """Starts what is gone; the promise is ten seconds."""
        begin = time.monotonic()
        self.deployment.launch(target)
        try:
            self.deployment.wait_ready(target, WITHIN)
        except RuntimeError as error:
            raise Wrong(f"A2: {error}") from error
        strike.recovery = max(strike.recovery or 0, time.monotonic() - begin)

    def restart(self, target, strike):
        self.deployment.kill(target)
        self.relaunch(target, strike)

    def gone(self, target, seconds):
        end = time.monotonic() + seconds
        while self.deployment.alive(target):
            if time.monotonic() > end:
                return False
            time.sleep(0.005)
        return True

    def check_deaths(self, target):
        """Who ended since the last look: only the target may die of a signal, and only of ours, SIGKILL."""
        for name in self.deployment.names:
            self.deployment.alive(name)  # Notices it.
        deaths, self._seen = self.deployment.deaths[self._seen:], len(self.deployment.deaths)
        for name, code in deaths:
            if code < 0 and (name, code) != (target, -signal.SIGKILL):
                raise Wrong(f"A4: {name} died of signal {-code}; its log ends:\n"
                            f"{self.deployment.log(name)[-800:]}")

    def check_others(self, target):
        for name in self.deployment.names:
            if name != target and not self.deployment.alive(name):
                self.deployment.launch(name)
                raise Wrong(f"{name} ended too; its log ends:\n{self.deployment.log(name)[-800:]}")

    def _uses(self, target, frontend, model, deadline):
        """Until this frontend writes to the target again, and the write is good from the other one."""
        while True:
            key, value = f"follow-{frontend}", f"follow-{time.monotonic_ns()}"
            before = self._stored(target)
            body = model.body(value, 30_000)
            model.may_become(key, value)
            model.insist(lambda: self.client.put(frontend, model.bucket, key, body, value), (200,),
                         f"PUT {key} from {frontend}", deadline)
            model.allowed[key] = {value}
            if before is None or self._stored(target) > before:
                return key
            if time.monotonic() > deadline:
                raise Wrong(f"{target} is ready, but {frontend} still writes nothing to it after {WITHIN:.0f} s")
            time.sleep(0.1)

    def _stored(self, target):
        """Blobs that a blob node has stored; None for another daemon."""
        if not target.startswith("blob"):
            return None
        try:
            return self.deployment.metrics(target).get("triad_blob_put_stored_total", 0)
        except OSError as error:
            if self.deployment.alive(target):
                raise
            raise Wrong(f"{target} ended; its log ends:\n{self.deployment.log(target)[-800:]}") from error

    def follow(self, target, model):
        """PUT works through each frontend; the keys that it left."""
        deadline = time.monotonic() + WITHIN
        return [self._uses(target, frontend, model, deadline) for frontend in self.names]

    # ---------------------------------------------------------------- one strike

    def strike(self, target, calls, workload, k, act, model):
        """Strikes at the k-th call, then checks; never raises for a broken promise.

        start: the workload leaves an unfinished record, and the start that follows is struck;
        start-eio: there the call fails. stop: the daemon is asked to end after the workload, and that is struck.
        """
        strike = Strike()
        frontend = self.names[k % len(self.names)]
        operation = ALL[workload](model, frontend, f"{act}-{k}-{time.monotonic_ns() // 1000 % 10**9}",
                                  self.deployment)
        try:
            self._insist(operation.prepare)
            if operation.spoils:
                self._spoil(target, model, frontend)
            {"start": self._in_start, "start-eio": self._in_start, "stop": self._in_stop}.get(
                act, self._in_workload)(
                operation, target, calls, k, act, strike)
            self._judge(operation, target, act, model, strike)
            self.check_deaths(target)
        except Wrong as error:
            strike.wrong.append(str(error))
            self.calm(target)
        return strike

    def _spoil(self, target, model, frontend):
        """A sync fails, or where a daemon ends then, a write finds no space: the next record begins a new segment."""
        call, act = ("fdatasync", "eio") if target.startswith("blob") else ("pwritev", "enospc")
        spoiler = ALL["put"](model, frontend, f"spoil-{time.monotonic_ns()}")
        tracing = Tracing(self.deployment.pid(target), [call], 1, act)
        try:
            spoiler.told(spoiler.run())
            tracing.wait(GRACE)
        finally:
            tracing.close()

    def _in_workload(self, operation, target, calls, k, act, strike):
        tracing = Tracing(self.deployment.pid(target), calls, k, act)
        try:
            self._run(operation, tracing, strike, lambda: self._after_hit(target, act, strike))
        finally:
            strike.count, strike.hit = tracing.close(), tracing.hit

    def _in_start(self, operation, target, calls, k, act, strike):
        tracing = Tracing(self.deployment.pid(target), ["fdatasync"], 1, "kill")

        def start():
            self.gone(target, 5)
            self._start(target, calls, k, ACTS[act], strike)

        try:
            self._run(operation, tracing, strike, start)
        finally:
            tracing.close()
        if strike.count == 0:  # The workload had no such call: a kill with nothing unfinished.
            self.deployment.kill(target)
            self._start(target, calls, k, ACTS[act], strike)

    def _in_stop(self, operation, target, calls, k, act, strike):
        strike.answer = operation.run()
        operation.told(strike.answer)
        tracing = Tracing(self.deployment.pid(target), calls, k, "kill")
        try:
            os.kill(self.deployment.pid(target), signal.SIGTERM)
            if not self.gone(target, STOP):
                raise Wrong(f"{target} does not stop within {STOP} s")
        finally:
            strike.count, strike.hit = tracing.close(), tracing.hit
        strike.ended = strike.hit is not None
        self.relaunch(target, strike)

    @staticmethod
    def _run(operation, tracing, strike, then):
        """The operation, and what follows the hit while it may be under way."""
        done = threading.Event()

        def work():
            begin = time.monotonic()
            try:
                strike.answer = operation.run()
            finally:
                strike.seconds = time.monotonic() - begin
                done.set()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            while not tracing.wait(0.005) and not done.is_set():
                pass
            if tracing.hit is None:
                tracing.wait(GRACE)
            if tracing.hit is not None:
                then()
        finally:
            thread.join()
        if strike.answer is None:
            raise RuntimeError(f"{operation.key} came to no end; the thread's trace stands above")
        operation.told(strike.answer)

    def _after_hit(self, target, act, strike):
        """At once, as a supervisor would: the operation may still be under way."""
        strike.ended = self.gone(target, 5 if act in FATAL else 1)
        if act in FATAL and not strike.ended:
            raise RuntimeError(f"{target} outlived SIGKILL")
        if strike.ended:
            self.relaunch(target, strike)

    def _judge(self, operation, target, act, model, strike):
        if not self.deployment.alive(target):  # Struck between the last look and the end.
            strike.ended = True
            self.relaunch(target, strike)
        self._look(operation, target, model)
        if strike.hit is not None and act in FAILING:
            # It went on: what lies on its disk is told by a start.
            self.restart(target, strike)
            self._look(operation, target, model)
        operation.follow(time.monotonic() + WITHIN)
        model.check([operation.key], time.monotonic() + WITHIN)

    def _look(self, operation, target, model):
        deadline = time.monotonic() + WITHIN
        still = [key for key in model.allowed if key.startswith("still")]
        recent = list(model.allowed)[-6:]
        model.check(dict.fromkeys([operation.key, *model.undecided(), *still, *recent]), deadline)
        model.check(self.follow(target, model), deadline + WITHIN)
        self.check_others(target)

    def check_audit(self, target):
        """The key store's audit log is a chain without a gap; the daemon is down on the return."""
        if target != "keystore":
            return
        it = self.deployment
        it.kill(target)
        done = it.execute(it.binary("keystore"), "audit", "--config", it.configuration(target), check=False)
        if done.returncode != 0:
            raise Wrong(f"keystore audit: {done.returncode}: {(done.stdout + done.stderr)[-300:]}")

    def calm(self, target):
        """After a broken promise: go on with all daemons running, as far as that is possible."""
        for name in {target, *self.deployment.names}:
            if not self.deployment.alive(name):
                self.deployment.launch(name)
        end = time.monotonic() + 3 * WITHIN
        while time.monotonic() < end and not all(map(self.deployment.ready, self.deployment.names)):
            time.sleep(0.1)

    def _start(self, target, calls, k, act, strike):
        """A start that is struck, then one that is not. The gate holds it until it is traced."""
        gate = self.deployment.data / f"gate-{target}-{time.monotonic_ns()}"
        os.mkfifo(gate)
        self.deployment.launch(target, wrapper=("/bin/sh", "-c", HELD, gate))
        note = Path(f"{gate}.pid")
        end = time.monotonic() + WITHIN
        while not (note.exists() and note.read_text(encoding="ascii").endswith("\n")):
            if time.monotonic() > end:
                raise RuntimeError(f"{target} does not come to its gate")
            time.sleep(0.005)
        tracing = Tracing(int(note.read_text(encoding="ascii")), calls, k, act)
        try:
            gate.write_text("go\n", encoding="ascii")
            end = time.monotonic() + WITHIN
            while not tracing.wait(0.02) and not self.deployment.ready(target):
                if time.monotonic() > end:
                    raise Wrong(f"A2: {target} is not ready {WITHIN:.0f} s after an undisturbed start")
        finally:
            strike.count, strike.hit = tracing.close(), tracing.hit
        if strike.hit is not None:
            end = time.monotonic() + WITHIN
            while not self.gone(target, 0.02) and not (act != "kill" and self.deployment.ready(target)):
                if time.monotonic() > end:
                    raise Wrong(f"{target} neither ends nor is ready {WITHIN:.0f} s after its start was struck")
            strike.ended = not self.deployment.alive(target)
            self.restart(target, strike)
