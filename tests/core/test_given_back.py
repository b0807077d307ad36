"""What workers give back is offered again in the order in which it was pushed."""

from __future__ import annotations

from itertools import permutations
from random import Random

import pytest

from meshmq.core.outbox import Outbox
from meshmq.settings import Settings
from meshmq.wire.batches import unpack_batch
from meshmq.wire.verdicts import Settle, Verdict

LEFT, RETURNED = Verdict.LEFT, Verdict.RETURNED
PARTS = [(LEFT, 1, 1), (RETURNED, 2, 4), (RETURNED, 5, 7), (RETURNED, 8, 10)]


@pytest.mark.parametrize("parts", list(permutations(PARTS)))
def test_parts_given_back_in_any_order_go_out_in_order(parts: tuple[tuple[Verdict, int, int], ...]) -> None:
    outbox = Outbox("jobs", bytes(16), 1, Settings(), Random(1))
    for _ in range(20):
        outbox.add(b"", (), None, 0.0)
    send(outbox, b"leaving", 10)
    for verdict, first, last in parts:
        outbox.give_back(b"leaving", Settle("jobs", verdict, outbox.origin, ((first, last),)), 0.0)
    assert outbox.waiting == 20
    sent = send(outbox, b"staying", 20)
    assert sent == [(1, 2), *((number, 1) for number in range(2, 21))]


def send(outbox: Outbox, peer: bytes, count: int) -> list[tuple[int, int]]:
    """Grant a worker so many jobs; returns the number and attempt of each that it is sent."""
    for other in outbox.routes.values():
        other.jobs_limit = other.jobs_sent
    outbox.open(peer)
    outbox.grant(peer, count, 1_000_000)
    sent: list[tuple[int, int]] = []
    while (route := outbox.best(lambda _: True)) is not None:
        batch = unpack_batch(outbox.next_batch(route, 0.0))
        sent += [(batch.first + index, batch.attempt) for index in range(batch.count)]
    return sent
