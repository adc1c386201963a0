import itertools
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cluster import Cluster  # noqa: E402

COUNTER = itertools.count()


@pytest.fixture(scope="session")
def shared():
    """One cluster for the tests that break nothing: three nodes with two accounts each."""
    cluster = Cluster()
    try:
        yield cluster.start()
    finally:
        cluster.close()


@pytest.fixture(scope="module")
def own():
    """A cluster of a module's own, for tests that kill and change things."""
    cluster = Cluster()
    try:
        yield cluster.start()
    finally:
        cluster.close()


@pytest.fixture
def bucket(shared, request):
    words = "".join(c if c.isascii() and c.isalnum() else "-" for c in request.node.name.lower())[:40]
    name = f"b-{words.strip('-')}-{next(COUNTER)}"
    shared.s3().create_bucket(Bucket=name)
    return name
