"""Examples run as the processes they are."""

from __future__ import annotations

from tests.network.conftest import spawn, start

__all__ = ["spawn", "start"]
