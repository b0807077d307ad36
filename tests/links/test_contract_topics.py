"""The contract of the topics link, kept by ZeroMQ's and by the in-memory ones alike."""

from __future__ import annotations

from random import Random

from meshmq.links.base import Connection
from tests.links.ends import End, quiet, until
from tests.links.maker import Make

MARK = b"\xff"


def tuned_in(make: Make, *strings: bytes) -> tuple[End, End, Connection]:
    """Two ends, of which the first is subscribed to the other, and its number of the connection."""
    here, there = make(), make()
    out = here.dial(there.links.bound.topics, "topics", [*strings, MARK])
    until(lambda: (MARK, True) in there.log.tunings, here, there)
    return here, there, out


def heard(end: End) -> list[bytes]:
    return [frames[0] for _, frames in end.log.overheard]


def test_what_is_spread_is_overheard_by_those_who_subscribed_to_its_beginning(make: Make) -> None:
    here, there, out = tuned_in(make, b"weather.")
    for first in (b"other", b"weather.kitchen", b"weather", b"weather."):
        there.links.spread([first, b"MQ1"])
    until(lambda: len(here.log.overheard) == 2, here, there)
    assert here.log.overheard == [(out, [b"weather.kitchen", b"MQ1"]), (out, [b"weather.", b"MQ1"])]
    assert here.log.reaches == [(out, there.links.bound.topics[0])]
    assert here.log.heard == []
    assert here.log.refusals == []


def test_the_empty_string_subscribes_to_everything(make: Make) -> None:
    here, there, _ = tuned_in(make, b"")
    for first in (b"a", b"", b"\x00b"):
        there.links.spread([first])
    until(lambda: len(here.log.overheard) == 3, here, there)
    assert heard(here) == [b"a", b"", b"\x00b"]


def test_the_topics_link_and_the_control_link_do_not_hear_each_other(make: Make) -> None:
    here, there, topics = tuned_in(make, b"card")
    control = here.dial(there.links.bound.control, "control", [b"card"])
    until(lambda: there.log.claims, here, there)
    assert there.log.claims == [(b"card", True)]
    assert there.log.tunings == [(b"card", True), (MARK, True)]
    there.links.spread([b"card of a topic"])
    there.links.publish([b"card of a node"])
    until(lambda: here.log.overheard and here.log.heard, here, there)
    assert here.log.overheard == [(topics, [b"card of a topic"])]
    assert here.log.heard == [(control, [b"card of a node"])]


def test_a_topics_connection_only_hears(make: Make) -> None:
    here, there, out = tuned_in(make, b"a")
    assert not here.links.send(out, [b"MQ"])
    quiet(0.05, here, there)
    assert there.log.received == []


def test_tuning_is_heard_in_order_with_what_is_withdrawn_last(make: Make) -> None:
    here, there, out = tuned_in(make, b"old", b"kept")
    there.log.tunings.clear()
    here.links.tune(out, [b"z", b"a", b"m", b"\xff2"], [MARK, b"old"])
    until(lambda: len(there.log.tunings) == 6, here, there)
    assert there.log.tunings == [
        *((string, True) for string in (b"z", b"a", b"m", b"\xff2")),
        *((string, False) for string in (MARK, b"old")),
    ]
    for first in (b"old", b"z", b"kept", b"m"):
        there.links.spread([first])
    until(lambda: len(here.log.overheard) == 3, here, there)
    assert heard(here) == [b"z", b"kept", b"m"]


def test_a_string_counts_once_however_often_it_is_named(make: Make) -> None:
    here, there, out = tuned_in(make, b"a", b"a")
    here.links.tune(out, [b"a", b"b", b"b", b"\xff2"], [b"unknown"])
    until(lambda: (b"\xff2", True) in there.log.tunings, here, there)
    here.links.tune(out, [b"c", b"\xff3"], [b"a", b"c"])
    until(lambda: (b"c", False) in there.log.tunings, here, there)
    assert there.log.tunings == [
        (b"a", True), (MARK, True), (b"b", True), (b"\xff2", True),
        (b"c", True), (b"\xff3", True), (b"a", False), (b"c", False),
    ]  # fmt: skip
    there.links.spread([b"a"])
    there.links.spread([b"b"])
    until(lambda: here.log.overheard, here, there)
    assert heard(here) == [b"b"]


