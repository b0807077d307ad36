"""Makes the ends that a test of the contract is about, whatever kind of links it is run with."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from tests.links.ends import End


class Make:
    """Called, it makes one more end at addresses of its own; all are closed when the test is over."""

    def __init__(
        self, stack: ExitStack, open_one: Callable[[str, int | None], End], free_port: Callable[[], int]
    ) -> None:
        self._stack, self._open, self._free_port = stack, open_one, free_port
        self._count = 0
        self._places: dict[End, tuple[str, int]] = {}

    def __call__(self) -> End:
        self._count += 1
        return self._opened(f"n{self._count}", None)

    def lasting(self) -> End:
        """Make one that can be made ``again``."""
        self._count += 1
        return self._at(f"n{self._count}", self._free_port())

    def again(self, end: End) -> End:
        """Close a lasting one and make its successor, at the same addresses."""
        end.links.close(0)
        return self._at(*self._places.pop(end))

    def _at(self, name: str, port: int) -> End:
        end = self._opened(name, port)
        self._places[end] = (name, port)
        return end

    def _opened(self, name: str, port: int | None) -> End:
        end = self._open(name, port)
        self._stack.callback(end.links.close, 0)
        return end
