"""The answer to a call is lost after the server did what it was asked to, and the connection with it.

Which call it is the proxy cannot see (TLS); several in a row on an edge that carries commits meet one.
"""


class LostReply:
    name, weight, hold = "lost_reply", 3, (0.5, 3.0)

    def possible(self, deployment):
        return bool(edges(deployment))

    def choose(self, deployment, random):
        client, server = random.choice(edges(deployment))
        return {"client": client, "server": server, "count": random.randint(1, 4)}

    def inject(self, deployment, what):
        deployment.proxy(what["client"], what["server"]).lose_reply(what["count"])

    def lift(self, deployment, what):
        deployment.proxy(what["client"], what["server"]).lose_reply(0)


def edges(deployment):
    return sorted(getattr(deployment, "proxies", {}))