def test_what_is_tuned_during_the_dial_is_subscribed_with_it(make: Make) -> None:
    here, there = make(), make()
    out = here.dial(there.links.bound.topics, "topics", [b"first", b"dropped"])
    here.links.tune(out, [b"later", MARK], [b"dropped"])
    until(lambda: (MARK, True) in there.log.tunings, here, there)
    present = [string for string, is_present in there.log.tunings if is_present and string != b"dropped"]
    assert present == [b"first", b"later", MARK]
    for first in (b"dropped", b"later", b"first"):
        there.links.spread([first])
    until(lambda: len(here.log.overheard) == 2, here, there)
    assert heard(here) == [b"later", b"first"]


def test_whatever_was_named_before_a_mark_is_in_effect_when_the_mark_is_heard(make: Make) -> None:
    dice, here, there = Random(5), make(), make()
    names = [b"%d.%d" % (number, dice.randrange(10**9)) for number in range(400)]
    dice.shuffle(names)
    out = here.dial(there.links.bound.topics, "topics", [*names[:100], MARK])
    for stage in range(4):
        mark = MARK + b"%d" % stage if stage else MARK
        standing = names[: 100 * (stage + 1)]
        if stage:
            here.links.tune(out, [*standing[-100:], mark], [])
        until(lambda mark=mark: (mark, True) in there.log.tunings, here, there)  # type: ignore[misc]  # mypy cannot infer it
        here.log.overheard.clear()
        for name in standing:
            there.links.spread([name])
        until(lambda standing=standing: len(here.log.overheard) >= len(standing), here, there)  # type: ignore[misc]  # mypy cannot infer it
        assert heard(here) == standing


def test_who_comes_back_at_the_address_hears_everything_in_byte_order_and_the_mark_last(make: Make) -> None:
    here, there = make(), make.lasting()
    out = here.dial(there.links.bound.topics, "topics", [b"m", b"dropped", MARK])
    until(lambda: (MARK, True) in there.log.tunings, here, there)
    here.links.tune(out, [b"z", b"a", b"\xff2"], [MARK, b"dropped"])
    until(lambda: (MARK, False) in there.log.tunings, here, there)
    for _ in range(3):
        there = make.again(there)
        until(lambda there=there: (b"\xff2", True) in there.log.tunings, here, there)  # type: ignore[misc]  # mypy cannot infer it
        assert there.log.tunings == [(string, True) for string in (b"a", b"m", b"z", b"\xff2")]
        here.log.overheard.clear()
        for first in (b"z", b"a", b"dropped", b"m"):
            there.links.spread([first])
        until(lambda: len(here.log.overheard) == 3, here, there)
        assert heard(here) == [b"z", b"a", b"m"]
    assert not here.log.ends
    assert not here.log.refusals


def test_what_is_tuned_while_nobody_is_there_is_heard_by_who_comes_back(make: Make) -> None:
    here, there = make(), make.lasting()
    out = here.dial(there.links.bound.topics, "topics", [b"old", MARK])
    until(lambda: (MARK, True) in there.log.tunings, here, there)
    there.links.close(0)
    here.links.tune(out, [b"new", b"\xff2"], [MARK, b"old"])
    quiet(0.05, here)
    here.links.tune(out, [b"newer", b"\xff3"], [])
    there = make.again(there)
    until(lambda: len(there.log.tunings) == 4, here, there)
    # In the order of the calls or in byte order: in either case each mark comes after what it stands for.
    told = [string for string, is_present in there.log.tunings if is_present]
    assert sorted(told) == [b"new", b"newer", b"\xff2", b"\xff3"]
    assert told.index(b"new") < told.index(b"\xff2") < told.index(b"\xff3")
    assert told.index(b"newer") < told.index(b"\xff3")
    for first in (b"old", b"newer", b"new"):
        there.links.spread([first])
    until(lambda: len(here.log.overheard) == 2, here, there)
    assert heard(here) == [b"newer", b"new"]


