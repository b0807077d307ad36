"""Whether an engine can be used: open, closed, broken by what went wrong inside, or in a forked child."""

from __future__ import annotations

import logging
from typing import Final

from meshmq.errors import ClosedError, ForkedError, MeshError
from meshmq.links.gate import FORKED, Gate, told

LOGGER: Final = "meshmq.engine"


class Lifetime:
    """The gate of a node, and why it cannot be entered any more."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.gate = Gate(self._broke)
        #: True once the node is closed, broken, or in a forked child: ``check`` says which.
        self.closed = False
        self.forked = False
        self._cause: BaseException | None = None

    def check(self) -> None:
        """Return if the engine can be used.

        Raises:
            ClosedError: it is closed; the cause is what broke it, if something did.
            ForkedError: it belongs to the parent process.
        """
        if self.forked:
            raise ForkedError(FORKED)
        if self.closed:
            raise self._closed_error() from self._cause

    def break_(self, cause: BaseException) -> None:
        """Close the links as they are: what is half done is not sent; inside the gate or outside. The first counts."""
        if self.closed:
            return
        if self.gate.mine:
            self._broke(cause)
        else:
            with self.gate:
                self._broke(cause)

    def _broke(self, cause: BaseException) -> MeshError:
        if not self.closed:
            self._cause = cause
            sentence = f"node {self.name!r} broke and is closed: {told(cause)}"
            self.gate.words.append((logging.ERROR, LOGGER, sentence))
            self._shut(0.0)
        return self._closed_error()

    def _closed_error(self) -> ClosedError:
        return ClosedError(f"node {self.name!r} " + (f"broke: {self._cause!r}" if self._cause else "is closed"))

    def _shut(self, linger: float) -> None:
        """Close; inside the gate."""
        raise NotImplementedError
