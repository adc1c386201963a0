"""The power of the whole site fails: every disk that can loses what was not synced, at the same moment.

What was acknowledged is then nowhere but on the disks: no other node, and no memory, has it.
"""


class Blackout:
    name, weight, hold = "blackout", 1, (0.3, 2.0)

    def possible(self, deployment):
        return len(getattr(deployment, "rigs", {})) > 1

    def choose(self, deployment, random):
        return {"names": sorted(deployment.rigs)}

    def inject(self, deployment, what):
        for name in what["names"]:
            deployment.doom(name)  # It may notice before we kill it.
        for name in what["names"]:  # All disks before the first daemon: nothing is synced in between.
            deployment.rigs[name].cut()
        for name in what["names"]:
            deployment.kill(name)

    def lift(self, deployment, what):
        dark = [name for name in what["names"] if not deployment.rigs[name].has_power]
        for name in dark:
            deployment.kill(name)  # Somebody may have started it on the dead disk.
            deployment.rigs[name].restore()
        for name in what["names"]:
            deployment.launch(name)
