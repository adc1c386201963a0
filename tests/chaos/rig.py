"""A disk that can lose its power: whatever was written but not synced is gone, whatever was synced is kept.

    ext4 on mnt/ - loop device - nbd/nbd (nbdfuse) - nbdkit with a write-back cache in its memory - disk.img

nbdkit keeps writes to itself until a flush asks for them, which is what a disk's own cache does; kill -9
is the power cut. Everything above it still lies in this kernel's caches: those go with the old mount and the
old loop device, and restore() makes new ones of all on what disk.img really holds.
"""

import functools
import os
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from leftovers import Run, quiet

TOOLS = ("nbdkit", "nbdfuse", "losetup", "mkfs.ext4", "mount", "umount")
MIB = 1024 * 1024
WAIT = 20  # Seconds for each of nbdkit and nbdfuse to be there.


# nbdfuse asks to be ended with the thread that started it; restore() may be called from one that does not last.
STARTER = ThreadPoolExecutor(1)


class RigError(RuntimeError):
    pass


class PowerRig:
    def __init__(self, size=1024 * MIB):
        self._run = Run("rig")
        home = self._run.directory
        self.disk, self.path = home / "disk.img", home / "mnt"
        self.cuts = 0
        self._nbdkit = self._nbdfuse = self._loop = None
        self.path.mkdir()
        (home / "nbd").mkdir()
        with open(self.disk, "wb") as file:
            file.truncate(size)
        # As its owner has it, not spread over idle time: no writes but the tests' own.
        self._do("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.disk)

    @staticmethod
    @functools.lru_cache(maxsize=1)
    def available():
        """None where a rig works, or the reason why it does not: tried out with a small one."""
        if os.geteuid() != 0:
            return "a power rig needs root"
        for tool in TOOLS:
            if shutil.which(tool) is None:
                return f"{tool} is not installed"
        for device in ("/dev/fuse", "/dev/loop-control"):
            if not os.path.exists(device):
                return f"there is no {device}"
        rig = None
        try:
            rig = PowerRig(16 * MIB)
            rig.mount()
        except (RigError, OSError) as error:
            return f"a power rig does not work here: {error}"
        finally:
            if rig is not None:
                rig.close()
        return None

    def _do(self, *command):
        done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise RigError(f"{' '.join(map(str, command))}: {done.stdout.strip()}")
        return done.stdout.strip()

    def _start(self, command, ready):
        """Starts a server and waits until it is ready."""
        with open(self._run.directory / "log", "ab") as log:
            process = STARTER.submit(
                subprocess.Popen, list(map(str, command)), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=os.environ | {"TMPDIR": str(self._run.directory)}, start_new_session=True).result()
        deadline = time.monotonic() + WAIT
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                words = (self._run.directory / "log").read_text(encoding="utf-8", errors="replace")[-500:]
                raise RigError(f"{command[0]} does not come up: {words.strip()}")
            time.sleep(0.01)
        return process

    # ---------------------------------------------------------------- levers

    @property
    def has_power(self):
        return self._loop is not None and all(one.poll() is None for one in (self._nbdkit, self._nbdfuse))

    def mount(self):
        """The directory on the disk; mounted at the first call, wholly or not at all."""
        if self._loop is None:
            try:
                self._power_on()
            except BaseException:
                self._power_off()
                self._release()
                raise
        return self.path

    def _power_on(self):
        home = self._run.directory
        socket, ready, device = home / "socket", home / "nbdkit.pid", home / "nbd/nbd"
        for path in (socket, ready):
            path.unlink(missing_ok=True)
        # The file with its pid is there when it listens; the socket is there a little before.
        self._nbdkit = self._start(["nbdkit", "--foreground", "--pidfile", ready, "--unix", socket,
                                    "--filter=cache", "file", self.disk, "cache=writeback"], ready.exists)
        self._nbdfuse = self._start(["nbdfuse", device.parent, "--unix", socket], device.exists)
        self._loop = self._do("losetup", "--find", "--show", device)
        # ext4 would sync by itself each 5 s, and less would be lost than a disk may lose.
        self._do("mount", "-t", "ext4", "-o", "commit=300", self._loop, self.path)

    def _power_off(self):
        if self._nbdkit is not None and self._nbdkit.poll() is None:
            os.kill(self._nbdkit.pid, signal.SIGKILL)
            self._nbdkit.wait()

    def cut(self):
        """The power is gone: no write and no sync succeeds any more. Who uses the disk is to be killed."""
        if self.has_power:
            self.cuts += 1
            self._power_off()

    def restore(self):
        """The power is back: a new mount of what was synced. Nothing must use the old one any more."""
        if self.has_power:
            return self.path
        self._power_off()
        self._release()
        return self.mount()

    def _release(self):
        if self._loop is not None:
            # What the kernel still wants to write fails now, which is what is wanted.
            if quiet("umount", self.path).returncode != 0:
                quiet("umount", "-l", self.path)
            quiet("losetup", "--detach", self._loop)
            self._loop = None
        if self._nbdfuse is not None:
            self._nbdfuse.kill()
            self._nbdfuse.wait()
            quiet("umount", "-l", self._run.directory / "nbd")
            self._nbdfuse = None

    def close(self):
        if self._run is None:
            return
        self._power_off()
        self._release()
        self._run.close()
        self._run = None

    def __enter__(self):
        self.mount()
        return self

    def __exit__(self, *_):
        self.close()
