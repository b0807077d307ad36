"""For all tests of lanes: two ends, and how long 16 messages take does not matter."""

from __future__ import annotations

from contextlib import ExitStack
from math import inf
from pathlib import Path

import pytest

from tests.links.lanes.pairs import Pair


@pytest.fixture(autouse=True)
def at_any_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshmq.links.lanes.lane._SPAN", inf)


@pytest.fixture
def pair(stack: ExitStack, tmp_path: Path) -> Pair:
    return Pair(stack, tmp_path)
