"""Copies of what passes: who gets which, how many at most, and that nobody waits for them."""

from __future__ import annotations

from typing import Any

import pytest

from meshmq.core.copies import COPIES, COPIES_AT_ONCE, Copies
from meshmq.core.feed.publisher import TOPICS_BYTES
from meshmq.core.feed.subscription import Subscription
from meshmq.settings import Settings
from meshmq.wire.batches import pack_batch
from meshmq.wire.card import Forwards
from meshmq.wire.frames import Kind
from meshmq.wire.row import Row
from tests.core.calls.hamlet import Hamlet
from tests.core.feed.square import Square, numbers
from tests.core.jobs import ORIGIN
from tests.core.village import Village

PUSHER, HUB, WORKER, TAPPER = range(4)


class Town(Square, Hamlet):
    """A pusher, a device for ``jobs`` and ``add``, who pulls and serves them, and who taps."""

    take = Village.take  # type: ignore[assignment]  # jobs here, as in a village

    def __init__(self, nodes: int = 4, *, device: bool = True, **fields: Any) -> None:
        super().__init__(nodes, serving=False, **fields)
        self.look()
        if device:
            names = Forwards(queues=("jobs",), services=("add",))
            self.do(HUB, lambda node, now: node.relay.forward(names, now))
        self.open(WORKER, prefetch=100)
        self.take(WORKER)  # nothing is there: it asks
        self.serve(WORKER)
        self.run(0.5)

    def tap(self, *patterns: str, index: int = TAPPER) -> Subscription:
        """Subscribe, and wait until all know."""
        subscription = self.subscribe(index, *patterns)
        self.run(1.0)
        assert self.ready(index, subscription)
        return subscription

    def tapped(self, subscription: Subscription, index: int = TAPPER) -> list[tuple[bytes, dict[str, str]]]:
        """Return the bodies and headers of all copies that have come."""
        self.run(1.0)
        found = []
        while (leaf := self.do(index, lambda node, now: node.feed.take(subscription, "me", now, 1))) is not None:
            news = leaf.span.news
            for at in range(leaf.span.start, leaf.span.end):
                found.append((bytes(news.body(at)), dict(news.headers.get(at, {}))))
            self.do(index, lambda node, now, leaf=leaf: subscription.finish(leaf))  # type: ignore[misc]  # mypy cannot infer a default
        return found

    def copies(self, index: int = HUB) -> Copies:
        return self[index].copies


def test_who_taps_a_device_sees_who_sends_what_to_whom() -> None:
    town = Town()
    tap = town.tap("meshmq.tap.jobs", "meshmq.tap.add")
    town.do(PUSHER, lambda node, now: node.push("jobs", b"1", (), {"a": "b"}, now))
    town.ask("add", "question")
    (job, job_headers), (request, request_headers) = sorted(town.tapped(tap))
    assert (job, request) == (b"1", b"question")
    hand = town.next(WORKER)
    assert job_headers == {
        "a": "b",
        "meshmq-kind": "job",
        "meshmq-sender": "n0",
        "meshmq-receiver": "n2",
        "meshmq-id": f"{hand.batch.origin.hex()}-{hand.batch.first:x}",
        "meshmq-attempt": "1",
    }
    assert request_headers.pop("meshmq-id") == Hamlet.take(town, WORKER).id.hex()
    assert request_headers == {
        "meshmq-kind": "request",
        "meshmq-sender": "n0",
        "meshmq-receiver": "n2",
        "meshmq-attempt": "1",
    }
    assert town.copies().told(town[HUB].presence.card) == {
        "add": {"copied": 1, "dropped": 0},
        "jobs": {"copied": 1, "dropped": 0},
    }


def test_where_nobody_taps_nothing_is_noted() -> None:
    town = Town()
    other = town.tap("meshmq.tap.other")
    everything = town.tap("**")
    town.push(PUSHER, *[b"job"] * 5)
    town.ask("add", "question")
    assert town.tapped(other) == town.tapped(everything) == []
    assert town.copies().made.total() == town.copies().dropped.total() == 0
    assert not [topic for topic in town[HUB].feed.publisher.series if topic.startswith("meshmq.")]
    town.do(TAPPER, lambda node, now: node.feed.unsubscribe(other, now))
    town.do(TAPPER, lambda node, now: node.feed.unsubscribe(everything, now))
    town.run(0.5)
    assert not town.copies().tappers


