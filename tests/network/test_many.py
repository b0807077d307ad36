"""Many nodes all know each other, whoever told them of whom."""

from __future__ import annotations

import threading
from time import monotonic as clock
from typing import Final

import pytest

from tests.network.conftest import Start
from tests.network.members import ADDRESSES_ONLY, TIMES, held, member
from tests.scale import STRESS, scale

#: Seconds for which the cost of doing nothing is measured.
IDLE: Final = 30.0


@pytest.fixture
def env(mesh_name: str) -> dict[str, str]:
    return {"MESHMQ_MESH": mesh_name}


def test_one_given_address_makes_a_full_mesh_that_outlives_it(start: Start, env: dict[str, str]) -> None:
    """No multicast, no common host: ten nodes that know one address."""
    one = member(start, "one", env=env, **ADDRESSES_ONLY)
    address = one.ready().addresses[-1].removeprefix("tcp://")
    groups = [("a", "b", "c"), ("d", "e", "f"), ("g", "h", "i")]
    others = [member(start, *names, env=env, peer=address, **ADDRESSES_ONLY) for names in groups]
    opened = max(other.ready().after for other in others)
    full = max(who.met(9) for who in (one, *others))
    held("ten nodes that know one address, from the last open to the full mesh", full - opened, 3.0)

    one.child.kill()
    for other in others:
        other.saw("lost", "one")
        assert all(len(peers) == 8 for peers in other.peers().values())
    # It is a mesh still: who knows any of them meets them all, and nobody else was missed meanwhile.
    late = member(
        start, "late", env=env, peer=others[0].opened["a"].addresses[-1].removeprefix("tcp://"), **ADDRESSES_ONLY
    )
    late.met(8)
    for other in others:
        other.met(9)
        assert {seen.peer for seen in other.events if seen.kind in ("left", "lost")} == {"one"}
        assert "zeroconf is off" in other.child.stderr


def test_many_nodes_on_one_host_all_know_each_other(start: Start, env: dict[str, str]) -> None:
    processes, nodes = scale(2, 10), 10
    started = clock()
    members = [member(start, *(f"n{process}-{node}" for node in range(nodes)), env=env) for process in range(processes)]
    count = processes * nodes
    full = max(one.met(count - 1, timeout=15.0 * TIMES) for one in members)
    before = sum(one.cpu() for one in members)
    print(f"processor time until then: {before / count:.3f} s for each node")
    if STRESS:
        threading.Event().wait(IDLE)
        idle = sum(one.cpu() for one in members) - before
        print(f"at rest: {idle / count * 60 / IDLE:.3f} s of processor time a minute for each node")
    held(f"{count} nodes on one host, from the first process's start", full - started, 15.0)
    for one in members:
        one.child.end_input()
    for one in members:
        assert one.child.wait() == 0, one.child.stderr
