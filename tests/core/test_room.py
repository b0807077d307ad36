"""Who waits for room in an outbox, or for its end, is woken by whatever takes jobs out of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from meshmq.core.ledger import Told
from meshmq.core.participant import Participant
from meshmq.core.records import Change, Recovered
from meshmq.core.wants import Entry, Wants
from meshmq.errors import JournalError, WouldBlock
from meshmq.fate import Fate
from meshmq.settings import Settings
from meshmq.wire.verdicts import Verdict
from tests.core.village import Village

ROOM, PROGRESS = ("outbox", "jobs"), ("progress",)
DURABLE = Fate(durable=True)


class Full(Village):
    """A node whose outbox is full of four jobs."""

    def __init__(self, fate: Fate, *, pulled: bool = False) -> None:
        super().__init__(1, settings=Settings(outbox_jobs=4))
        self.told: list[Told] = []
        self.do(0, lambda node, now: node.recover(Recovered(), self._store, now))
        if pulled:
            self.open(0, 10)
        self.wants: list[Wants] = []
        self.numbers = [self._push(fate) for _ in range(4)]
        self.run(0.1)
        with pytest.raises(WouldBlock):
            self._push(fate)
        self.woken.clear()

    def _store(self, changes: Sequence[Change], told: Told | None) -> None:
        if told is not None:
            self.told.append(told)

    def _push(self, fate: Fate) -> int:
        wants = Wants(fate, entry=Entry() if fate.durable else None)
        self.wants.append(wants)
        return self.do(0, lambda node, now: node.push("jobs", b"job", (), None, now, wants=wants))


def _refused_by_disk(full: Full) -> None:
    for told in full.told:
        full.do(0, lambda node, now, told=told: told(JournalError("the disk is full", "full"), now))  # type: ignore[misc]  # mypy cannot infer a default


def _withdrawn(full: Full) -> None:
    for number, wants in zip(full.numbers, full.wants, strict=False):
        full.do(0, lambda node, now, n=number, w=wants: node.withdraw("jobs", n, w, now))  # type: ignore[misc]  # mypy cannot infer a default


def _expired(full: Full) -> None:
    full.run(2.0)


def _refused_by_worker(full: Full) -> None:
    for _ in full.numbers:
        hand = full.next(0)
        hand.said[hand.position] = Verdict.REFUSED

        def judge(node: Participant, now: float) -> None:
            node.judge("jobs", hand, hand.position, Verdict.REFUSED, None, now)  # noqa: B023 -- called at once

        full.do(0, judge)
        full.finish(0, hand)


@pytest.mark.parametrize(
    ("fate", "pulled", "end"),
    [
        (DURABLE, False, _refused_by_disk),
        (DURABLE, False, _withdrawn),
        (Fate(ttl=1.0), False, _expired),
        (Fate(max_attempts=1), True, _refused_by_worker),
    ],
)
def test_who_waits_for_room_is_woken(fate: Fate, pulled: bool, end: Callable[[Full], None]) -> None:
    full = Full(fate, pulled=pulled)
    end(full)
    full.run(0.1)
    assert full[0].outboxes["jobs"].depth == 0
    assert {ROOM, PROGRESS} <= set(full.woken)