def test_subscriptions_are_withdrawn_at_the_hang_up(make: Make) -> None:
    here, there, out = tuned_in(make, b"b", b"a")
    here.links.tune(out, [b"c"], [])
    until(lambda: (b"c", True) in there.log.tunings, here, there)
    there.links.spread([b"a"])
    here.links.hang_up(out)
    until(lambda: len(there.log.tunings) == 8, here, there)
    assert there.log.tunings[4:] == [(string, False) for string in (b"a", b"b", b"c", MARK)]
    here.links.tune(out, [b"too late"], [])
    quiet(0.05, here, there)
    assert here.log.overheard == []
    assert len(there.log.tunings) == 8


def test_each_subscriber_is_heard_and_served_on_its_own(make: Make) -> None:
    there, others = make(), [make() for _ in range(3)]
    numbers = [
        other.dial(there.links.bound.topics, "topics", [b"a", MARK + b"%d" % at]) for at, other in enumerate(others)
    ]
    until(lambda: len(there.log.tunings) == 6, there, *others)
    assert there.log.tunings.count((b"a", True)) == 3
    others[0].links.tune(numbers[0], [], [b"a"])
    until(lambda: (b"a", False) in there.log.tunings, there, *others)
    others[1].links.close(0)
    until(lambda: there.log.tunings.count((b"a", False)) == 2, there, *others[2:])
    there.links.spread([b"a"])
    until(lambda: others[2].log.overheard, there, others[0], others[2])
    assert others[0].log.overheard == []


def test_tuning_what_is_unknown_or_of_another_link_does_nothing(make: Make) -> None:
    here, there = make(), make()
    control = here.dial(there.links.bound.control, "control", [b"card"])
    direct = here.dial(there.links.bound.direct)
    until(lambda: there.log.claims, here, there)
    for connection in (control, direct, 1, 1_000_000):
        here.links.tune(connection, [b"a"], [b"card"])
    here.links.hang_up(control)
    until(lambda: len(there.log.claims) == 2, here, there)
    assert there.log.claims == [(b"card", True), (b"card", False)]
    assert there.log.tunings == []


def test_a_topics_address_where_nobody_is_is_refused(make: Make) -> None:
    here, gone = make(), make()
    address = gone.links.bound.topics
    gone.links.close(0)
    refused: list[Connection] = []
    while not refused:  # real listeners take a moment to go
        out = here.dial(address, "topics", [b"a"])
        until(lambda: here.log.refusals or here.log.reaches, here)
        refused = [number for number, reason, _ in here.log.refusals if reason == "refused"]
        here.links.hang_up(out)
        here.log.reaches.clear()
    here.links.tune(refused[0], [b"b"], [])


def test_an_overlong_subscription_is_not_told(make: Make) -> None:
    here, there = make(), make()
    here.dial(there.links.bound.topics, "topics", [b"a" * 1025, b"b" * 1024])
    until(lambda: there.log.tunings, here, there)
    assert there.log.tunings == [(b"b" * 1024, True)]


def test_a_node_may_subscribe_to_itself(make: Make) -> None:
    here = make()
    out = here.dial(here.links.bound.topics, "topics", [b"a"])
    until(lambda: here.log.tunings, here)
    here.links.spread([b"a", b"to myself"])
    until(lambda: here.log.overheard, here)
    assert here.log.overheard == [(out, [b"a", b"to myself"])]


def test_ten_thousand_frames_that_are_read_as_they_come_arrive_in_order(make: Make) -> None:
    here, there, _ = tuned_in(make, b"")
    for start in range(0, 10_000, 250):
        for number in range(start, start + 250):
            there.links.spread([b"%d" % number])
        until(lambda start=start: len(here.log.overheard) == start + 250, here, there)  # type: ignore[misc]  # mypy cannot infer it
    assert [int(first) for first in heard(here)] == list(range(10_000))