def test_who_taps_comes_and_goes() -> None:
    town = Town()
    tap = town.tap("meshmq.tap.**")
    town.push(PUSHER, b"1")
    assert [body for body, _ in town.tapped(tap)] == [b"1"]
    town.unsubscribe(TAPPER, tap)
    town.run(0.5)
    town.push(PUSHER, b"2")
    town.run(0.5)
    assert town.copies().made["jobs"] == 1
    tap = town.tap("meshmq.tap.jobs")
    town.push(PUSHER, b"3")
    assert [body for body, _ in town.tapped(tap)] == [b"3"]
    town.sim.crash(town.sim.nodes[TAPPER])
    town.run(10.0)
    assert not town.copies().tappers


@pytest.mark.parametrize(("tap", "seen"), [(None, 0), (False, 0), (True, 3)])
def test_who_is_no_device_is_tapped_if_it_agrees(*, tap: bool | None, seen: int) -> None:
    town = Town(device=False, settings=Settings(tap=tap))
    copies = town.tap("meshmq.tap.*")
    town.push(PUSHER, b"1")
    town.ask("add", "question")
    town.open(TAPPER, queue="own")
    town.take(TAPPER, queue="own")
    town.push(TAPPER, b"2", queue="own")
    found = town.tapped(copies)
    assert len(found) == seen
    if seen:
        assert [headers["meshmq-sender"] for _, headers in found] == ["n3", "n0", "n0"]  # its own come at once
        assert [headers["meshmq-receiver"] for _, headers in found] == ["n3", "n2", "n2"]


def test_a_device_may_refuse_to_be_tapped() -> None:
    town = Town(settings=Settings(tap=False))
    assert not town[HUB].feed.publishes
    town.publish(HUB, "news", b"x")  # it is asked for copies then, and knows of nothing
    tap = town.tap("meshmq.tap.jobs")
    town.push(PUSHER, b"1")
    assert town.tapped(tap) == []
    assert town.copies().told(town[HUB].presence.card) == {}


def test_requests_that_are_refused_are_not_copied() -> None:
    town = Town(device=False, settings=Settings(tap=True))
    tap = town.tap("meshmq.tap.**")
    town.unserve(WORKER)
    town.ask("add", "too late", to=f"n{WORKER}")  # its caller does not know yet
    town.run(0.5)
    assert town[WORKER].calls.server.lines["add"].counts["refused"] == 1
    town.ask("meshmq.stats", "everybody does", to=f"n{WORKER}")
    assert town.tapped(tap) == []


def test_what_is_too_large_is_told_without_its_value() -> None:
    town = Town()
    tap = town.tap("meshmq.tap.jobs")
    town.push(PUSHER, bytes(TOPICS_BYTES))
    town.push(PUSHER, bytes(TOPICS_BYTES + 1))
    town.push(PUSHER, b"with", buffers=(bytes(10),))
    (first, one), (second, two), (third, three) = town.tapped(tap)
    assert (first, second, third) == (bytes(TOPICS_BYTES), b"\xc0", b"\xc0")
    omitted = [headers.get("meshmq-omitted") for headers in (one, two, three)]
    assert omitted == [None, str(TOPICS_BYTES + 1), "14"]
    assert town[HUB].feed.publisher.large.size == town[HUB].feed.publisher.small.size == 0


def test_more_than_it_copies_is_dropped_and_told() -> None:
    town = Town()
    tap = town.tap("meshmq.tap.jobs")
    copies, now = town.copies(), town.sim.now

    def pass_on(first: int, count: int, at: float, body: bytes = b"x") -> None:
        frames = pack_batch("jobs", ORIGIN, first, Row.of([body] * count), attempt=1, backlog=0, held=0.0)
        town.do(HUB, lambda node, _: copies.passes(town.id(WORKER), Kind.JOBS, frames, at))

    pass_on(1, COPIES_AT_ONCE + 500, now)
    pass_on(2_001, 100, now)
    assert (copies.made["jobs"], copies.dropped["jobs"]) == (COPIES_AT_ONCE, 600)
    pass_on(3_001, 100, now + 10.5 / COPIES)
    pass_on(4_001, 10, now + 10.5 / COPIES + 0.01)
    assert (copies.made["jobs"], copies.dropped["jobs"]) == (COPIES_AT_ONCE + 20, 690)
    town.do(HUB, lambda node, at: node.work(at))
    found = town.tapped(tap)
    dropped = {
        place: headers["meshmq-dropped"] for place, (_, headers) in enumerate(found) if "meshmq-dropped" in headers
    }
    assert len(found) == COPIES_AT_ONCE + 20
    assert dropped == {COPIES_AT_ONCE: "600", COPIES_AT_ONCE + 10: "90"}
    pass_on(5_001, 100, town.sim.now + 100, b"x" * 60_000)
    assert (copies.made["jobs"], copies.dropped["jobs"]) == (COPIES_AT_ONCE + 20 + 17, 690 + 83)  # a MiB of them


