"""Peers find each other, in time, in every way there is; and whoever goes is missed, in time, too.

Each figure is printed, and held at ten times its limit: the machine may be busy with other things.
"""

from __future__ import annotations

import os
import socket
import sys
from statistics import median
from time import monotonic as clock
from typing import Final

import pytest

from tests.network.conftest import Namespaces, Start
from tests.network.members import ADDRESSES_ONLY, TIMES, Member, held, member
from tests.scale import STRESS, scale

SECRET: Final = "correct horse battery staple"


@pytest.fixture
def env(mesh_name: str) -> dict[str, str]:
    return {"MESHMQ_MESH": mesh_name}


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


def test_killed_peer_is_missed_at_once(start: Start, env: dict[str, str]) -> None:
    watcher, victim = pair(start, env)
    killed = clock()
    victim.child.kill()
    held("killed peer", watcher.saw("lost", "peer").moment - killed, 1.0)
    assert watcher.peers() == {"watcher": []}


def test_stopped_peer_is_missed_soon_and_comes_back_once(start: Start, env: dict[str, str]) -> None:
    watcher, victim = pair(start, env, silence=4.0 if STRESS else 1.0)
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


def pair(start: Start, env: dict[str, str], silence: float | None = None) -> tuple[Member, Member]:
    """Return two processes that know each other: with the nodes ``watcher`` and ``peer``."""
    watcher, peer = (member(start, name, env=env, silence=silence) for name in ("watcher", "peer"))
    watcher.saw("joined", "peer")
    peer.saw("joined", "watcher")
    return watcher, peer


def own_address() -> tuple[str, int]:
    """Return an address of the loopback that is this process's alone, and a port that is free there."""
    number = os.getpid()
    host = f"127.{64 + number % 64}.{number >> 8 & 255}.{1 + number % 250}"
    with socket.create_server((host, 0)) as server:
        return host, min(server.getsockname()[1], 65_000)
