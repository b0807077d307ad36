"""One leads: in contact, in each part of a network that has parted, and when leaders die, stop and wake."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack

import pytest
from meshmq.patterns.leader_election import LeaderElection

import meshmq
from meshmq.testing import Network
from tests.network.children import LIMIT
from tests.network.conftest import Spawn, spawn, start
from tests.patterns.waiting import eventually

__all__ = ["spawn", "start"]

LEASE = 0.3
CONTENDER = """
import os, signal, sys, meshmq
import pytest
from meshmq.patterns.leader_election import LeaderElection

with meshmq.Node(sys.argv[1], mesh=sys.argv[2]) as node:
    election = LeaderElection(node, "writer", quorum=2, lease=0.3)
    node.reply("term")(lambda data: election.term)
    for _ in sys.stdin:
        term = election.term
        os.kill(os.getpid(), signal.SIGSTOP)  # between the look and what it was for
        print(term, election.term, flush=True)
"""


class Contest:
    """Elections of nodes by name, in a network that the test parts."""

    def __init__(self, stack: ExitStack, *names: str, quorum: int | None = None) -> None:
        self._network, self._quorum = stack.enter_context(Network()), quorum
        self.nodes: dict[str, meshmq.Node] = {}
        self.elections: dict[str, LeaderElection] = {}
        for name in names:
            self.enter(name)

    def enter(self, name: str) -> None:
        node = self.nodes[name] = self._network.node(name).open()
        self.elections[name] = LeaderElection(node, "writer", quorum=self._quorum, lease=LEASE)

    def part(self, some: str, others: str) -> None:
        for one in some:
            for other in others:
                self._network.memory.cut(one, other)

    def heal(self, some: str, others: str) -> None:
        for one in some:
            for other in others:
                self._network.memory.heal(one, other)

    def leading(self, names: str) -> dict[str, int]:
        """Return who lead at the same moment, with their terms: who did before all others were asked, and after."""
        before = {name: self.elections[name].term for name in names}
        return {name: term for name, term in before.items() if term and self.elections[name].term == term}

    def alone(self, names: str, *, among: str = "") -> tuple[str, int]:
        """Wait until one of ``names`` leads; nobody of these and ``among`` may lead beside another meanwhile."""

        def one() -> tuple[str, int] | None:
            leading = self.leading("".join({*names, *among}))
            assert len(leading) < 2
            return next((found for found in leading.items() if found[0] in names), None)

        found = eventually(one)
        assert found
        return found

    def steady(self, names: str) -> str:
        """Wait until one leads for two leases, and nobody beside it."""
        name, since = "", time.monotonic()
        limit = since + LIMIT
        while time.monotonic() < since + 2 * LEASE:
            leading = self.leading(names)
            if not leading or leading.keys() != {name}:
                name, since = "".join(leading), time.monotonic()
            assert since < limit
            assert self._quorum is None or len(leading) < 2
        return name

    def leader(self, names: str) -> tuple[str, int]:
        """Wait until exactly one of these leads, and each of them says that it is this one."""

        def agreed() -> tuple[str, int] | None:
            leading = self.leading(names)
            said = {self.elections[name].leader for name in names}
            ids = {self.nodes[name].stats()["id"] for name in leading}
            return next(iter(leading.items())) if len(leading) == 1 and said == ids else None

        found = eventually(agreed)
        assert found
        return found


def test_all_who_are_in_contact_see_the_same_leader_and_parts_have_one_each_until_they_meet() -> None:
    with ExitStack() as stack:
        contest = Contest(stack, *"abcd")
        first = contest.leader("abcd")[1]
        contest.part("ab", "cd")
        one, two = contest.leader("ab"), contest.leader("cd")
        assert one[1] != two[1]
        assert max(one[1], two[1]) > first
        contest.heal("ab", "cd")
        assert contest.leader("abcd")[1] > max(one[1], two[1])


def test_a_newcomer_finds_a_leader_and_changes_nothing() -> None:
    with ExitStack() as stack:
        contest = Contest(stack, *"ab")
        names, kept = "ab", False
        while not kept:  # a machine that stands still for a lease changes it, too: not each time
            before = contest.leader(names)
            names += chr(ord(names[-1]) + 1)
            assert len(names) < 7
            contest.enter(names[-1])
            kept = contest.leader(names) == before


def test_with_a_quorum_the_smaller_part_has_no_leader_and_never_are_there_two() -> None:
    with ExitStack() as stack:
        contest = Contest(stack, *"abc", quorum=2)
        name, term = contest.leader("abc")
        rest = "abc".replace(name, "")
        contest.part(name, rest)
        assert contest.alone(rest, among=name)[1] > term
        contest.heal(name, rest)
        contest.leader("abc")


@pytest.mark.parametrize("quorum", [None, pytest.param(2, marks=pytest.mark.stress)])
def test_two_who_do_not_see_each_other_do_not_both_lead_one_who_sees_both(quorum: int | None) -> None:
    with ExitStack() as stack:
        contest = Contest(stack, quorum=quorum)
        contest.part("a", "b")
        for name in "avb":
            contest.enter(name)
        while contest.steady("avb") == "v":
            contest.nodes["v"].close()
            contest.enter("v")


def test_who_has_forgotten_its_vote_gives_none_while_that_may_hold() -> None:
    with ExitStack() as stack:
        contest = Contest(stack, quorum=2)
        contest.part("a", "b")  # with v as its voter either of them may lead
        for name in "avb":
            contest.enter(name)
        while (leader := contest.alone("avb"))[0] == "v":
            contest.nodes["v"].close()
            contest.enter("v")
        contest.nodes["v"].close()
        contest.part(leader[0], "v")
        contest.enter("v")
        rest = "avb".replace(leader[0], "")
        assert contest.alone(rest, among=leader[0])[1] > leader[1]


def test_a_leader_of_many_takes_a_newer_term_than_any_that_was_voted_in() -> None:
    with ExitStack() as stack:
        contest = Contest(stack, *"abc", quorum=2)
        name, term = contest.leader("abc")
        voter = "abc".replace(name, "")[0]
        ahead = term + 10**18  # by a clock that was years ahead
        ballot = (ahead, contest.nodes[name].stats()["id"], True)
        assert contest.nodes[name].request("writer.vote", ballot, to=voter, timeout=LIMIT)[0] == "yes"
        eventually(lambda: contest.leader("abc")[1] > ahead)


def test_a_leader_that_was_stopped_knows_when_it_wakes_and_one_that_is_killed_is_replaced(
    spawn: Spawn, mesh_name: str
) -> None:
    children = {name: spawn(CONTENDER, name, mesh_name) for name in "abc"}
    with meshmq.Node("watcher", mesh=mesh_name) as node:

        def newer(than: int) -> tuple[str, int]:
            leading = eventually(lambda: [a for a in node.survey("term", timeout=LEASE) if (a.data or 0) > than])
            return leading[0].sender, leading[0].data

        looked = 0
        name, term = newer(0)
        while not looked:  # it led when it was stopped
            children[name].say("look")
            os.waitid(os.P_PID, children[name].pid, os.WSTOPPED | os.WNOWAIT)
            other, next_term = newer(term)
            children[name].resume()
            looked, woken = map(int, children[name].line().split())
            assert not (looked and woken)
            stopped, name, term = name, other, next_term
        assert looked < term
        assert stopped != name
        children[name].kill()
        assert newer(term)[0] != name
