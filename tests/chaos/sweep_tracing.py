"""syscall_tracer.py at a process, seen from the sweep."""

import json
import queue
import subprocess
import sys
import threading
from pathlib import Path

TRACER = Path(__file__).with_name("syscall_tracer.py")
ATTACH = 10  # Seconds until every thread is held once; then nothing is missed.


class Tracing:
    """From the return on calls are counted; close() lets the process go on, if it lives."""

    def __init__(self, pid, calls, k, act):
        self.hit = None     # The name of the k-th call, once it was met.
        self.count = 0      # Calls that were met, known at the end.
        self._lines, self._is_over = queue.Queue(), False
        self._process = subprocess.Popen(
            [sys.executable, str(TRACER), "--pid", str(pid), "--calls", ",".join(calls), "--k", str(k),
             "--act", act], stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()
        first = self._take(ATTACH)
        if first is None or "attached" not in first:
            self.close()
            raise RuntimeError(f"cannot trace {pid}: {first or 'the tracer says nothing'}")

    def _read(self):
        for line in self._process.stdout:
            self._lines.put(json.loads(line))
        self._lines.put(None)

    def _take(self, seconds=None):
        """The tracer's next words; None at the end, or when the time is over."""
        if self._is_over:
            return None
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            return None
        if line is None:
            self._is_over = True
            return None
        self.hit = line.get("call", self.hit)
        self.count = line.get("count", line.get("hit", self.count))
        return line

    def wait(self, seconds):
        """True when the k-th call was met by then."""
        if self.hit is None:
            self._take(seconds)
        return self.hit is not None

    def close(self):
        """The number of calls."""
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        while self._take() is not None:
            pass
        return self.count
