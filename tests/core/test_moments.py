"""The earliest of several moments, some of which nobody knows."""

from __future__ import annotations

from meshmq.core.moments import earliest


def test_it_is_the_first_that_is_known() -> None:
    assert earliest() is None
    assert earliest(None, None) is None
    assert earliest(3.0, None, 2.0) == 2.0
    assert earliest(None, 0.0, -1.0) == -1.0
