#!/usr/bin/python3
"""Does something to a process at its k-th system call of a kind, counted over all of its threads.

  syscall_tracer.py --pid PID --calls fdatasync,fsync --k K --act kill|after|eio|enospc|tear

strace can inject too, but counts calls for each thread by itself: with sixteen workers its "when=3"
is not the third call of the process, and most of the third calls would never be met. So this is a
small tracer of our own. `kill`: SIGKILL before the call does anything; `after`: when it has done its
work and the process does not know yet; `eio`, `enospc`: the call is not made and returns that error;
`tear`: the call writes only a part of its bytes, then the kill. K 0: only count.

One JSON object a line on stdout: {"attached": threads}, {"hit": n, "call": name}, and at the end (the
process is gone, or SIGTERM came, which lets it go on untraced) {"count": n}.
"""

import argparse
import ctypes
import errno
import json
import os
import platform
import signal
import sys

# Numbers by machine; `openat` counts only where it may create.
CALLS = {
    "x86_64": {"write": 1, "pwrite64": 18, "pwritev": 296, "fsync": 74, "fdatasync": 75, "ftruncate": 77,
               "fallocate": 285, "rename": 82, "renameat": 264, "unlink": 87, "unlinkat": 263,
               "openat": 257, "mkdir": 83, "mkdirat": 258, "renameat2": 316, "sendmsg": 46},
    "aarch64": {"write": 64, "pwrite64": 68, "pwritev": 70, "fsync": 82, "fdatasync": 83, "ftruncate": 46,
                "fallocate": 47, "renameat": 38, "unlinkat": 35, "openat": 56, "mkdirat": 34,
                "renameat2": 276, "sendmsg": 211},
}
NUMBERS = CALLS.get(platform.machine(), {})
O_CREAT = 0o100

SEIZE, INTERRUPT, LISTEN, SYSCALL_INFO = 0x4206, 0x4207, 0x4208, 0x420E
PTRACE_SYSCALL, GETREGS, SETREGS = 24, 12, 13
OPTIONS = 1 | 8 | 16  # A bit of its own for syscall stops; follow clone; follow exec.
EVENT_STOP = 128
WALL = 0x40000000
ENTRY, EXIT = 1, 2

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


class Info(ctypes.Structure):
    """struct ptrace_syscall_info, at an entry."""
    _fields_ = [("op", ctypes.c_uint8), ("pad", ctypes.c_uint8 * 3), ("arch", ctypes.c_uint32),
                ("ip", ctypes.c_uint64), ("sp", ctypes.c_uint64), ("number", ctypes.c_uint64),
                ("arguments", ctypes.c_uint64 * 6), ("more", ctypes.c_uint64 * 2)]


class Registers(ctypes.Structure):
    """struct user_regs_struct of x86-64."""
    _fields_ = [(name, ctypes.c_uint64) for name in (
        "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss "
        "fs_base gs_base ds es fs gs").split()]


def ptrace(request, tid, address=None, data=None):
    result = libc.ptrace(request, tid, address, data)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"ptrace {request:#x}: {os.strerror(code)}")
    return result


def say(**words):
    os.write(1, (json.dumps(words) + "\n").encode())


