"""A tap: the topics link is tuned to what is wanted, marked, and dialled again; what is asked for goes in parts."""

from __future__ import annotations

from typing import Any

from meshmq.core.feed.subscription import Subscription
from meshmq.core.feed.tap import ASKED_MOST, Tap
from meshmq.core.feed.tuner import LONGEST_PAUSE
from meshmq.wire.frames import Kind
from meshmq.wire.subscribing import marker, unpack_number, unpack_subscribe
from tests.core.feed.earth import ME, Earth

PUBLISHER = b"p" * 16


def tap(*addresses: str) -> tuple[Tap, Earth]:
    earth = Earth()
    ground: Any = earth
    one = Tap(PUBLISHER, ground)
    one.addresses = addresses or ("sim://p/topics",)
    return one, earth


def subscription(number: int, *patterns: str, **options: Any) -> Subscription:
    return Subscription(number, patterns, capacity=10, capacity_bytes=1_000, now=0.0, **options)


def test_the_marker_is_subscribed_to_after_everything_else() -> None:
    one, earth = tap()
    one.sync([b"a\0", b"b."], 1, 0.0)
    assert earth.outputs == [("dial", 2, "topics", ("sim://p/topics",), (b"a\0", b"b.", marker(ME, 1)))]


def test_each_change_has_a_marker_of_its_own_and_the_old_one_goes() -> None:
    one, earth = tap()
    one.sync([b"a\0"], 1, 0.0)
    earth.outputs.clear()
    one.sync([b"b\0"], 2, 0.0)
    assert earth.outputs == [("tune", 2, [b"b\0", marker(ME, 2)], [b"a\0", marker(ME, 1)])]
    earth.outputs.clear()
    one.sync([b"b\0"], 3, 0.0)
    assert earth.outputs == []
    one.sync([], 4, 0.0)
    assert earth.outputs == [("hang_up", 2)]
    assert one.connection is None


def test_one_change_is_not_compared_with_all_that_is_there() -> None:
    one, earth = tap()
    one.sync([b"a\0"], 1, 0.0)
    earth.outputs.clear()
    one.sync([b"a\0", b"b\0"], 2, 0.0, ([b"b\0"], []))
    one.sync([b"b\0"], 3, 0.0, ([], [b"a\0"]))
    assert earth.outputs == [
        ("tune", 2, [b"b\0", marker(ME, 2)], [marker(ME, 1)]),
        ("tune", 2, [marker(ME, 3)], [b"a\0", marker(ME, 2)]),
    ]
    earth.outputs.clear()
    one.sync([b"c\0", b"d\0"], 5, 0.0, ([b"d\0"], []))  # it has missed one
    assert earth.outputs == [("tune", 2, [b"c\0", b"d\0", marker(ME, 4)], [b"b\0", marker(ME, 3)])]
    one.failed(0.0)
    earth.outputs.clear()
    one.sync([b"c\0"], 6, 9.0, ([], [b"d\0"]))
    ((*_, strings),) = earth.outputs
    assert strings == (b"c\0", marker(ME, 5))


def test_a_connection_that_fails_is_dialled_again_after_longer_and_longer_pauses() -> None:
    one, _ = tap()
    now, pauses = 0.0, []
    for _ in range(12):
        one.sync([b"a\0"], 1, now)
        assert one.connection is not None
        one.failed(now)
        assert not one.stale(1, one.tuner.dial_at - 0.001)
        assert one.deadline() == one.tuner.dial_at
        pauses.append(one.tuner.dial_at - now)
        now = one.tuner.dial_at
        assert one.stale(1, now)
    assert pauses == sorted(pauses)
    assert (round(pauses[0], 6), round(pauses[-1], 6)) == (0.1, LONGEST_PAUSE)
    one.sync([b"a\0"], 1, now)
    one.direct.heard(5, now)
    one.failed(now)
    assert round(one.tuner.dial_at - now, 6) == 0.1


def test_where_nothing_is_wanted_or_nobody_can_be_dialled_nothing_is() -> None:
    for one, strings in ((tap()[0], []), (tap()[0], [b"a\0"])):
        one.unreachable = bool(strings)
        one.sync(strings, 1, 0.0)
        assert one.connection is None
        assert not one.stale(1, 1e9)


def test_many_patterns_are_asked_for_in_parts_with_the_marker_that_stands() -> None:
    one, earth = tap()
    wanted = subscription(1, *(f"plant.{number}.temp" for number in range(20_000)))
    one.sync(wanted.prefixes, 1, 0.0)
    one.ask(wanted)
    one.send(3.0)
    parts = [unpack_subscribe(body) for body in earth.bodies(Kind.SUBSCRIBE)]
    assert sum(len(part.patterns) for part in parts) == 20_000
    assert [part.more for part in parts] == [True] * (len(parts) - 1) + [False]
    assert {(part.mark, part.span, part.way) for part in parts} == {(1, 3.0, "topics")}


def test_how_values_come_is_said() -> None:
    one, earth = tap()
    one.sync([b"a\0"], 1, 0.0)
    one.ask(subscription(1, "a"))
    one.ask(subscription(2, "a", latest=True, since="last"))
    one.send(0.0)
    one.unreachable = True
    one.ask(subscription(3, "a"))
    one.send(0.0)
    said = [unpack_subscribe(body) for body in earth.bodies(Kind.SUBSCRIBE)]
    assert [(part.number, part.way, part.mark, part.since) for part in said] == [
        (1, "topics", 1, None), (2, "latest", 0, "last"), (3, "direct", 0, None),
    ]  # fmt: skip


def test_a_thousand_are_asked_for_at_a_time() -> None:
    one, earth = tap()
    several = [subscription(number, "a") for number in range(1, 2 * ASKED_MOST)]
    for each in several:
        one.ask(each)
    one.send(0.0)
    assert len(earth.bodies(Kind.SUBSCRIBE)) == ASKED_MOST
    several[ASKED_MOST].closed = True
    for number in range(1, 11):
        one.answers(number)
    one.send(0.0)
    assert [unpack_subscribe(body).number for body in earth.bodies(Kind.SUBSCRIBE)] == [
        *range(ASKED_MOST + 2, ASKED_MOST + 12)
    ]


def test_a_new_session_is_asked_for_everything_anew() -> None:
    one, earth = tap()
    several = [subscription(number, "a") for number in (1, 2)]
    for each in several:
        one.ask(each)
    one.send(0.0)
    one.answers(1)
    earth.said.clear()
    one.restart(several)
    assert one.answered == {}
    one.send(0.0)
    assert [unpack_subscribe(body).number for body in earth.bodies(Kind.SUBSCRIBE)] == [1, 2]


def test_who_was_never_asked_is_not_told_that_it_is_over() -> None:
    one, earth = tap()
    first, second = subscription(1, "a"), subscription(2, "a")
    one.ask(first)
    one.send(0.0)
    one.forget(first)
    one.ask(second)
    one.forget(second)
    assert [unpack_number(body) for body in earth.bodies(Kind.UNSUBSCRIBE)] == [1]


def test_what_a_publisher_waits_for_is_confirmed_once_nothing_is_missing() -> None:
    one, earth = tap()
    one.stamp = 7
    flow: Any = object()
    one.behind[flow] = subscription(1, "a")
    one.send(0.0)
    assert earth.bodies(Kind.SEEN) == []
    one.behind.clear()
    one.send(0.0)
    one.send(0.0)
    assert [unpack_number(body) for body in earth.bodies(Kind.SEEN)] == [7]
