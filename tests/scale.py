"""How much of a repetition a test does: a tenth in ``make test``, the whole in ``make stress``."""

from __future__ import annotations

import os
from typing import Final, TypeVar

NumberT = TypeVar("NumberT", int, float)

#: True when ``make stress`` runs.
STRESS: Final = os.environ.get("MESHMQ_STRESS", "") not in ("", "0")


def scale(test: NumberT, stress: NumberT) -> NumberT:
    """Return ``test``, or ``stress`` when everything is run whole."""
    return stress if STRESS else test
