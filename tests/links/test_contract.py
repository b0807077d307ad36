"""The contract of ``Links``, kept by ZeroMQ's and by the in-memory ones alike: one row each."""

from __future__ import annotations

import selectors
import time
from functools import partial

from meshmq.links.base import Connection
from tests.links.ends import LIMIT, End, quiet, until
from tests.links.maker import Make


def joined(make: Make) -> tuple[End, End, Connection, Connection]:
    """Two ends that have spoken on one direct connection: both, and their numbers of it."""
    here, there = make(), make()
    out = here.dial(there.links.bound.direct)
    assert here.links.send(out, [b"MQ hello"])
    until(lambda: there.log.received, here, there)
    back = there.log.received[0][0]
    assert there.links.send(back, [b"MQ welcome"])
    until(lambda: here.log.received, here, there)
    return here, there, out, back


def nowhere(make: Make) -> tuple[str, ...]:
    """Where somebody was, and is no more; real listeners take a moment to go."""
    scout, gone = make(), make()
    addresses = gone.links.bound.direct
    gone.links.close(0)
    while not scout.log.refusals:
        out = scout.dial(addresses)
        until(partial(_answered, scout, out), scout)
        scout.links.hang_up(out)
    return addresses


def _answered(end: End, connection: Connection) -> bool:
    return bool(end.log.refusals) or any(number == connection for number, _ in end.log.reaches)


def test_what_is_dialled_keeps_its_number_and_what_comes_from_outside_has_an_odd_one(make: Make) -> None:
    here, _, out, back = joined(make)
    assert here.log.received == [(out, [b"MQ welcome"])]
    assert back % 2 == 1


def test_frames_sent_before_the_connection_stands_arrive_first_and_in_order(make: Make) -> None:
    here, there = make(), make()
    out = here.dial(there.links.bound.direct)
    for number in range(20):
        assert here.links.send(out, [b"MQ%d" % number, b"", b"tail"])
    until(lambda: here.log.reaches, here, there)
    for number in range(20, 40):
        assert here.links.send(out, [b"MQ%d" % number, b"", b"tail"])
    until(lambda: len(there.log.received) == 40, here, there)
    assert [frames for _, frames in there.log.received] == [[b"MQ%d" % number, b"", b"tail"] for number in range(40)]


def test_reached_names_the_address_as_it_was_given(make: Make) -> None:
    here, there = make(), make()
    out = here.dial(there.links.bound.direct)
    until(lambda: here.log.reaches, here, there)
    assert here.log.reaches == [(out, there.links.bound.direct[0])]


def test_control_link_is_reached_once_too(make: Make) -> None:
    """A neighbour is dialled without a look before; it is told when the connection stands."""
    here, there = make(), make()
    out = here.dial(there.links.bound.control, "control", [b"card"])
    until(lambda: here.log.reaches and there.log.claims, here, there)
    assert here.log.reaches == [(out, there.links.bound.control[0])]
    assert there.log.claims == [(b"card", True)]


def test_many_frames_both_ways_arrive_in_order(make: Make) -> None:
    here, there, out, back = joined(make)
    for number in range(1000):
        here.links.send(out, [b"MQ%d" % number])
        there.links.send(back, [b"MQ%d" % number])
    until(lambda: len(here.log.received) > 1000 and len(there.log.received) > 1000, here, there)
    for log in (here.log, there.log):
        assert [frames for _, frames in log.received[1:]] == [[b"MQ%d" % number] for number in range(1000)]


def test_a_large_frame_arrives_whole(make: Make) -> None:
    here, there, out, _ = joined(make)
    large = bytes(range(256)) * 4096
    here.links.send(out, [b"MQ large", large])
    until(lambda: len(there.log.received) == 2, here, there)
    assert there.log.received[1][1] == [b"MQ large", large]


def test_subscriptions_are_heard_as_claims_and_withdrawn_at_the_hang_up(make: Make) -> None:
    here, there = make(), make()
    out = here.dial(there.links.bound.control, "control", [b"card", b"\xffme"])
    until(lambda: len(there.log.claims) == 2, here, there)
    assert sorted(there.log.claims) == [(b"card", True), (b"\xffme", True)]
    here.links.hang_up(out)
    until(lambda: len(there.log.claims) == 4, here, there)
    assert sorted(there.log.claims[2:]) == [(b"card", False), (b"\xffme", False)]


def test_every_subscriber_counts(make: Make) -> None:
    there, others = make(), [make() for _ in range(3)]
    for other in others:
        other.dial(there.links.bound.control, "control", [b"card"])
    until(lambda: there.log.claims == [(b"card", True)] * 3, there, *others)
    others[0].links.close(0)
    until(lambda: there.log.claims[3:] == [(b"card", False)], there, *others[1:])


def test_what_is_published_is_heard_by_those_who_subscribed_to_its_beginning(make: Make) -> None:
    here, there = make(), make()
    out = here.dial(there.links.bound.control, "control", [b"card"])
    until(lambda: there.log.claims, here, there)
    for topic in (b"other", b"card", b"car", b"cards"):
        there.links.publish([topic, b"MQ1"])
    until(lambda: len(here.log.heard) == 2, here, there)
    assert here.log.heard == [(out, [b"card", b"MQ1"]), (out, [b"cards", b"MQ1"])]


