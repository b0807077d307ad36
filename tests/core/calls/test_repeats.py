"""Requests that come again, from a plain peer's hand: run once, answered from memory, in bounds."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from meshmq.core.calls.ends import HELD_BACK
from meshmq.core.calls.incoming import Incoming
from meshmq.core.participant import Participant
from meshmq.errors import WouldBlock
from meshmq.settings import Settings
from meshmq.wire.calls import (
    Answer,
    Request,
    Status,
    Value,
    pack_answer,
    pack_cancel,
    pack_demand,
    pack_request,
    unpack_answer,
)
from meshmq.wire.frames import Kind
from tests.core.stranger import Stranger, byes, participant


def serving(settings: Settings | None = None) -> tuple[Participant, Stranger]:
    """Return a node that serves ``add`` and a caller with a session."""
    node = participant(settings)
    node.calls.server.serve("add", 0.0)
    stranger = Stranger(node)
    stranger.hello()
    return node, stranger


def ask(
    stranger: Stranger, call: int = 1, *, idempotent: bool = True, left: float | None = 5.0, body: bytes = b"\x01"
) -> None:
    stream = False
    request = Request(bytes([call]) * 16, "add", Value(body), left, idempotent, stream)
    frames = pack_request(request)
    stranger.say(Kind.REQUEST, frames[0], *frames[1:])


def take(node: Participant, stranger: Stranger) -> Incoming:
    return node.calls.server.take("add", stranger.now)


def answer(node: Participant, stranger: Stranger, incoming: Incoming, body: bytes = b"\x02") -> None:
    node.calls.server.answer(incoming, Value(body), stranger.now)
    stranger.settle()


def answers(stranger: Stranger) -> list[Answer]:
    return [unpack_answer([body, *buffers]) for kind, body, buffers in stranger.heard if kind is Kind.ANSWER]


def test_repeat_of_what_waits_or_runs_is_the_same_request() -> None:
    node, stranger = serving()
    ask(stranger)
    ask(stranger)
    incoming = take(node, stranger)
    ask(stranger)
    with pytest.raises(WouldBlock):
        take(node, stranger)
    answer(node, stranger, incoming)
    assert [one.status for one in answers(stranger)] == [Status.DONE]


def test_repeat_of_what_is_done_is_answered_from_memory() -> None:
    node, stranger = serving()
    ask(stranger)
    answer(node, stranger, take(node, stranger))
    ask(stranger)
    with pytest.raises(WouldBlock):
        take(node, stranger)
    assert [bytes(one.value.body) for one in answers(stranger)] == [b"\x02", b"\x02"]
    assert node.calls.server.lines["add"].counts == {"received": 1, "done": 1, "repeats": 1}


def test_answer_is_remembered_over_the_end_of_a_session() -> None:
    node, stranger = serving()
    ask(stranger)
    incoming = take(node, stranger)
    again(stranger)
    assert not incoming.cancelled, "it is idempotent and may be asked for again"
    answer(node, stranger, incoming)
    ask(stranger)
    assert [bytes(one.value.body) for one in answers(stranger)] == [b"\x02", b"\x02"]


def test_what_is_not_idempotent_is_cancelled_with_its_session() -> None:
    node, stranger = serving()
    ask(stranger, idempotent=False)
    ask(stranger, 2, idempotent=False)
    incoming = take(node, stranger)
    again(stranger)
    assert incoming.cancelled
    with pytest.raises(WouldBlock):
        take(node, stranger)
    answer(node, stranger, incoming)
    assert node.calls.server.lines["add"].counts == {"received": 2, "cancelled": 2}


def test_answers_are_forgotten_when_no_repeat_can_come_any_more() -> None:
    node, stranger = serving()
    ask(stranger, left=2.0)
    answer(node, stranger, take(node, stranger))
    stranger.wait(2 * 2.0 + HELD_BACK - 0.1)
    assert len(node.calls.server._remembered) == 1
    stranger.wait(1.2)
    assert len(node.calls.server._remembered) == 0


def test_answers_that_are_remembered_are_bounded_in_number_and_bytes() -> None:
    node, stranger = serving(Settings(reply_cache=3, request_bytes=1_000))
    for call in range(1, 6):
        ask(stranger, call)
        answer(node, stranger, take(node, stranger))
    assert len(node.calls.server._remembered) == 3
    ask(stranger, 9)
    answer(node, stranger, take(node, stranger), b"x" * 990)
    assert len(node.calls.server._remembered) == 1


def test_service_that_nobody_serves_is_refused() -> None:
    node, stranger = serving()
    frames = pack_request(Request(b"i" * 16, "other", Value(b"\x01")))
    stranger.say(Kind.REQUEST, frames[0])
    assert [(one.status, one.word) for one in answers(stranger)] == [(Status.REFUSED, "unserved")]
    assert list(node.calls.server.lines) == ["add"], "nothing is kept of what strangers make up"


def test_request_with_no_time_left_is_dropped_and_answered() -> None:
    node, stranger = serving()
    ask(stranger, left=0.0)
    assert [(one.status, one.word) for one in answers(stranger)] == [(Status.DROPPED, "expired")]
    with pytest.raises(WouldBlock):
        take(node, stranger)


def test_words_for_calls_that_nobody_knows_are_ignored() -> None:
    _, stranger = serving()
    stranger.say(Kind.CANCEL, pack_cancel(b"i" * 16))
    stranger.say(Kind.DEMAND, pack_demand(b"i" * 16, 9))
    stranger.say(Kind.ANSWER, pack_answer(b"i" * 16, Status.DONE, Value(b"\x01"))[0])
    assert byes(stranger) == []


def test_caller_cannot_cancel_what_another_asked() -> None:
    node, stranger = serving()
    ask(stranger)
    other = Stranger(node, 3, b"T" * 16)
    other.hello(session=b"another1")
    other.say(Kind.CANCEL, pack_cancel(b"\x01" * 16))
    assert not take(node, stranger).cancelled


class Deaf(Stranger):
    """A peer that never says that it has received anything."""

    def _hear(self, frames: Sequence[bytes]) -> None:
        super()._hear(frames)
        self.received = 0


def test_caller_that_never_reads_its_answers_is_refused_and_then_sent_away() -> None:
    node, _ = serving(Settings(request_bytes=300_000))
    stranger = Deaf(node, 3)
    stranger.hello()
    for call in range(1, 200):
        ask(stranger, call)
        try:
            answer(node, stranger, take(node, stranger), b"x" * 200_000)
        except WouldBlock:
            break  # it was refused
    assert 2 < call < 10
    most = node.unread(stranger.node_id)
    assert most < 300_000 + 200_000
    while not byes(stranger):  # refusals are answers, too
        call += 1
        ask(stranger, call % 200 + 1, idempotent=False)
        assert node.unread(stranger.node_id) <= 2 * 300_000 + 200_000
        assert call < 20_000
    assert byes(stranger) == ["protocol"]


def again(stranger: Stranger) -> None:
    """Begin a new session over a new connection."""
    stranger.connection += 2
    stranger.sent = stranger.received = 0
    stranger.hello(session=b"session2", epoch=1)
