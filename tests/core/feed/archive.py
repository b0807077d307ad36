"""A square whose first participant publishes durably, with a disk in the test's hand."""

from __future__ import annotations

from collections.abc import Sequence

from meshmq.core.ledger import Told
from meshmq.core.records import Change, Forget, Recovered
from meshmq.history import History
from tests.core.feed.square import Square


class Archive(Square):
    """Node 0 publishes, ``d.**`` durably, with a disk that is quick; node 1 listens."""

    def __init__(self, recovered: Recovered | None = None) -> None:
        super().__init__()
        self.look()
        self.written: list[Change] = []
        self._told: list[Told] = []
        self.do(0, lambda node, now: node.recover(recovered or Recovered(), self._store, now))
        self.do(0, lambda node, now: node.feed.retain("d.**", History(messages=50), now, durable=True))
        self.run(1)

    def _store(self, changes: Sequence[Change], told: Told | None) -> None:
        self.written += changes
        if told is not None:
            self._told.append(told)

    def tell(self, topic: str, *bodies: bytes) -> None:
        """Publish, and have it on disk."""
        self.publish(0, topic, *bodies)
        while self._told:
            told = self._told.pop(0)
            self.do(0, lambda node, now, told=told: told(None, now))  # type: ignore[misc]  # mypy cannot infer a default
        self.run(0.001)

    def crowd(self, prefix: str, count: int) -> None:
        """Publish to many topics."""
        for number in range(count):
            self.tell(f"{prefix}.{number}", b"x")
        self.run(1)

    def forgets(self) -> list[Forget]:
        """Return what the journal was told to forget."""
        return [change for change in self.written if isinstance(change, Forget)]
