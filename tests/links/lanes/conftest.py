"""For all tests of lanes: how long 16 messages take does not matter."""

from __future__ import annotations

from math import inf

import pytest


@pytest.fixture(autouse=True)
def at_any_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshmq.links.lanes.lane._SPAN", inf)
