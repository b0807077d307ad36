"""Sources are asked in turn, when they are ready or due, and never more than a step allows."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Iterator
from math import inf

import pytest

from meshmq.links.base import Decider
from meshmq.links.sources import Sources
from tests.links.ends import Recorder


class Well:
    """A source with so many messages in it."""

    def __init__(self, content: int) -> None:
        self.content = content
        self.asked: list[float] = []

    def drain(self, decider: Decider, now: float, quota: int) -> int:
        self.asked.append(now)
        taken = min(self.content, quota)
        self.content -= taken
        return taken


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sources]:
    monkeypatch.setattr("meshmq.links.sources._SPAN", inf)  # a step ends by what it has taken
    sources = Sources()
    yield sources
    sources.close()


def readable(sources: Sources, timeout: float = 0) -> bool:
    with selectors.DefaultSelector() as outer:
        outer.register(sources.fileno(), selectors.EVENT_READ)
        return bool(outer.select(timeout))


def test_nothing_to_do_is_nothing_done(sources: Sources) -> None:
    assert sources.step(Recorder(), 1.0) is False
    assert sources.deadline is None
    assert not readable(sources)


def test_a_woken_source_makes_the_descriptor_readable_until_the_step(sources: Sources) -> None:
    well = Well(3)
    sources.wake(well)
    sources.wake(well)
    assert readable(sources)
    assert sources.deadline is not None
    assert sources.step(Recorder(), 1.0) is False
    assert well.asked == [1.0]
    assert not readable(sources)


def test_a_source_is_asked_again_until_it_has_less_than_its_quota(sources: Sources) -> None:
    well = Well(40)
    sources.wake(well)
    assert sources.step(Recorder(), 1.0) is False
    assert len(well.asked) == 3


def test_sources_take_turns(sources: Sources) -> None:
    full, small = Well(10_000), Well(5)
    sources.wake(full)
    sources.wake(small)
    assert sources.step(Recorder(), 1.0) is True
    assert small.content == 0
    assert 10_000 - full.content <= 256 + 16


def test_what_is_left_behind_is_due_at_once(sources: Sources) -> None:
    sources.wake(Well(10_000))
    assert sources.step(Recorder(), 5.0) is True
    assert sources.deadline == 5.0


def test_a_source_is_asked_when_its_time_has_come(sources: Sources) -> None:
    well = Well(0)
    sources.later(well, 2.0)
    sources.later(well, 1.0)
    assert sources.deadline == 1.0
    for now in (0.5, 1.0, 1.5, 2.5):
        sources.step(Recorder(), now)
    assert well.asked == [1.0, 2.5]
    assert sources.deadline is None


def test_a_descriptor_wakes_its_source_until_it_is_not_watched_any_more(sources: Sources) -> None:
    well = Well(0)
    here, there = socket.socketpair()
    with here, there:
        sources.watch(here.fileno(), well, selectors.EVENT_WRITE)
        sources.step(Recorder(), 1.0)
        sources.watch(here.fileno(), well)
        sources.step(Recorder(), 2.0)
        there.send(b"x")
        sources.step(Recorder(), 3.0)
        sources.unwatch(here.fileno())
        sources.unwatch(here.fileno())
        sources.step(Recorder(), 4.0)
    assert well.asked == [1.0, 3.0]


def test_another_thread_may_post_a_source(sources: Sources) -> None:
    well = Well(1)
    thread = threading.Thread(target=sources.post, args=(well,))
    thread.start()
    assert readable(sources, timeout=10)
    thread.join(10)
    sources.step(Recorder(), 1.0)
    assert well.asked == [1.0]
