"""pytest fixtures: each test gets a mesh of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from meshmq.testing.network import Network


@pytest.fixture
def mesh_network() -> Iterator[Network]:
    """An in-memory ``Network`` with a random mesh, on the machine's clock; closed after the test."""
    with Network() as network:
        yield network
