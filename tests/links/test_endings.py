"""How connections end: cut cables, closed peers, control links that come back."""

from __future__ import annotations

import time
from contextlib import ExitStack

import pytest

from meshmq.links.security import Keys, derive
from tests.links.cable import Cable
from tests.links.ends import End, free_ports, opened, quiet, until

KEYS = derive("the secret of the socket tests")


def through_cable(stack: ExitStack, keys: Keys | None) -> tuple[End, End, int, int, Cable]:
    here, there = opened(stack, keys=keys), opened(stack, keys=keys)
    cable = Cable(stack, there.links.bound.direct[0])
    out = here.dial([cable.address])
    here.links.send(out, [b"MQ hello"])
    stop = time.monotonic() + 10
    while not there.log.received:
        assert time.monotonic() < stop
        cable.carry()
        quiet(0.001, here, there)
    return here, there, out, there.log.received[0][0], cable


@pytest.mark.parametrize("keys", [KEYS, None], ids=["secret", "no secret"])
def test_both_ends_learn_at_once_that_the_connection_was_cut(stack: ExitStack, keys: Keys | None) -> None:
    here, there, out, back, cable = through_cable(stack, keys)
    start = time.monotonic()
    cable.cut()
    until(lambda: here.log.ends and there.log.ends, here, there)
    assert time.monotonic() - start < 1.0
    assert (here.log.ends, there.log.ends) == ([out], [back])
    assert not here.links.send(out, [b"MQ"])
    assert not there.links.send(back, [b"MQ"])
    quiet(0.1, here, there)
    assert (here.log.ends, there.log.ends) == ([out], [back])


def test_a_cut_direct_connection_is_not_made_anew_behind_our_back(stack: ExitStack) -> None:
    here, there, out, _, cable = through_cable(stack, None)
    cable.cut()
    here.links.send(out, [b"MQ into the void"])
    until(lambda: here.log.ends, here, there)
    quiet(0.3, here, there)
    assert [frames for _, frames in there.log.received] == [[b"MQ hello"]]


def test_a_send_that_meets_the_end_loses_nothing_that_had_arrived(stack: ExitStack) -> None:
    here, there = opened(stack), opened(stack)
    out = here.dial(there.links.bound.direct)
    here.links.send(out, [b"MQ hello"])
    until(lambda: there.log.received, here, there)
    back = there.log.received[0][0]
    for number in range(50):
        here.links.send(out, [b"MQ%d" % number])
    here.links.hang_up(out)
    assert quiet_until_gone(there, back)
    until(lambda: there.log.ends == [back], there)
    assert len(there.log.received) == 51


def quiet_until_gone(there: End, back: int) -> bool:
    """Send without ever stepping, so that libzmq says first that nobody is there."""
    stop = time.monotonic() + 0.2
    while time.monotonic() < stop:
        there.links.send(back, [b"MQ anybody"])
    return True


def test_a_control_link_comes_back_by_itself(stack: ExitStack) -> None:
    port = free_ports(stack)
    here, there = opened(stack), opened(stack, port=port)
    out = here.dial(there.links.bound.control, "control", [b"card"])
    until(lambda: there.log.claims, here, there)
    there.links.publish([b"card", b"1"])
    until(lambda: here.log.heard, here, there)
    there.links.close(0)
    again = opened(stack, port=port)
    until(lambda: again.log.claims == [(b"card", True)], here, again)
    again.links.publish([b"card", b"2"])
    until(lambda: len(here.log.heard) == 2, here, again)
    assert here.log.heard == [(out, [b"card", b"1"]), (out, [b"card", b"2"])]
    assert not here.log.ends
