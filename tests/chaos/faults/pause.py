"""SIGSTOP, as of a virtual machine that is moved: the daemon wakes up later and must not do what is over."""

from . import victims


class Pause:
    """Short: within the patience of those who call it, and a little beyond."""
    name, weight, hold = "pause", 3, (1.0, 8.0)

    def possible(self, deployment):
        return True

    def choose(self, deployment, random):
        return {"name": victims.draw(deployment, random)}

    def inject(self, deployment, what):
        deployment.pause(what["name"])

    def lift(self, deployment, what):
        deployment.resume(what["name"])


class LongPause(Pause):
    """Long: others gave it up, its connections and leases are old when it wakes up."""
    name, weight, hold = "long_pause", 1, (8.0, 60.0)
