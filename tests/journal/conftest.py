"""A place for a journal, of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journal.places import Place, places


@pytest.fixture(params=["memory", "sqlite"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Give a place of either kind."""
    yield from places(request.param, tmp_path)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Place]:
    """Give a place on the disk."""
    yield from places("sqlite", tmp_path)
