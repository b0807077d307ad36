"""One node of a simulation: where it is, how it is, and which connections it has."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Hashable
from itertools import count
from typing import Literal

from meshmq.links.base import Connection, Decider
from meshmq.names import counted
from meshmq.testing.connections import Direct, Subscriber
from meshmq.testing.local_clock import LocalClock


class SimulatedNode:
    """One incarnation of the node at one place (``index``)."""

    def __init__(self, index: int, incarnation: int, port: int, clock: LocalClock, moment: float, seed: str) -> None:
        self.index = index
        self.incarnation = incarnation
        self.port = port
        self.name = f"n{index}.{incarnation}"
        self.control = f"sim://{index}.{port}/control"
        self.topics = f"sim://{index}.{port}/topics"
        self.direct = f"sim://{index}.{port}/direct"
        self.random = random.Random(f"{seed}/{self.name}")
        #: Moments of different machines cannot be compared.
        self.clock = clock
        #: What its clock showed when it was last stepped.
        self.moment = clock.at(moment)
        self.state: Literal["up", "stalled", "dead"] = "up"
        self.power_cut = False
        self.stalls = 0
        #: Whether anything ever came twice; then a peer that is honest may seem not to be.
        self.doubled = False
        #: When it last went on, or its clock jumped: what is late then is so through no fault of its own.
        self.disturbed_at = -1e9
        self.decider: Decider
        self.connections: dict[Connection, Direct | Subscriber] = {}
        self.used: set[Connection] = set()
        #: Control and topics connections of others.
        self.audience: list[Subscriber] = []
        self.outside = count(1, 2)
        self.pending: deque[Callable[[], None]] = deque()
        self.alarm: float | None = None
        self.spins = 0
        self.woken: list[tuple[Hashable, int]] = []

    def __repr__(self) -> str:
        return f"<SimulatedNode {self.name} {self.state}, {counted(len(self.connections), 'connection')}>"
