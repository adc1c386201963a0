"""A cable cut: no packet in either direction, and no error either, until it is healed."""

KINDS = ("blob node alone", "frontend from content DB", "content DB from key store", "frontend from blob node",
         "frontend from key store")


class Partition:
    name, weight, hold = "partition", 3, (1.0, 15.0)

    def possible(self, deployment):
        return deployment.can_cut

    def choose(self, deployment, random):
        kind, blob, frontend = (random.choice(of) for of in (KINDS, deployment.blobs, deployment.frontends))
        a, b = {"blob node alone": (blob, "*"), "frontend from content DB": (frontend, "contentdb"),
                "content DB from key store": ("contentdb", "keystore"),
                "frontend from blob node": (frontend, blob),
                "frontend from key store": (frontend, "keystore")}[kind]
        return {"a": a, "b": b}

    def inject(self, deployment, what):
        deployment.cut(what["a"], what["b"])

    def lift(self, deployment, what):
        deployment.heal(what["a"], what["b"])
