"""Ends of an in-memory network, stepped by the test itself."""

from __future__ import annotations

from collections.abc import Sequence

from meshmq.links.base import Connection
from meshmq.testing import MemoryNetwork
from tests.testing.toys import Recorder

LIMIT = 10.0


class End:
    """Links with somebody who writes down what they hand over."""

    def __init__(self, network: MemoryNetwork, name: str | None = None) -> None:
        self.links = network.links(name)
        self.heard = Recorder()
        self.numbers = iter(range(0, 1000, 2))

    def step(self) -> None:
        while self.links.step(self.heard, 0.0):
            pass

    def dial(self, other: End, link: str = "direct", strings: Sequence[bytes] = ()) -> Connection:
        number = next(self.numbers)
        if link == "direct":
            self.links.dial(number, "direct", other.links.bound.direct, strings, 0.0)
        elif link == "topics":
            self.links.dial(number, "topics", other.links.bound.topics, strings, 0.0)
        else:
            self.links.dial(number, "control", other.links.bound.control, strings, 0.0)
        return number

    @property
    def received(self) -> list[list[bytes]]:
        return [frames for _, frames in self.heard.of("receive")]  # type: ignore[misc]  # a log of objects


def pair(network: MemoryNetwork) -> tuple[End, End, Connection, Connection]:
    """Two ends that have spoken on one direct connection: both, and their numbers of it."""
    a, b = End(network, "a"), End(network, "b")
    there = a.dial(b)
    a.links.send(there, [b"hello"])
    a.step()
    b.step()
    ((back, _),) = b.heard.of("receive")
    assert isinstance(back, int)
    a.heard.log.clear()
    b.heard.log.clear()
    return a, b, there, back
