"""A Kubernetes for the whole session, with simulated nodes or with real ones.

A machine that lacks what one takes skips its tests; continuous integration fails them. Both may be
up at once. Real nodes that were brought up by hand (`python -m testbed up nodes`) are used and left
up.
"""

from collections.abc import Iterator

import pytest
from testbed import lifecycle, obstacles
from testbed.bed import Bed, Kind
from testbed.errors import UnavailableError


@pytest.fixture(scope="session")
def control_plane() -> Iterator[Bed]:
    """etcd, API server, controllers, scheduler, and 50 nodes that exist only as objects."""
    yield from _bed(Kind.CONTROL_PLANE)


@pytest.fixture(scope="session")
def node_tier() -> Iterator[Bed]:
    """The same with three real nodes."""
    yield from _bed(Kind.NODES)


@pytest.fixture
def simulated_namespace(control_plane: Bed) -> Iterator[str]:
    """A namespace of the test's own."""
    with control_plane.namespace() as name:
        yield name


@pytest.fixture
def node_namespace(node_tier: Bed) -> Iterator[str]:
    """A namespace of the test's own on real nodes."""
    with node_tier.namespace() as name:
        yield name


def _bed(kind: Kind) -> Iterator[Bed]:
    try:
        obstacles.check(kind)
    except UnavailableError as error:
        if obstacles.are_errors():
            pytest.fail(str(error))
        pytest.skip(str(error))
    bed = lifecycle.bring_up(kind)
    yield bed
    lifecycle.release(bed)
