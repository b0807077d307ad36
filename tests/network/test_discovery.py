"""Peers find each other, in time, in every way there is; and whoever goes is missed, in time, too.

Each figure is printed, and held at ten times its limit: the machine may be busy with other things.
"""

from __future__ import annotations

import os
import socket
import sys
from statistics import median
from time import monotonic as clock
from typing import Any, Final

import pytest

from tests.network.conftest import Namespaces, Start
from tests.network.members import Member, member
from tests.scale import scale

SECRET: Final = "correct horse battery staple"
#: Of nodes that do not find each other by zeroconf, nor as those of one host do.
ADDRESSES_ONLY: Final[dict[str, Any]] = {"insecure": True, "apart": True, "deaf": True}
#: A busy machine is given ten times what it should take.
TIMES: Final = 10


@pytest.fixture
def env(mesh_name: str) -> dict[str, str]:
    return {"MESHMQ_MESH": mesh_name}


def held(what: str, seconds: float, limit: float) -> None:
    """Print a figure, and hold it at ten times its limit."""
    print(f"{what}: {seconds:.3f} s (limit {limit:g} s)")
    assert seconds < limit * TIMES


def test_neighbours_on_one_host_meet_at_once(start: Start, env: dict[str, str]) -> None:
    first = member(start, "first", env=env)
    first.ready()
    took = []
    for number in range(scale(3, 20)):
        name = f"second-{number}"
        second = member(start, name, env=env)
        opened = second.ready()
        known = max(second.saw("joined", "first").moment, first.saw("joined", name).moment)
        took.append(known - opened.before)
        second.leave()
        first.saw("left", name)
    held("same host, from open to known at both ends", median(took), 0.05)


@pytest.mark.root
def test_neighbours_on_one_network_meet_soon(namespaces: Namespaces, start: Start, env: dict[str, str]) -> None:
    left, right = namespaces(2).nodes
    env |= {"MESHMQ_SECRET": SECRET}
    first = member(start, "first", env=env, within=left)
    first.ready()
    second = member(start, "second", env=env, within=right)
    opened = second.ready()
    seen = [second.saw("joined", "first"), first.saw("joined", "second")]
    assert any("zeroconf" in one.reason for one in seen)
    held("zeroconf, from open to known at both ends", max(one.moment for one in seen) - opened.before, 3.0)


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


def test_killed_peer_is_missed_at_once(start: Start, env: dict[str, str]) -> None:
    watcher, victim = pair(start, env)
    killed = clock()
    victim.child.kill()
    held("killed peer", watcher.saw("lost", "peer").moment - killed, 1.0)
    assert watcher.peers() == {"watcher": []}


def test_stopped_peer_is_missed_soon_and_comes_back_once(start: Start, env: dict[str, str]) -> None:
    watcher, victim = pair(start, env)
    stopped = clock()
    victim.child.stop()
    lost = watcher.saw("lost", "peer", timeout=8.0 * TIMES)
    held("stopped peer", lost.moment - stopped, 8.0)
    resumed = clock()
    victim.child.resume()
    watcher.saw("joined", "peer", after=resumed)
    victim.saw("joined", "watcher")
    assert watcher.kinds("peer") == ["joined", "lost", "joined"]
    assert watcher.peers() == {"watcher": ["peer"]}


@pytest.mark.skipif(sys.platform != "linux", reason="needs an address of the loopback for this test alone")
@pytest.mark.parametrize("clean", [True, False], ids=["that left", "that was killed"])
def test_restarted_peer_is_here_once_and_not_twice(start: Start, env: dict[str, str], clean: bool) -> None:
    """The same name and the same port: another incarnation of it."""
    host, port = own_address()
    env |= {"MESHMQ_INTERFACES": host}
    watcher = member(start, "watcher", env=env, peer=f"{host}:{port}", **ADDRESSES_ONLY)
    watcher.ready()
    gone = "left" if clean else "lost"
    for number in range(3):
        phoenix = member(start, "phoenix", env=env, port=port, **ADDRESSES_ONLY)
        phoenix.ready()
        phoenix.saw("joined", "watcher")
        watcher.met(1)
        assert watcher.peers() == {"watcher": ["phoenix"]}
        if clean:
            phoenix.leave()
        else:
            phoenix.child.kill()
        watcher.met(0)
        assert watcher.kinds("phoenix") == ["joined", gone] * (number + 1)


def test_many_nodes_on_one_host_all_know_each_other(start: Start, env: dict[str, str]) -> None:
    processes, nodes = scale(2, 10), 10
    started = clock()
    members = [member(start, *(f"n{process}-{node}" for node in range(nodes)), env=env) for process in range(processes)]
    count = processes * nodes
    full = max(one.met(count - 1, timeout=15.0 * TIMES) for one in members)
    before = sum(one.cpu() for one in members)
    print(f"processor time until then: {before / count:.3f} s for each node")
    held(f"{count} nodes on one host, from the first process's start", full - started, 15.0)
    for one in members:
        one.child.end_input()
    for one in members:
        assert one.child.wait() == 0, one.child.stderr


def test_zeroconf_that_cannot_start_stops_no_node(start: Start, env: dict[str, str]) -> None:
    env |= {"MESHMQ_SECRET": SECRET}
    first = member(start, "first", env=env, deaf=True)
    first.ready()
    second = member(start, "second", env=env, deaf=True)
    assert second.saw("joined", "first").reason == "found by same host"
    first.saw("joined", "second")
    for one in (first, second):
        one.leave()
        assert one.child.stderr.count("zeroconf is off") == 1


@pytest.mark.root
def test_node_lives_without_any_network(namespaces: Namespaces, start: Start, env: dict[str, str]) -> None:
    (alone,) = namespaces(1).nodes
    assert alone.run("ip", "link", "set", "eth0", "down").returncode == 0
    env |= {"MESHMQ_SECRET": SECRET}
    members = [member(start, name, env=env, within=alone) for name in ("first", "second")]
    for one in members:
        one.met(1)
    for one in members:
        one.leave()


def pair(start: Start, env: dict[str, str]) -> tuple[Member, Member]:
    """Return two processes that know each other: with the nodes ``watcher`` and ``peer``."""
    watcher, peer = (member(start, name, env=env) for name in ("watcher", "peer"))
    watcher.saw("joined", "peer")
    peer.saw("joined", "watcher")
    return watcher, peer


def own_address() -> tuple[str, int]:
    """Return an address of the loopback that is this process's alone, and a port that is free there."""
    number = os.getpid()
    host = f"127.{64 + number % 64}.{number >> 8 & 255}.{1 + number % 250}"
    with socket.create_server((host, 0)) as server:
        return host, min(server.getsockname()[1], 65_000)
