"""Both kinds of in-memory network: every promise holds on each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from meshmq.testing import MemoryNetwork
from meshmq.testing.fixtures import mesh_network

__all__ = ["mesh_network", "network"]


@pytest.fixture(params=[True, False], ids=["ends are told", "ends are learned by sending"])
def network(request: pytest.FixtureRequest) -> Iterator[MemoryNetwork]:
    with MemoryNetwork(tells_ends=request.param) as network:
        yield network
