"""Streams: items in order against credit, an end or a failure after the last, and what leaving does."""

from __future__ import annotations

from contextlib import suppress

import pytest

from meshmq.core.calls.call import FIRST_ITEMS, MOST_ITEMS, Call
from meshmq.core.calls.incoming import Incoming
from meshmq.errors import PeerLost, RemoteError, TimedOut, WouldBlock
from meshmq.settings import Settings
from tests.core.calls.hamlet import Hamlet, error


def streaming(hamlet: Hamlet, timeout: float | None = 5.0) -> tuple[Call, Incoming]:
    call = hamlet.ask(stream=True, timeout=timeout)
    hamlet.run(0.2)
    incoming = hamlet.take(1)
    assert incoming.stream
    assert incoming.deadline is None
    return call, incoming


def send_what_may_be(hamlet: Hamlet, incoming: Incoming, text: str = "item") -> int:
    """Send items until there is no more credit; returns how many."""
    sent = 0
    with suppress(WouldBlock):
        while hamlet.item(1, incoming, text):
            sent += 1
    return sent


def test_items_come_in_order_and_then_the_end() -> None:
    hamlet = Hamlet()
    call, incoming = streaming(hamlet)
    for number in range(3):
        assert hamlet.item(1, incoming, str(number))
    assert hamlet.end(1, incoming)
    hamlet.run(0.1)
    assert [hamlet.next_item(call) for _ in range(5)] == ["0", "1", "2", None, None]


def test_items_before_a_failure_come_first() -> None:
    hamlet = Hamlet()
    call, incoming = streaming(hamlet)
    hamlet.item(1, incoming, "0")
    hamlet.fail(1, incoming)
    hamlet.run(0.1)
    assert hamlet.next_item(call) == "0"
    hamlet[0].outputs.clear()
    with pytest.raises(RemoteError, match="ValueError on n1: no"):
        hamlet[0].calls.caller.next_item(call, 0.0, 0.0)


def test_handler_is_only_a_window_ahead() -> None:
    hamlet = Hamlet()
    call, incoming = streaming(hamlet)
    assert send_what_may_be(hamlet, incoming) == FIRST_ITEMS
    hamlet.run(0.1)
    assert send_what_may_be(hamlet, incoming) == 0
    hamlet.woken.clear()
    hamlet.next_item(call)
    hamlet.run(0.1)
    assert ("demand", call.id) in hamlet.woken
    send_what_may_be(hamlet, incoming)
    hamlet.run(0.1)
    assert incoming.sent == 1 + MOST_ITEMS
    assert len(call.items) == incoming.sent - call.taken <= MOST_ITEMS


def test_large_items_have_a_small_window() -> None:
    hamlet = Hamlet(settings=Settings(prefetch_bytes=100_000))
    call, incoming = streaming(hamlet)
    send_what_may_be(hamlet, incoming, "x" * 50_000)
    for _ in range(6):
        hamlet.run(0.1)
        assert hamlet.next_item(call)
        hamlet.run(0.1)
        send_what_may_be(hamlet, incoming, "x" * 50_000)
    hamlet.run(0.1)
    assert len(call.items) <= 2


def test_value_that_is_returned_to_a_stream_is_its_only_item() -> None:
    hamlet = Hamlet()
    call, incoming = streaming(hamlet)
    hamlet.answer(1, incoming, "all")
    hamlet.run(0.1)
    assert [hamlet.next_item(call) for _ in range(2)] == ["all", None]


def test_leaving_a_stream_cancels_its_handler() -> None:
    hamlet = Hamlet()
    call, incoming = streaming(hamlet)
    hamlet.item(1, incoming, "0")
    hamlet.cancel(call)
    hamlet.run(0.1)
    assert incoming.cancelled
    assert not hamlet.item(1, incoming, "1")
    assert not hamlet.end(1, incoming)
    hamlet.run(0.1)
    assert hamlet.counts() == {"asked": 1, "cancelled": 1, "late": 1}


def test_item_that_does_not_come_in_time_ends_the_stream() -> None:
    hamlet = Hamlet()
    call, incoming = streaming(hamlet, timeout=1.0)
    for _ in range(3):  # each item has its own second, and nobody is hurried who does not wait
        hamlet.item(1, incoming, "item")
        hamlet.run(3.0)
        assert hamlet.next_item(call) == "item"
    with pytest.raises(WouldBlock):
        hamlet.next_item(call)
    hamlet.run(1.1)
    assert isinstance(error(call), TimedOut)
    assert incoming.cancelled


def test_stream_of_a_lost_server_says_that_it_ran() -> None:
    hamlet = Hamlet()
    call, incoming = streaming(hamlet, timeout=None)
    hamlet.item(1, incoming, "0")
    hamlet.run(0.1)
    hamlet.sim.crash(hamlet.sim.nodes[1])
    hamlet.run(3.0)
    assert hamlet.next_item(call) == "0"
    assert isinstance(error(call), PeerLost)


def test_large_items_keep_their_place() -> None:
    hamlet = Hamlet()
    call, incoming = streaming(hamlet)
    texts = ["0", "x" * 1_000_000, "2"]
    for text in texts:
        hamlet.item(1, incoming, text)
    hamlet.end(1, incoming)
    hamlet.run(0.5)
    assert [hamlet.next_item(call) for _ in range(4)] == [*texts, None]


def test_nobody_who_streams_within_the_time_is_told() -> None:
    hamlet = Hamlet(serving=False)
    call = hamlet.ask(stream=True, timeout=1.0)
    hamlet.run(1.1)
    assert "nobody serves 'add' within 1 s" in str(error(call))
