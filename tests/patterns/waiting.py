"""Waits in threads for what recipes do beside the test."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from tests.scale import scale

ValueT = TypeVar("ValueT")
LIMIT: Final = scale(test=20, stress=60)


def eventually(look: Callable[[], ValueT]) -> ValueT:
    """Return the first value that counts as true."""
    deadline, pause = time.monotonic() + LIMIT, threading.Event()
    while not (value := look()):
        assert time.monotonic() < deadline, f"it has not happened in {LIMIT:g} s"
        pause.wait(0.001)
    return value
