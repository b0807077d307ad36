"""A rumour is dialled until a card answers, ever later, and forgotten in the end."""

from __future__ import annotations

from random import Random

import pytest

from meshmq.core import rumours as limits
from meshmq.core.rumours import ANSWER_LIMIT, AT_ONCE, AT_ONCE_FIRST, AT_ONCE_LEAST, FORGET_AFTER, Rumours

HERE = ("memory://a",)


@pytest.fixture
def rumours() -> Rumours:
    return Rumours(Random(3))


def fail(rumours: Rumours, now: float, connection: int = 2) -> float:
    """Dial what is due and fail at once; returns the pause before the next dial."""
    (rumour,) = rumours.due(now)
    rumours.dialled(rumour, connection, now)
    assert rumours.failed(connection, "refused", now) is rumour
    return rumour.next_at - now


def test_a_rumour_is_dialled_at_once_and_is_over_when_a_card_answers(rumours: Rumours) -> None:
    rumours.add(HERE, "test", None, 5.0)
    assert (len(rumours), rumours.unanswered, rumours.deadline) == (1, 1, 5.0)
    (rumour,) = rumours.due(5.0)
    rumours.dialled(rumour, 2, 5.0)
    assert rumours.due(5.0) == []
    assert rumours.of(2) is rumour
    assert rumours.deadline == 5.0 + ANSWER_LIMIT
    assert rumours.proved(2) is rumour
    assert rumours.proved(2) is None
    assert (len(rumours), rumours.unanswered) == (0, 0)
    assert rumours.deadline is None


def test_dials_that_fail_come_ever_later_and_stop(rumours: Rumours) -> None:
    rumours.add(HERE, "test", None, 0.0)
    now, pauses = 0.0, []
    while rumours.deadline is not None:
        now = rumours.deadline
        pauses.append(fail(rumours, now))
    assert pauses[0] < 0.2
    assert 30 < max(pauses) < 90
    assert now > FORGET_AFTER
    assert len(rumours) == 0


def test_given_addresses_are_never_forgotten_and_never_dialled_late(rumours: Rumours) -> None:
    rumours.add(HERE, "given", None, 0.0, given=True)
    now = 0.0
    for _ in range(300):
        pause = fail(rumours, now)
        assert pause < 3
        now += pause
    assert len(rumours) == 1


def test_a_given_address_is_revived_when_its_peer_is_gone(rumours: Rumours) -> None:
    rumours.add(HERE, "given", None, 0.0, given=True)
    (rumour,) = rumours.due(0.0)
    rumours.dialled(rumour, 2, 0.0)
    rumours.revive(0.0)
    assert len(rumours) == 1
    rumours.proved(2)
    assert len(rumours) == 0
    rumours.revive(1.0)
    assert [rumour.given for rumour in rumours.due(1.0)] == [True]


def test_a_rumour_heard_again_is_tried_soon(rumours: Rumours) -> None:
    rumours.add(HERE, "test", None, 0.0)
    for _ in range(10):
        now = rumours.deadline or 0.0
        fail(rumours, now)
    assert (rumours.deadline or 0.0) > now + 5
    rumours.add((*HERE, "memory://b"), "again", None, now, given=True)
    assert (rumours.deadline or 0.0) < now + 1
    assert len(rumours) == 1


def test_one_address_of_several_is_enough_to_be_the_same_rumour(rumours: Rumours) -> None:
    rumours.add(("memory://a", "memory://b"), "test", None, 0.0)
    rumours.add(("memory://b",), "test", None, 0.0)
    assert len(rumours) == 1
    (rumour,) = rumours.due(0.0)
    rumours.dialled(rumour, 2, 0.0)
    assert rumours.forget(("memory://b", "memory://c")) == [2]
    assert len(rumours) == 0
    assert rumours.of(2) is None


def test_only_so_many_are_dialled_at_once(rumours: Rumours) -> None:
    for number in range(AT_ONCE + 10):
        rumours.add((f"memory://{number}",), "test", None, 0.0)
    due = rumours.due(0.0)
    assert len(due) == AT_ONCE_FIRST
    for number, rumour in enumerate(due):
        rumours.dialled(rumour, 2 * number, 0.0)
    assert rumours.due(0.0) == []
    assert rumours.deadline == ANSWER_LIMIT  # those that wait for their turn cannot be due
    rumours.proved(0)
    assert len(rumours.due(0.0)) == 2  # one more for each that has answered


def test_who_does_not_answer_is_silent(rumours: Rumours) -> None:
    rumours.add(HERE, "test", None, 0.0)
    (rumour,) = rumours.due(0.0)
    rumours.dialled(rumour, 2, 0.0)
    assert rumours.silent(ANSWER_LIMIT - 0.1) == []
    assert rumours.silent(ANSWER_LIMIT) == [2]


def test_there_are_only_so_many(rumours: Rumours, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST", 2)
    for number in range(4):
        rumours.add((f"memory://{number}",), "test", None, 0.0)
    assert (len(rumours), rumours.dropped) == (2, 2)


def test_a_dial_that_is_not_ours_has_not_failed(rumours: Rumours) -> None:
    assert rumours.failed(99, "refused", 0.0) is None


def test_as_many_are_dialled_at_once_as_answer_in_time(rumours: Rumours) -> None:
    for number in range(400):
        rumours.add((f"memory://{number}",), "test", None, 0.0)
    dials = iter(range(2, 10_000, 2))

    def round_at(now: float, answer: bool) -> int:
        due = {next(dials): rumour for rumour in rumours.due(now)}
        for connection, rumour in due.items():
            rumours.dialled(rumour, connection, now)
        for connection in due:
            if answer:
                rumours.proved(connection)
            else:
                rumours.failed(connection, "unreachable", now + 0.5)
        return len(due)

    grown = [round_at(float(now), answer=True) for now in range(4)]
    assert grown == [AT_ONCE_FIRST, 2 * AT_ONCE_FIRST, AT_ONCE, AT_ONCE]
    shrunk = [round_at(float(now), answer=False) for now in range(4, 10)]
    assert shrunk == [AT_ONCE, AT_ONCE // 2, AT_ONCE // 4, AT_ONCE // 8, AT_ONCE_LEAST, AT_ONCE_LEAST]


def test_who_never_failed_is_dialled_before_who_did(rumours: Rumours) -> None:
    for number in range(AT_ONCE_FIRST):
        rumours.add((f"memory://{number}",), "test", None, 0.0)
    for number, rumour in enumerate(rumours.due(0.0)):
        rumours.dialled(rumour, 2 * number, 0.0)
        rumours.failed(2 * number, "refused", 0.0)
    rumours.add(HERE, "test", None, 9.0)
    assert rumours.due(9.0)[0].addresses == HERE
