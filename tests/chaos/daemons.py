"""Daemons as processes: started, killed, paused, and what they ended of. Threads may share them."""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

from leftovers import command_of


class Daemons:
    """Who inherits says what is run, and where: _command(name), _place(name): words before it, _home(name)."""

    def __init__(self, preload):
        self.preload = preload
        self.deaths = []             # (name, exit code) of daemons that ended without being killed by us.
        self._processes, self._killed = {}, set()
        self._is_closed, self._lock = False, threading.RLock()

    def launch(self, name, wrapper=()):
        """Starts a daemon that does not run; wrapper: words before its command, as of strace."""
        with self._lock:
            if self._is_closed or self.alive(name):
                return
            command = [*self._place(name), *map(str, wrapper), *self._command(name)]
            environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
            if self.preload:
                environment["LD_PRELOAD"] = str(self.preload)
            self._killed.discard(name)
            with open(self._home(name) / "log", "ab") as log:
                # A session of its own: Ctrl-C is for the test, which then ends it.
                self._processes[name] = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                    cwd=self._home(name), start_new_session=True)

    def pid(self, name):
        """The daemon's own pid, also under a wrapper; None where it does not run."""
        process = self._processes.get(name)
        if process is None or process.poll() is not None:
            return None
        wanted, waiting = self._command(name), [process.pid]
        while waiting:
            pid = waiting.pop()
            if command_of(pid) == wanted:
                return pid
            waiting += children(pid)
        return None

    def alive(self, name):
        """Whether it runs, or is about to: paused is alive."""
        with self._lock:
            process = self._processes.get(name)
            if process is None:
                return False
            if process.poll() is None:
                return True
            del self._processes[name]
            if name not in self._killed:
                self.deaths.append((name, process.returncode))
            return False

    def doom(self, name):
        """What it dies of from now on is our doing, until it is launched again."""
        with self._lock:
            self.alive(name)  # An earlier death was its own.
            self._killed.add(name)

    def restart(self, name):
        """Starts a daemon again that ended by itself."""
        with self._lock:
            if not self.alive(name) and name not in self._killed:
                self.launch(name)

    def kill(self, name):
        """SIGKILL, and it is gone on the return."""
        with self._lock:
            process = self._processes.get(name)
            self._killed.add(name)  # First: it may be dying already, of what was done to its disk.
            if process is None or not self.alive(name):
                return
            pid = self.pid(name)
            if pid not in (None, process.pid):
                self._signal(pid, signal.SIGKILL)
                try:  # Its wrapper ends with it.
                    process.wait(timeout=5)
                except subprocess.TimeoutExpired:
                    pass
            process.kill()
            process.wait()
            del self._processes[name]

    def pause(self, name):
        """SIGSTOP; on the return every thread stands still."""
        pid = self.pid(name)
        self._signal(pid, signal.SIGSTOP)
        deadline = time.monotonic() + 2
        while pid is not None and not stands_still(pid) and time.monotonic() < deadline:
            time.sleep(0.001)

    def resume(self, name):
        self._signal(self.pid(name), signal.SIGCONT)

    @staticmethod
    def _signal(pid, number):
        if pid is not None:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass


def stands_still(pid):
    """Whether all threads of a process are stopped (or the process is gone)."""
    try:
        states = [(task / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[0]
                  for task in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return False
    return all(state in "TtZX" for state in states)


def children(pid):
    try:
        return [int(word) for task in Path(f"/proc/{pid}/task").iterdir()
                for word in (task / "children").read_text(encoding="ascii").split()]
    except OSError:
        return []
