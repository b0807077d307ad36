from __future__ import annotations

import pytest

from meshmq.links.room import WaitingRoom


class Guest:
    def __init__(self, name: str, log: list[str], there: bool = True) -> None:
        self.name = name
        self.log = log
        self.there = there

    def wake(self) -> bool:
        self.log.append(self.name)
        return self.there


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def room(log: list[str]) -> WaitingRoom:
    return WaitingRoom()


def test_the_oldest_are_woken_first_and_no_more_than_asked(room: WaitingRoom, log: list[str]) -> None:
    for name in "abc":
        room.enter("key", Guest(name, log))
    room.wake("key", 2)
    assert log == ["a", "b"]
    room.wake("other", 5)
    room.wake("key", 5)
    assert log == ["a", "b", "c"]


def test_one_who_took_passes_nothing_on(room: WaitingRoom, log: list[str]) -> None:
    a, b = Guest("a", log), Guest("b", log)
    room.enter("key", a)
    room.enter("key", b)
    room.wake("key", 1)
    room.leave("key", a, took=True)
    assert log == ["a"]
    room.leave("key", b, took=False)
    assert len(room) == 0


def test_one_who_leaves_without_taking_passes_the_wake_on(room: WaitingRoom, log: list[str]) -> None:
    a, b, c = (Guest(name, log) for name in "abc")
    for guest in (a, b, c):
        room.enter("key", guest)
    room.wake("key", 1)
    room.leave("key", a, took=False)
    assert log == ["a", "b"]
    room.leave("key", b, took=False)
    assert log == ["a", "b", "c"]
    room.leave("key", c, took=False)
    assert len(room) == 0


def test_leaving_unwoken_wakes_nobody(room: WaitingRoom, log: list[str]) -> None:
    a, b = Guest("a", log), Guest("b", log)
    room.enter("key", a)
    room.enter("key", b)
    room.leave("key", a, took=False)
    assert log == []
    room.wake("key", 1)
    assert log == ["b"]


def test_one_woken_in_vain_keeps_its_place_at_the_head(room: WaitingRoom, log: list[str]) -> None:
    a, b = Guest("a", log), Guest("b", log)
    room.enter("key", a)
    room.enter("key", b)
    room.wake("key", 1)
    room.enter("key", a)
    room.wake("key", 1)
    assert log == ["a", "a"]


def test_entering_twice_is_once(room: WaitingRoom, log: list[str]) -> None:
    a = Guest("a", log)
    room.enter("key", a)
    room.enter("key", a)
    room.wake("key", 2)
    assert log == ["a"]


def test_who_waits_for_two_things_passes_on_what_it_did_not_take(room: WaitingRoom, log: list[str]) -> None:
    both, b = Guest("both", log), Guest("b", log)
    room.enter("x", both)
    room.enter("y", both)
    room.enter("y", b)
    room.wake("x", 1)
    room.wake("y", 1)
    assert log == ["both", "both"]
    room.leave("x", both, took=True)
    room.leave("y", both, took=False)
    assert log == ["both", "both", "b"]


def test_one_who_is_gone_costs_nobody_a_wake(room: WaitingRoom, log: list[str]) -> None:
    room.enter("key", Guest("gone", log, there=False))
    room.enter("key", Guest("b", log))
    room.wake("key", 1)
    assert log == ["gone", "b"]


def test_all_are_woken_at_the_end(room: WaitingRoom, log: list[str]) -> None:
    room.enter("x", Guest("a", log))
    room.enter("y", Guest("b", log))
    room.wake_all()
    assert log == ["a", "b"]
    assert len(room) == 0
