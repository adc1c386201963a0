"""What a run leaves on the machine (processes, mounts, loop devices, network namespaces), and its removal.

A run has one directory of its own, and everything it makes names it: processes in their command line,
mounts and loop devices by their path, namespaces and links by its tag. So what is to be removed is found
from the directory alone, by the run itself at its end, or by the next run where this one was killed:
the owner holds a lock on the directory's file `owner`, which the kernel gives up when it dies.
"""

import atexit
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

PREFIX, OWNER = "triad-chaos-", "owner"
TAG = 8  # Characters that mkdtemp draws.
HELPERS = {"nbdkit", "nbdfuse", "strace", "nsenter"}


class Run:
    """The directory, until close()."""

    def __init__(self, purpose="run", where=None):
        sweep()
        end_by_exit()
        self.directory = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{purpose}-", dir=where)).resolve()
        self.tag = tag_of(self.directory)
        # Renamed when it is locked: a sweep never meets it unlocked.
        unlocked = self.directory / f"{OWNER}.new"
        self._owner = open(unlocked, "w", encoding="ascii")
        fcntl.flock(self._owner, fcntl.LOCK_EX)
        unlocked.rename(self.directory / OWNER)
        atexit.register(self.close)

    def close(self, keep=False):
        if self._owner is None:
            return
        atexit.unregister(self.close)
        remove(self.directory, keep)
        self._owner.close()
        self._owner = None


def tag_of(directory):
    return directory.name[-TAG:]


def sweep():
    """Removes what runs that are dead left behind."""
    for owner in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{OWNER}"):
        try:
            with open(owner, "r+", encoding="ascii") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                print(f"removing what a dead run left in {owner.parent}", file=sys.stderr)
                remove(owner.parent.resolve())
        except OSError:
            continue  # Alive, another user's, or just gone.


def remove(directory, keep=False):
    """Everything that belongs to the directory, in the order in which one holds the other."""
    end_processes(directory)
    if os.geteuid() == 0:
        release_mounts(directory)
        remove_networks(tag_of(directory))
    if keep:
        (directory / OWNER).unlink(missing_ok=True)
    else:
        shutil.rmtree(directory, ignore_errors=True)


# ---------------------------------------------------------------- processes


def command_of(pid):
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return [os.fsdecode(word) for word in raw.split(b"\0")[:-1]]


def processes(directory):
    """Pids of daemons whose binary lies in the directory, and of helpers that serve it."""
    inside = f"{directory}/"
    for entry in os.listdir("/proc"):
        words = command_of(entry) if entry.isdigit() and int(entry) != os.getpid() else []
        if words and (words[0].startswith(inside) or (
                os.path.basename(words[0]) in HELPERS and any(inside in word for word in words[1:]))):
            yield int(entry)


def end_processes(directory):
    deadline = time.monotonic() + 10
    while (found := list(processes(directory))) and time.monotonic() < deadline:
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.02)


# ---------------------------------------------------------------- mounts and networks


def quiet(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          timeout=60, check=False)


def mounts(directory):
    """(path, type) of each mount below, the last mounted first."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        before, after = line.split(" - ", 1)
        path = re.sub(r"\\(\d{3})", lambda octal: chr(int(octal.group(1), 8)), before.split()[4])
        if path.startswith(f"{directory}/"):
            found.append((path, after.split()[0]))
    return found[::-1]


def release_mounts(directory):
    if not mounts(directory):
        return
    disks = [path for path, kind in mounts(directory) if not kind.startswith("fuse")]
    for path in disks:
        if quiet("umount", path).returncode != 0:
            quiet("umount", "-l", path)
    for line in quiet("losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE").stdout.splitlines():
        name, _, file = line.partition(" ")
        if file.strip().startswith(f"{directory}/"):
            quiet("losetup", "--detach", name)
    for path, _ in mounts(directory):
        quiet("umount", "-l", path)


def remove_networks(tag):
    for line in quiet("ip", "netns", "list").stdout.splitlines():
        name = line.split()[0]
        if name.startswith(f"triad-{tag}-"):
            quiet("ip", "netns", "delete", name)
    if Path(f"/sys/class/net/tr{tag}").exists():
        quiet("ip", "link", "delete", f"tr{tag}")


# ---------------------------------------------------------------- the end


def end_by_exit():
    """SIGTERM and SIGHUP end this process by way of its exit handlers, where nobody decided otherwise."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda got, _: sys.exit(128 + got))
