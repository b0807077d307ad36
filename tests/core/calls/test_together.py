"""What is asked and answered in one turn goes together, and who asks alone does not wait for the turn's end."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from meshmq.core.bundling import MOST, MOST_BYTES
from meshmq.core.calls.call import Call
from meshmq.wire.bundles import BUNDLED
from meshmq.wire.frames import Kind, unpack_head
from tests.core.calls.hamlet import Hamlet, text


def came(hamlet: Hamlet, index: int) -> list[Kind]:
    """Return the list in which the messages with calls are noted that come to a node from now on."""
    node, kinds = hamlet[index], list[Kind]()
    receive = node.receive

    def noted(connection: int, frames: Sequence[bytes], now: float) -> None:
        kind = unpack_head(frames[0])[0]
        if kind in BUNDLED | {Kind.BUNDLE}:
            kinds.append(kind)
        receive(connection, frames, now)

    node.receive = noted  # type: ignore[method-assign]  # to look at what comes
    return kinds


def turns(nodes: int = 2) -> Hamlet:
    """Return a hamlet whose nodes have met, and have turns."""
    hamlet = Hamlet(nodes)
    hamlet.ask(text="first")
    hamlet.run(0.2)
    hamlet.answer(1, hamlet.take(1))
    hamlet.run(0.2)
    for index in range(nodes):
        hamlet[index].gathers = True
    return hamlet


def end_turn(hamlet: Hamlet, index: int) -> None:
    hamlet.do(index, lambda node, now: node.end_turn(now))
    hamlet.run(0.1)


def answer_all(hamlet: Hamlet, index: int, calls: Sequence[Call]) -> list[str]:
    """Return the texts that a server got, in order, and answer them in one turn."""
    taken = [hamlet.take(index) for _ in calls]
    for incoming in taken:
        hamlet.answer(index, incoming, bytes(incoming.value.body).decode().upper())
    end_turn(hamlet, index)
    return [bytes(incoming.value.body).decode() for incoming in taken]


def test_the_first_of_a_turn_leaves_at_once_and_the_others_at_its_end_in_one_message() -> None:
    hamlet = turns()
    requests, answers = came(hamlet, 1), came(hamlet, 0)
    calls = [hamlet.ask(text=f"question {number}") for number in range(10)]
    hamlet.run(0.01)  # before any tick
    assert requests == [Kind.REQUEST]
    end_turn(hamlet, 0)
    assert requests == [Kind.REQUEST, Kind.BUNDLE]
    assert answer_all(hamlet, 1, calls) == [f"question {number}" for number in range(10)]
    assert answers == [Kind.ANSWER, Kind.BUNDLE]
    assert [text(call) for call in calls] == [f"QUESTION {number}" for number in range(10)]


def test_each_turn_begins_anew() -> None:
    hamlet = turns()
    requests = came(hamlet, 1)
    for _ in range(3):
        hamlet.ask()
        end_turn(hamlet, 0)
    assert requests == [Kind.REQUEST] * 3


def test_without_turns_each_goes_by_itself() -> None:
    hamlet = Hamlet()
    hamlet.ask()
    hamlet.run(0.2)
    requests = came(hamlet, 1)
    for _ in range(3):
        hamlet.ask()
    hamlet.run(0.1)
    assert requests == [Kind.REQUEST] * 3


def test_what_has_gathered_goes_with_the_next_tick_where_nobody_ends_the_turn() -> None:
    hamlet = turns()
    requests = came(hamlet, 1)
    for _ in range(3):
        hamlet.ask()
    hamlet.run(5.0)
    assert requests[:2] == [Kind.REQUEST, Kind.BUNDLE]


def test_a_call_that_is_given_up_before_the_turn_ends_is_not_sent() -> None:
    hamlet = turns()
    hamlet.ask(text="first")
    call = hamlet.ask(text="second")
    hamlet.cancel(call)
    end_turn(hamlet, 0)
    assert hamlet.waiting(1) == 1


@pytest.mark.parametrize(("size", "count"), [(1, MOST + 10), (MOST_BYTES // 4, 20)])
def test_a_bundle_is_bounded_in_number_and_bytes(size: int, count: int) -> None:
    hamlet = turns()
    requests = came(hamlet, 1)
    calls = [hamlet.ask(text="x" * size) for _ in range(count)]
    end_turn(hamlet, 0)
    assert 2 < len(requests) < count
    assert len(answer_all(hamlet, 1, calls)) == count
    assert all(text(call) for call in calls)


def test_what_is_large_goes_by_itself_and_what_is_asked_of_others_goes_to_them() -> None:
    hamlet = turns(3)
    first, second = came(hamlet, 1), came(hamlet, 2)
    calls = [hamlet.ask(text="x" * size, to=hamlet.id(1).hex()) for size in (1, 300_000, 1, 1)]
    others = [hamlet.ask(to=hamlet.id(2).hex()) for _ in range(2)]
    end_turn(hamlet, 0)
    hamlet.run(1.0)
    assert sorted(len(text) for text in answer_all(hamlet, 1, calls)) == [1, 1, 1, 300_000]
    assert answer_all(hamlet, 2, others)
    hamlet.run(1.0)
    assert all(text(call) for call in [*calls, *others])
    assert first == [Kind.REQUEST, Kind.BUNDLE]  # the large one comes in chunks
    assert second == [Kind.BUNDLE]
