"""Worlds of two sessions, of one presence, and of one inbox."""

from __future__ import annotations

import pytest

from tests.core.host import World
from tests.core.jobs import Puller
from tests.core.pair import Pair


@pytest.fixture
def pair() -> Pair:
    """Return two sides that have not met."""
    return Pair()


@pytest.fixture
def met() -> Pair:
    """Return two sides with a session that ``a`` dialled."""
    pair = Pair()
    pair.meet()
    return pair


@pytest.fixture
def world() -> World:
    """Return a presence that has met nobody."""
    return World()


@pytest.fixture
def puller() -> Puller:
    """Return an inbox that has asked pusher ``p`` for 100 jobs."""
    puller = Puller()
    puller.ask()
    return puller
