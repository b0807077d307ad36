"""Toy deciders and scenarios: some must survive what a connection may do, some must not."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from meshmq.links.base import Connection, Reason


class Quiet:
    """A decider that does nothing; the others add to it."""

    def __init__(self) -> None:
        self.outputs: list[tuple[object, ...]] = []
        self.woken: list[tuple[Hashable, int]] = []
        self.words: list[tuple[int, str, str]] = []
        self.gathers = self.gathered = self.sent_in_turn = False
        self.due: float | None = None

    @property
    def deadline(self) -> float | None:
        return self.due

    def tick(self, now: float) -> None: ...

    def end_turn(self, now: float) -> None: ...

    def receive(self, connection: Connection, frames: Sequence[bytes], now: float) -> None: ...

    def hear(self, connection: Connection, frames: Sequence[bytes], now: float) -> None: ...

    def claim(self, string: bytes, present: bool, now: float) -> None: ...

    def overhear(self, connection: Connection, frames: Sequence[bytes], now: float) -> None: ...

    def tuned(self, string: bytes, present: bool, now: float) -> None: ...

    def reached(self, connection: Connection, address: str, now: float) -> None: ...

    def refused(self, connection: Connection, reason: Reason, address: str, now: float) -> None: ...

    def ended(self, connection: Connection, now: float) -> None: ...

    def moved(self, control: tuple[str, ...], topics: tuple[str, ...], direct: tuple[str, ...], now: float) -> None: ...
    def turned_away(self, reason: Reason, address: str, now: float) -> None: ...


class Recorder(Quiet):
    """Writes down everything it is handed."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[tuple[object, ...]] = []
        self.moments: list[float] = []

    def of(self, kind: str) -> list[tuple[object, ...]]:
        return [entry[1:] for entry in self.log if entry[0] == kind]

    def tick(self, now: float) -> None:
        self.log.append(("tick",))
        self.moments.append(now)
        self.due = None

    def receive(self, connection: Connection, frames: Sequence[bytes], now: float) -> None:
        self.log.append(("receive", connection, list(frames)))
        self.moments.append(now)

    def hear(self, connection: Connection, frames: Sequence[bytes], now: float) -> None:
        self.log.append(("hear", connection, list(frames)))

    def claim(self, string: bytes, present: bool, now: float) -> None:
        self.log.append(("claim", string, present))

    def overhear(self, connection: Connection, frames: Sequence[bytes], now: float) -> None:
        self.log.append(("overhear", connection, list(frames)))

    def tuned(self, string: bytes, present: bool, now: float) -> None:
        self.log.append(("tuned", string, present))

    def reached(self, connection: Connection, address: str, now: float) -> None:
        self.log.append(("reached", connection, address))

    def refused(self, connection: Connection, reason: Reason, address: str, now: float) -> None:
        self.log.append(("refused", connection, reason, address))

    def ended(self, connection: Connection, now: float) -> None:
        self.log.append(("ended", connection))


class Dialler(Quiet):
    """Keeps one direct connection to wherever ``where()`` says, and dials again 0.1 s after its end."""

    def __init__(self, where: Callable[[], str], now: float) -> None:
        super().__init__()
        self.where = where
        self.due = now
        self.connection: Connection = -1
        self.numbers = 0

    def tick(self, now: float) -> None:
        if self.connection < 0:
            self.connection = self.numbers
            self.numbers += 2
            self.outputs.append(("dial", self.connection, "direct", [self.where()], []))
        self.due = None

    def lose(self, now: float) -> None:
        self.connection = -1
        self.due = now + 0.1

    def refused(self, connection: Connection, reason: Reason, address: str, now: float) -> None:
        self.lose(now)

    def ended(self, connection: Connection, now: float) -> None:
        if connection == self.connection:
            self.lose(now)
