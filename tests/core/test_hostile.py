"""What a careless or hostile peer does to a participant: nothing but what its own session suffers."""

from __future__ import annotations

from contextlib import suppress

import pytest

from meshmq.core.participant import Participant
from meshmq.errors import WouldBlock
from meshmq.wire.batches import pack_batch
from meshmq.wire.frames import Kind, pack_offer, unpack_acks, unpack_bye, unpack_grant
from tests.core.stranger import Stranger, participant

ORIGIN = b"o" * 16


def pulling(prefetch: int = 100) -> tuple[Participant, Stranger]:
    """Return a node that asks for jobs, and a pusher that it has granted some."""
    node = participant()
    node.open_queue("jobs", prefetch, 0.0)
    with suppress(WouldBlock):
        node.take("jobs", "me", 0.0)
    stranger = Stranger(node)
    stranger.hello()
    stranger.say(Kind.OFFER, pack_offer("jobs", 1_000))
    return node, stranger


def jobs(first: int, count: int, *, queue: str = "jobs", body: bytes = b"\xc0", attempt: int = 1) -> bytes:
    return pack_batch(queue, ORIGIN, first, [body] * count, attempt=attempt, backlog=9, held=0.0)[0]


def test_credit_goes_on_where_it_was_when_a_queue_is_pulled_again() -> None:
    node, stranger = pulling(prefetch=10)
    stranger.say(Kind.JOBS, jobs(1, 10))
    hand = node.take("jobs", "me", stranger.now, limit=10)
    hand.floor = 10
    node.finish("jobs", hand, stranger.now)
    node.leave("jobs", "me", stranger.now)
    node.close_queue("jobs", stranger.now)
    stranger.wait(1)
    stranger.heard.clear()
    node.open_queue("jobs", 5, stranger.now)
    with suppress(WouldBlock):
        node.take("jobs", "me", stranger.now)
    stranger.settle()
    # Limits count from the beginning of the session, and this session has gone on all the while.
    assert [unpack_grant(body)[1] for body in stranger.bodies(Kind.GRANT)] == [15]
