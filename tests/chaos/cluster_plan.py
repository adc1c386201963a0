"""The cluster of a round: drawn from its seed, with what this machine lets us have."""

import random

from deployment import Deployment
from rig import PowerRig

EDGES = (("frontend1", "contentdb"), ("frontend2", "contentdb"), ("frontend1", "keystore"),
         ("contentdb", "keystore"))


class Cluster:
    """A started deployment for a with block."""

    def __init__(self, seed, compose=False):
        if compose:
            from compose_deployment import ComposeDeployment  # Needs an engine: not for everyone.
            self.deployment, self.words = ComposeDeployment(), "docker compose"
            return
        draw = random.Random(seed)
        nodes, accounts = draw.choice([(6, 1), (6, 1), (3, 2), (7, 1)])
        volumes = {}
        if PowerRig.available() is None:
            blob = f"blob{draw.randint(1, nodes)}"
            volumes = {name: PowerRig() for name in (blob, "contentdb", "keystore")}
        edges = [edge for edge in EDGES if draw.random() < 0.6]
        self.deployment = Deployment(nodes=nodes, accounts=accounts, volumes=volumes, proxies=edges)
        self.words = (f"{nodes} nodes with {accounts} account(s), "
                      f"{'namespaces' if self.deployment.can_cut else 'no namespaces: no cuts'}, "
                      f"rigs under {' '.join(volumes) or 'nothing'}, {len(edges)} proxies")

    def __enter__(self):
        self.deployment.start()
        return self

    def __exit__(self, *_):
        self.deployment.close()
