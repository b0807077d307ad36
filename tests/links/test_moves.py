"""The addresses of this machine change under its links: new ones are listened at, gone ones are told no more."""

from __future__ import annotations

import logging
import socket
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from meshmq.links import moves
from tests.links.ends import End, opened, port_of, quiet, until

pytestmark = pytest.mark.skipif(sys.platform == "darwin", reason="only Linux has all of 127.0.0.0/8")

FIRST, SECOND, FOREIGN = "127.0.0.1", "127.0.0.2", "192.0.2.1"


class Machine:
    """A machine whose addresses a test changes; the system tells of it, unless it has no such thing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, stack: ExitStack, *, tells: bool = True) -> None:
        self.addresses: list[str] = [FIRST]
        self.asked = 0
        mine, theirs = socket.socketpair()
        theirs.setblocking(False)
        self._word = stack.enter_context(mine)
        stack.enter_context(theirs)
        monkeypatch.setattr(moves, "_news", lambda: theirs if tells else None)
        monkeypatch.setattr(moves, "_SETTLE", 0.01)

    def __call__(self) -> list[str]:
        self.asked += 1
        return self.addresses

    def change(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self._word.send(b".")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, stack: ExitStack) -> Machine:
    return Machine(monkeypatch, stack)


def reached(stack: ExitStack, there: End, address: str) -> None:
    here = opened(stack)
    out = here.dial([address])
    here.links.send(out, [b"MQ hello"])
    before = len(there.log.received)
    until(lambda: len(there.log.received) > before, here, there)


def test_a_new_address_is_listened_at_with_the_same_ports(stack: ExitStack, machine: Machine) -> None:
    there = opened(stack, follow=machine)
    before = there.links.bound
    machine.change(FIRST, SECOND)
    until(lambda: there.log.moves, there)
    control, topics, direct = there.log.moves[-1]
    assert (control, topics, direct) == (there.links.bound.control, there.links.bound.topics, there.links.bound.direct)
    for old, new in ((before.control, control), (before.topics, topics), (before.direct, direct)):
        assert new[0] == old[0]
        assert new[1] == f"tcp://{SECOND}:{port_of(old[0])}"
    reached(stack, there, direct[1])


def test_an_address_that_went_is_told_no_more_and_may_come_back(stack: ExitStack, machine: Machine) -> None:
    machine.addresses = [FIRST, SECOND]
    there = opened(stack, tcp=(FIRST, SECOND), follow=machine)
    before = there.links.bound.direct
    machine.change(SECOND)
    until(lambda: there.log.moves, there)
    assert there.log.moves[-1][2] == before[1:]
    machine.change(FIRST, SECOND)
    until(lambda: len(there.log.moves) == 2, there)
    reached(stack, there, before[0])


def test_what_came_in_by_an_address_that_went_lives_until_that_is_long_ago(
    stack: ExitStack, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.addresses = [FIRST, SECOND]
    there, here = opened(stack, tcp=(FIRST, SECOND), follow=machine), opened(stack)
    out = here.dial([there.links.bound.direct[0]])
    here.links.send(out, [b"MQ before"])
    until(lambda: there.log.received, here, there)
    machine.change(SECOND)
    until(lambda: there.log.moves, here, there)
    here.links.send(out, [b"MQ after"])
    until(lambda: len(there.log.received) == 2, here, there)
    assert here.log.ends == there.log.ends == []
    monkeypatch.setattr(moves, "_GONE", 0.0)
    machine.change(SECOND)
    until(lambda: here.log.ends, here, there)


def test_connections_that_go_out_by_an_address_that_went_have_ended(
    stack: ExitStack, machine: Machine, runtime_directory: Path
) -> None:
    machine.addresses = [FIRST, SECOND]
    there, other = opened(stack), opened(stack, ipc=runtime_directory / "other", tcp=())
    here = opened(stack, tcp=(FIRST, SECOND), follow=machine)
    out, stays = here.dial(there.links.bound.direct), here.dial(other.links.bound.direct)
    for connection in (out, stays):
        here.links.send(connection, [b"MQ hello"])
    until(lambda: there.log.received and other.log.received, here, there, other)
    machine.change(SECOND)  # to FIRST it goes by FIRST
    until(lambda: here.log.ends, here, there, other)
    assert here.log.ends == [out]


def test_no_address_at_all_changes_nothing(stack: ExitStack, machine: Machine) -> None:
    there = opened(stack, follow=machine)
    asked = machine.asked
    machine.change()
    until(lambda: machine.asked > asked, there)
    assert there.log.moves == []
    reached(stack, there, there.links.bound.direct[0])


def test_what_cannot_be_listened_at_is_said_once_and_tried_again(
    stack: ExitStack, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moves, "_LOOK", 0.01)
    there = opened(stack, follow=machine)
    machine.change(FIRST, FOREIGN)
    asked = machine.asked
    until(lambda: machine.asked > asked + 3, there)
    ((level, logger, sentence),) = there.log.words
    assert (level, logger) == (logging.WARNING, "meshmq.links")
    assert f"{FOREIGN} is not an address of this machine" in sentence
    machine.addresses = [FIRST, SECOND]
    until(lambda: there.log.moves, there)


def test_where_the_system_does_not_tell_it_is_asked(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, stack, tells=False)
    monkeypatch.setattr(moves, "_LOOK", 0.01)
    there = opened(stack, follow=machine)
    quiet(0.05, there)
    machine.addresses = [SECOND]
    until(lambda: there.log.moves, there)


@pytest.mark.skipif(not hasattr(socket, "AF_NETLINK"), reason="only Linux tells of changes")
def test_this_system_tells() -> None:
    news = moves._news()
    assert news is not None
    news.close()
