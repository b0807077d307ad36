"""Lives of one node whose journal is in the test's hand: it writes when it is told, and may be killed at any point."""

from __future__ import annotations

from collections.abc import Sequence

from meshmq.core.hands import Hand
from meshmq.core.ledger import Told
from meshmq.core.records import Change
from meshmq.core.wants import Entry, Wants
from meshmq.errors import JournalError
from meshmq.fate import Fate
from meshmq.journal.memory import MemoryStore
from tests.core.village import Village, body

DURABLE = Fate(durable=True)


def empty() -> MemoryStore:
    """Return a store whose clock stands still, as that of its nodes begins anew."""
    return MemoryStore(lambda: 0.0)


class Life(Village):
    """One incarnation of a node that pushes and pulls, with a disk that writes when the test says so."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(1)
        self._store = store
        self._given: list[tuple[Sequence[Change], Told | None]] = []
        recovered = store.recover()
        self.do(
            0, lambda node, now: node.recover(recovered, lambda changes, told: self._given.append((changes, told)), now)
        )
        self.open(0, 10)

    def push_durably(
        self, *bodies: bytes, fate: Fate = DURABLE, key: str | None = None, unique: str | None = None
    ) -> list[tuple[int, Wants]]:
        """Push jobs; returns their numbers and what their pusher wants."""
        pushed: list[tuple[int, Wants]] = []
        for one in bodies:
            wants = Wants(fate, key=key, unique=unique, window=60.0, entry=Entry())
            number = self.do(0, lambda node, now, one=one, w=wants: node.push("jobs", one, (), None, now, wants=w))  # type: ignore[misc]  # mypy cannot infer a default
            pushed.append((number, wants))
        return pushed

    def take_back(self, number: int, wants: Wants) -> bool:
        """Withdraw a job whose pusher waits no more; whether that was possible."""
        return self.do(0, lambda node, now: node.withdraw("jobs", number, wants, now))

    def disk_until_killed(self, groups: int) -> None:
        """Write the first of what was given; nobody learns of it any more."""
        for changes, _ in self._given[:groups]:
            self._store.commit(changes)

    def disk(self, error: JournalError | None = None, *, once: bool = False) -> list[Change]:
        """Write what was given, or refuse it, and what is given then, unless only ``once``; returns it all."""
        written: list[Change] = []
        while self._given:
            given, self._given = self._given, []
            for changes, told in given:
                written += changes
                if error is None:
                    self._store.commit(changes)
                if told is not None:
                    self.do(0, lambda node, now, told=told: told(error, now))  # type: ignore[misc]  # mypy cannot infer a default
            if once:
                break
        return written

    def get(self) -> Hand | None:
        """Take a job, if one is here once the disk has written all."""
        self.do(0, lambda node, now: node.look("jobs", now))
        self.disk()
        return self.take(0)

    def gets(self) -> bytes:
        """Take a job; returns its body."""
        hand = self.get()
        assert hand is not None
        return body(hand)

    def finish_all(self) -> list[bytes]:
        """Do all there is."""
        done: list[bytes] = []
        while (hand := self.get()) is not None:
            done.append(body(hand))
            self.finish(0, hand)
        self.disk()
        return done

    @property
    def letters(self) -> list[tuple[bytes, str]]:
        """The dead letters: what they were, and why."""
        box = self[0].outboxes.get("jobs")
        return [(letter.job.body, letter.reason) for letter in box.dead.letters.values()] if box else []
