"""A Ray of this machine alone, for all tests of this room; without Ray they are skipped, by name. See `make test-cluster`."""

from collections.abc import Iterator
from typing import Any

import pytest

from app.cluster.joining import Cluster

pytest.importorskip("ray", reason="Ray is not installed: make test-cluster")
LOCAL = Cluster("local", members=2)


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """Two members, each with one processor."""
    return LOCAL


@pytest.fixture(scope="session")
def ray(cluster: Cluster) -> Iterator[Any]:
    """Connected for the whole session: starting Ray takes seconds."""
    with cluster.joined() as joined:
        yield joined