class Tracer:
    def __init__(self, pid, names, k, act):
        self.pid, self.k, self.act = pid, k, act
        self.wanted = {NUMBERS[name]: name for name in names}
        self.count = 0
        self.struck = None     # The thread whose call was the k-th, until that call returns.
        self.is_ending = False
        self.info = Info()

    def attach(self):
        known = set()
        while True:
            threads = {int(name) for name in os.listdir(f"/proc/{self.pid}/task")} - known
            if not threads:
                return known
            for tid in threads:
                known.add(tid)
                try:
                    ptrace(SEIZE, tid, None, OPTIONS)
                    ptrace(INTERRUPT, tid)
                except OSError as error:
                    if error.errno == errno.EPERM and tid == self.pid:
                        raise
                    # Else it ended meanwhile, or its parent's attachment brought it in already.

    def resume(self, tid, sig=0):
        try:
            ptrace(PTRACE_SYSCALL, tid, None, sig)
        except OSError:
            pass  # It is dying.

    def registers(self, tid, change):
        regs = Registers()
        ptrace(GETREGS, tid, None, ctypes.addressof(regs))
        change(regs)
        ptrace(SETREGS, tid, None, ctypes.addressof(regs))

    def is_counted(self):
        name = self.wanted.get(self.info.number)
        if name == "openat":
            return bool(self.info.arguments[2] & O_CREAT)
        return name is not None

    def at_entry(self, tid):
        if not self.is_counted():
            return
        self.count += 1
        if self.count != self.k:
            return
        self.struck = tid  # First: from here on nothing but the strike ends us.
        if self.act == "kill":
            os.kill(self.pid, signal.SIGKILL)
        elif self.act == "tear":
            # Half of the bytes of a write, the first of the pieces of a gathered one.
            self.registers(tid, lambda regs: setattr(regs, "rdx", max(1, regs.rdx // 2)))
        elif self.act in ("eio", "enospc"):
            self.registers(tid, lambda regs: setattr(regs, "orig_rax", 2**64 - 1))
        say(hit=self.count, call=self.wanted[self.info.number])

    def at_exit(self, tid):
        if tid != self.struck:
            return
        if self.act in ("after", "tear"):
            os.kill(self.pid, signal.SIGKILL)
        elif self.act in ("eio", "enospc"):
            code = errno.EIO if self.act == "eio" else errno.ENOSPC
            self.registers(tid, lambda regs: setattr(regs, "rax", 2**64 - code))
        self.struck = None

    def at_syscall(self, tid):
        ptrace(SYSCALL_INFO, tid, ctypes.sizeof(self.info), ctypes.addressof(self.info))
        if self.info.op == ENTRY:
            self.at_entry(tid)
        elif self.info.op == EXIT:
            self.at_exit(tid)

    def stopped(self, tid, status):
        sig, event = os.WSTOPSIG(status), status >> 16
        if sig == signal.SIGTRAP | 0x80:
            try:
                self.at_syscall(tid)
            except OSError:
                pass  # Killed between the stop and our look at it.
            self.resume(tid)
        elif event == EVENT_STOP and sig in (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN):
            try:
                ptrace(LISTEN, tid)  # A stop of the whole process: let it stay stopped.
            except OSError:
                pass
        else:
            self.resume(tid, 0 if event or sig == signal.SIGTRAP else sig)

    def end(self):
        say(count=self.count)
        os._exit(0)  # The kernel lets what is traced go on.

    def on_term(self, _number, _frame):
        self.is_ending = True
        if self.struck is None:
            self.end()

    def run(self):
        signal.signal(signal.SIGTERM, self.on_term)
        fresh = self.attach()
        running = set(fresh)
        while True:
            try:
                tid, status = os.waitpid(-1, WALL)
            except ChildProcessError:
                self.end()
            if os.WIFSTOPPED(status):
                self.stopped(tid, status)
            # The first stop of each thread is our interruption: from there on nothing is missed.
            if running:
                running.discard(tid)
                if not running:
                    say(attached=len(fresh))
            if self.is_ending and self.struck is None:
                self.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--calls", type=lambda text: text.split(","), required=True)
    parser.add_argument("--k", type=int, required=True)
    parser.add_argument("--act", choices=("kill", "after", "eio", "enospc", "tear"), default="kill")
    options = parser.parse_args()
    unknown = [name for name in options.calls if name not in NUMBERS]
    if unknown or (options.act in ("eio", "enospc", "tear") and platform.machine() != "x86_64"):
        parser.error(f"not on {platform.machine()}: {', '.join(unknown) or options.act}")
    Tracer(options.pid, options.calls, options.k, options.act).run()


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        say(error=str(error))
        sys.exit(1)
