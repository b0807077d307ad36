"""What every driver is: somebody who waits for an engine and steps it. Drivers know no pattern."""

from __future__ import annotations

from typing import Protocol


class Driver(Protocol):
    """Waits for one engine, from ``attach`` to ``detach``.

    A driver takes the engine's helm, sleeps until its descriptor is readable or its deadline has
    come, and calls ``step``. It detaches itself when it finds the engine closed. Not to be called
    inside the engine's gate.
    """

    def attach(self) -> None:
        """Begin to drive.

        Raises:
            ClosedError: the engine is closed.
        """

    def detach(self) -> None:
        """Stop driving; the engine's descriptor is not watched any more on return. Twice is once."""


class Service(Protocol):
    """Something beside engines that the keeper steps whenever its descriptor is readable."""

    def fileno(self) -> int:
        """Return the descriptor to watch."""

    def step(self) -> object:
        """Do all there is to do, without waiting: a ZeroMQ descriptor is not readable twice for the same thing."""
