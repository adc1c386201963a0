"""kill -9 of a daemon, sometimes of two at once; launched again at the end."""

from . import victims

TWO = 0.2  # Share of double kills.


class Kill:
    name, weight, hold = "kill", 4, (0.2, 6.0)

    def possible(self, deployment):
        return True

    def choose(self, deployment, random):
        names = [victims.draw(deployment, random)]
        if random.random() < TWO:
            names.append(victims.draw(deployment, random, but=names))
        return {"names": names}

    def inject(self, deployment, what):
        for name in what["names"]:
            deployment.kill(name)

    def lift(self, deployment, what):
        for name in what["names"]:
            deployment.launch(name)
