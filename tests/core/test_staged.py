"""What users' own transactions have left in the journal is pushed as soon as there is room for it."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from meshmq.core.participant import Participant
from meshmq.core.records import Change, Keep, Recovered, SetAside, Staged
from meshmq.errors import AmbiguousPeer
from meshmq.fate import Fate
from meshmq.settings import Settings

DURABLE = Fate(durable=True)


class Shop:
    """A node alone, whose journal is in the test's hand."""

    def __init__(self, outbox_jobs: int = 1_000) -> None:
        self.given: list[Change] = []
        self.node = Participant(
            node_id=bytes(16), name="shop", mesh="test", settings=Settings(outbox_jobs=outbox_jobs), random=Random(1),
            control=("ipc:///c",), topics=("ipc:///t",), direct=("ipc:///d",), now=0.0,
        )  # fmt: skip
        self.node.recover(Recovered(), self._store, 0.0)

    def _store(self, changes: Sequence[Change], told: object) -> None:
        self.given += changes

    def stage(self, row: int, queue: str = "jobs", *, to: str | None = None, unique: str | None = None) -> None:
        self.node.push_staged(
            [Staged(row=row, queue=queue, body=b"job", pushed=0.0, fate=DURABLE, to=to, unique=unique)], 0.0
        )

    @property
    def kept(self) -> list[int | None]:
        return [change.staged for change in self.given if isinstance(change, Keep)]


def test_a_full_queue_holds_up_no_other() -> None:
    shop = Shop(outbox_jobs=1)
    for row in (1, 2, 3):
        shop.stage(row, "slow")
    shop.stage(4, "quick")
    assert shop.kept == [1, 4]
    assert shop.node.outboxes["slow"].depth == 1


def test_a_name_that_several_bear_just_now_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    shop, several = Shop(), True

    def named(self: Participant, to: str) -> bytes | None:
        if several:
            raise AmbiguousPeer(to, ("a", "b"))
        return None

    monkeypatch.setattr(Participant, "named", named)
    shop.stage(1, to="till")
    assert shop.given == []
    several = False
    shop.node.work(0.0)
    assert shop.kept == [1]


def test_a_repeat_of_an_id_is_set_aside_with_its_reason() -> None:
    shop = Shop()
    shop.stage(1, unique="order-17")
    shop.stage(2, unique="order-17")
    (aside,) = [change for change in shop.given if isinstance(change, SetAside)]
    assert aside.staged == 2
    assert "order-17" in aside.reason


def test_who_leaves_takes_nothing_more_out_of_the_file() -> None:
    shop = Shop()
    shop.node.drain(0.0)
    shop.stage(1)
    assert shop.given == []