def test_an_overlong_claim_is_ignored(make: Make) -> None:
    here, there = make(), make()
    here.dial(there.links.bound.control, "control", [b"a" * 1025, b"z" * 1024])
    until(lambda: there.log.claims, here, there)
    assert there.log.claims == [(b"z" * 1024, True)]


def test_nothing_is_heard_of_a_connection_that_was_hung_up(make: Make) -> None:
    here, there, out, back = joined(make)
    there.links.send(back, [b"MQ too late"])
    here.links.hang_up(out)
    here.links.hang_up(out)
    assert not here.links.send(out, [b"MQ nobody"])
    until(lambda: there.log.ends == [back], here, there)
    assert here.log.received == [(out, [b"MQ welcome"])]
    assert here.log.ends == []
    assert not there.links.send(back, [b"MQ nobody"])


def test_what_was_sent_before_a_hang_up_arrives_before_the_end(make: Make) -> None:
    here, there, out, back = joined(make)
    for number in range(20):
        here.links.send(out, [b"MQ%d" % number])
    here.links.hang_up(out)
    until(lambda: there.log.ends == [back], here, there)
    assert [frames for _, frames in there.log.received[1:]] == [[b"MQ%d" % number] for number in range(20)]


def test_what_was_sent_before_the_bound_end_hangs_up_arrives_before_the_end(make: Make) -> None:
    here, there, out, back = joined(make)
    for number in range(20):
        there.links.send(back, [b"MQ%d" % number])
    there.links.hang_up(back)
    assert not there.links.send(back, [b"MQ nobody"])
    until(lambda: here.log.ends == [out], here, there)
    assert [frames for _, frames in here.log.received[1:]] == [[b"MQ%d" % number] for number in range(20)]
    assert there.log.ends == []
    assert not here.links.send(out, [b"MQ nobody"])


def test_links_that_close_end_their_connections_at_the_other_side(make: Make) -> None:
    here, there, out, _ = joined(make)
    there.links.close(1.0)
    until(lambda: here.log.ends == [out], here)


def test_what_was_sent_before_closing_arrives(make: Make) -> None:
    here, there, _, back = joined(make)
    for number in range(100):
        there.links.send(back, [b"MQ%d" % number, bytes(5000)])
    there.links.close(5.0)
    until(lambda: here.log.ends, here)
    assert len(here.log.received) == 101


def test_an_address_where_nobody_is_is_refused(make: Make) -> None:
    here, dead = make(), nowhere(make)
    out = here.dial(dead)
    until(lambda: here.log.refusals, here)
    assert here.log.refusals == [(out, "refused", dead[0])]
    assert not here.links.send(out, [b"MQ nobody"])


def test_of_several_addresses_the_one_that_answers_is_taken(make: Make) -> None:
    here, there = make(), make()
    out = here.dial([*nowhere(make), *there.links.bound.direct])
    until(lambda: here.log.reaches, here, there)
    assert here.log.reaches == [(out, there.links.bound.direct[0])]
    assert here.log.refusals == []


def test_a_dial_without_addresses_is_refused(make: Make) -> None:
    here = make()
    out = here.dial([])
    until(lambda: here.log.refusals, here)
    assert here.log.refusals[0][0] == out


def test_a_node_may_dial_itself(make: Make) -> None:
    here = make()
    out = here.dial(here.links.bound.direct)
    here.links.send(out, [b"MQ self"])
    until(lambda: here.log.received, here)
    assert here.log.received == [(1, [b"MQ self"])]


def test_a_hang_up_during_the_dial_is_the_end_of_it(make: Make) -> None:
    here, there = make(), make()
    out = here.dial(there.links.bound.direct)
    here.links.hang_up(out)
    assert not here.links.send(out, [b"MQ"])
    quiet(0.1, here, there)
    assert not here.log.reaches
    assert not here.log.refusals


def test_unknown_connections_are_no_error(make: Make) -> None:
    here = make()
    for connection in (2, 3, 1_000_001):
        here.links.hang_up(connection)
        assert not here.links.send(connection, [b"MQ"])


def test_a_step_hands_over_a_bounded_number_and_says_that_more_is_left(make: Make) -> None:
    here, there, out, _ = joined(make)
    for number in range(1000):
        here.links.send(out, [b"MQ%d" % number])
    left: list[bool] = []
    give_up = time.monotonic() + LIMIT
    with selectors.DefaultSelector() as selector:
        selector.register(there.links.fileno(), selectors.EVENT_READ)
        while len(there.log.received) < 1001:
            assert time.monotonic() < give_up
            here.step()
            selector.select(0.01)
            before = len(there.log.received)
            left.append(there.step())
            assert len(there.log.received) - before <= 300
    assert len(left) >= 4


def test_the_descriptor_is_quiet_when_nothing_happens(make: Make) -> None:
    here, there, _, _ = joined(make)
    quiet(0.1, here, there)
    with selectors.DefaultSelector() as selector:
        selector.register(here.links.fileno(), selectors.EVENT_READ)
        selector.register(there.links.fileno(), selectors.EVENT_READ)
        assert selector.select(0.05) == []


def test_a_second_close_does_nothing(make: Make) -> None:
    here = make()
    here.links.close(0)
    here.links.close(0)
