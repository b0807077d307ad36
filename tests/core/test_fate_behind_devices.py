"""Jobs for one node, or with a key, go directly where a device stands, also when they are let go late."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from meshmq.core.ledger import Told
from meshmq.core.participant import Participant
from meshmq.core.records import Change, Recovered
from meshmq.core.wants import Entry, Wants
from meshmq.fate import Fate
from meshmq.wire.card import Forwards
from tests.core.village import Village

DURABLE = Fate(durable=True)


@pytest.mark.parametrize(
    ("to", "wants"),
    [
        ("n2", Wants(delay=0.5)),
        ("n2", Wants(DURABLE, entry=Entry())),
        (None, Wants(DURABLE, key="k", entry=Entry())),
        (None, Wants(key="k")),
    ],
)
def test_a_way_is_found_when_the_job_is_let_go(to: str | None, wants: Wants) -> None:
    village, waited = Village(3), list[Told]()

    def store(changes: Sequence[Change], told: Told | None) -> None:
        waited.extend([told] if told is not None else [])

    def tell_all(node: Participant, now: float) -> None:
        for one in waited:
            one(None, now)

    village.do(0, lambda node, now: node.recover(Recovered(), store, now))
    village.do(1, lambda node, now: node.relay.forward(Forwards(queues=("jobs",)), now))
    village.open(2)
    village.run(1)
    village.do(0, lambda node, now: node.push("jobs", b"late", (), None, now, to, (), wants))
    village.run(0.2)
    village.do(0, tell_all)
    village.take(2)
    village.run(1)
    assert [body for body, _ in village.work_off(2)] == [b"late"]
    assert village[0].outboxes["jobs"].depth == 0
