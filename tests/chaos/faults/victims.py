"""Which daemon is struck: by role first, so that many blob nodes do not hide the few others."""

WEIGHTS = {"blobnode": 5, "frontend": 3, "contentdb": 3, "keystore": 2, "steward": 1}


def draw(deployment, random, but=()):
    """A daemon that is not among `but`."""
    names = [name for name in deployment.names if name not in but]
    roles = sorted({deployment.role_of(name) for name in names})
    role = random.choices(roles, weights=[WEIGHTS[role] for role in roles])[0]
    return random.choice([name for name in names if deployment.role_of(name) == role])
