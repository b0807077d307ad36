from __future__ import annotations

import os
import select
from collections.abc import Iterator

import pytest

from meshmq.links.bell import Bell
from meshmq.links.poller import WRITE, EpollPoller, Poller, SelectorPoller

KINDS = [
    pytest.param(EpollPoller, marks=pytest.mark.skipif(not hasattr(select, "epoll"), reason="no epoll here")),
    SelectorPoller,
]


@pytest.fixture(params=KINDS)
def poller(request: pytest.FixtureRequest) -> Iterator[Poller]:
    made: Poller = request.param()
    yield made
    made.close()


@pytest.fixture
def bell() -> Iterator[Bell]:
    made = Bell()
    yield made
    made.close()


def test_says_what_is_ready(poller: Poller, bell: Bell) -> None:
    poller.watch(bell.fileno(), "bell")
    assert poller.poll(0) == []
    bell.ring()
    assert poller.poll(None) == ["bell"]
    bell.drain()
    assert poller.poll(0) == []


def test_stands_in_another_and_can_be_slept_on(poller: Poller, bell: Bell) -> None:
    poller.watch(bell.fileno(), "bell")
    bell.ring()
    assert select.select([poller.fileno()], [], [], 0)[0]


def test_what_is_watched_again_stands_for_the_last_and_has_its_events(poller: Poller, bell: Bell) -> None:
    poller.watch(bell.fileno(), "first", WRITE)
    assert poller.poll(0) == ["first"]
    poller.watch(bell.fileno(), "second")
    assert poller.poll(0) == []
    bell.ring()
    assert poller.poll(0) == ["second"]


def test_what_is_paused_is_heard_of_when_it_goes_on(poller: Poller, bell: Bell) -> None:
    poller.watch(bell.fileno(), "bell")
    poller.pause(bell.fileno())
    poller.pause(bell.fileno())
    bell.ring()
    assert poller.poll(0) == []
    poller.resume(bell.fileno())
    poller.resume(bell.fileno())
    assert poller.poll(0) == ["bell"]


def test_what_is_not_watched_can_be_paused_and_left(poller: Poller, bell: Bell) -> None:
    poller.pause(bell.fileno())
    poller.resume(bell.fileno())
    poller.unwatch(bell.fileno())
    bell.ring()
    assert poller.poll(0) == []


def test_what_is_unwatched_while_paused_does_not_come_back(poller: Poller, bell: Bell) -> None:
    poller.watch(bell.fileno(), "bell")
    poller.pause(bell.fileno())
    poller.unwatch(bell.fileno())
    poller.resume(bell.fileno())
    bell.ring()
    assert poller.poll(0) == []


def test_what_is_watched_anew_while_paused_is_heard_of(poller: Poller, bell: Bell) -> None:
    poller.watch(bell.fileno(), "first")
    poller.pause(bell.fileno())
    poller.watch(bell.fileno(), "second")
    poller.resume(bell.fileno())
    bell.ring()
    assert poller.poll(0) == ["second"]


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="no epoll here")
def test_a_closed_one_can_be_told_to_pause() -> None:
    closed = EpollPoller()
    closed.close()
    closed.pause(0)
    closed.resume(0)


def test_a_descriptor_that_was_closed_first_can_be_left(poller: Poller) -> None:
    reader, writer = os.pipe()
    poller.watch(reader, "pipe")
    os.close(reader)
    os.close(writer)
    poller.unwatch(reader)
    assert poller.poll(0) == []
