"""The power of a daemon's machine fails: its disk loses all that was not synced, and it dies at once.

The disk goes first: what the daemon may still do afterwards reaches nothing.
"""


class PowerCut:
    name, weight, hold = "power_cut", 3, (0.3, 4.0)

    def possible(self, deployment):
        return bool(getattr(deployment, "rigs", {}))

    def choose(self, deployment, random):
        return {"name": random.choice(sorted(deployment.rigs))}

    def inject(self, deployment, what):
        deployment.doom(what["name"])  # It may notice before we kill it.
        deployment.rigs[what["name"]].cut()
        deployment.kill(what["name"])

    def lift(self, deployment, what):
        if not deployment.rigs[what["name"]].has_power:
            # Somebody may have started it on the dead disk.
            deployment.kill(what["name"])
            deployment.rigs[what["name"]].restore()
        deployment.launch(what["name"])