def test_who_leaves_waits_for_nobody_who_taps_and_stands_still() -> None:
    town = Town()
    tap = town.tap("meshmq.tap.jobs")
    town.push(PUSHER, b"1")
    town.finish(WORKER, town.next(WORKER))
    assert len(town.tapped(tap)) == 1
    assert town.sim.stall(town.sim.nodes[TAPPER])
    town.push(PUSHER, b"2")
    town.finish(WORKER, town.next(WORKER))
    town.run(0.5)
    assert town.copies().made["jobs"] == 2
    assert not owes(town)


def test_who_leaves_and_publishes_waits_for_its_subscribers_alone() -> None:
    town = Town()
    town.tap("meshmq.tap.jobs")
    news = town.subscribe(PUSHER, "news")
    town.run(2.0)
    assert town.sim.stall(town.sim.nodes[TAPPER])
    town.publish(HUB, "news", b"x")
    town.run(0.5)
    assert len(town.heard(PUSHER, news)) == 1
    assert not owes(town)


def test_who_leaves_waits_for_who_subscribes_to_what_is_published() -> None:
    town = Town()
    town.tap("meshmq.tap.jobs", "news")
    assert town.sim.stall(town.sim.nodes[TAPPER])
    town.publish(HUB, "news", b"x")
    assert town.do(HUB, lambda node, now: node.feed.owes(now))
    assert owes(town)


def owes(town: Town) -> bool:
    """Whether the device would wait for somebody, asked again and again as who leaves does."""
    owing = True
    for _ in range(10):
        town.do(HUB, lambda node, now: node.work(now))
        owing = town.do(HUB, lambda node, now: node.owes(now))
        town.run(0.05)
    return owing


def test_what_was_lost_on_the_way_is_told_as_a_gap_and_nothing_is_kept_for_it() -> None:
    town = Town()
    tap = town.tap("meshmq.tap.jobs")
    town.push(PUSHER, b"1")
    town.run(0.5)
    with town.deaf(HUB):
        town.push(PUSHER, b"2", b"3")
        town.run(0.5)
    town.push(PUSHER, b"4")
    town.run(1.0)
    heard = town.heard(TAPPER, tap)
    assert [(one.body, one.gap) for one in heard] == [(b"1", 0), (b"4", 2)]
    assert numbers(heard) == [1, 4]
    assert tap.missed == 2
    assert town[HUB].feed.publisher.published == 0
    assert town[HUB].feed.topics == []


def test_a_device_that_cannot_be_dialled_is_tapped_over_the_session() -> None:
    town = Town(hidden=(HUB,), meet=False)
    for one in (HUB, PUSHER, WORKER, TAPPER):
        for other in {PUSHER, WORKER, TAPPER} - {one}:
            town.find(one, other)
    tap = town.subscribe(TAPPER, "meshmq.tap.jobs")
    town.run(10.0)
    assert town[TAPPER].feed.subscriber.taps[town.id(HUB)].unreachable
    town.push(PUSHER, b"1", b"2")
    assert [body for body, _ in town.tapped(tap)] == [b"1", b"2"]
    town.unsubscribe(TAPPER, tap)
    town.run(0.5)
    assert not town.copies().tappers


def test_who_wants_the_latest_alone_gets_that() -> None:
    town = Town()
    tap = town.subscribe(TAPPER, "meshmq.tap.jobs", latest=True)
    town.run(1.0)
    town.push(PUSHER, b"1", b"2", b"3")
    assert [body for body, _ in town.tapped(tap)][-1] == b"3"
