"""Devices in processes of their own, between pushers and workers that live and die."""

from __future__ import annotations

import sys
from collections.abc import Callable
from random import Random
from typing import Final

import pytest

import meshmq
from tests.network.children import LIMIT, Child
from tests.network.conftest import Spawn, Start
from tests.network.test_kills import flushed, poison_one
from tests.network.workforce import Workforce
from tests.scale import STRESS, scale

JOBS: Final = scale(60, 1_000)
WORKERS: Final = 4
KILL_EVERY: Final = 0.3 if STRESS else 0.2
WORK: Final = 0.02 if STRESS else 0.05

HUB: Final = """
import sys, meshmq
with meshmq.Node(sys.argv[1]) as node:
    node.device(queues=["jobs"], services=["whose", "die"])
    print("open", flush=True)
    node.run()
"""

SERVER: Final = """
import os, signal, sys, meshmq
with meshmq.Node(sys.argv[1]) as node:
    @node.reply("whose")
    def whose(data, request):
        return [node.name, request.via]

    @node.reply("die")
    def die(data):
        os.kill(os.getpid(), signal.SIGKILL)

    node.run()
"""


def hub(spawn: Spawn, mesh: str, name: str = "hub") -> Child:
    """Start a device; it is open."""
    child = spawn(HUB, name, env={"MESHMQ_MESH": mesh})
    child.until("open")
    return child


def until(node: meshmq.Node, holds: Callable[[], bool]) -> None:
    """Wait until what happens to the roster has made something hold."""
    for _ in node.events(LIMIT):
        if holds():
            return
    raise AssertionError("it never held")


def forwarding(node: meshmq.Node) -> int:
    return sum(bool(peer.forwards) for peer in node.peers())


def test_workers_and_the_device_are_killed_and_no_job_is_lost(spawn: Spawn, mesh_name: str) -> None:
    random = Random(1)
    device = hub(spawn, mesh_name)
    team = Workforce(spawn, mesh_name, "jobs", WORKERS, "--seconds", WORK)
    kills = 0
    with meshmq.Node("boss", mesh=mesh_name) as node:
        until(node, lambda: forwarding(node) == 1)
        node.wait_for(pull="jobs", count=WORKERS, timeout=LIMIT)
        node.queue("jobs").push_many(range(JOBS))
        while not flushed(node, KILL_EVERY):
            node.wait_for(pull="jobs", count=WORKERS - 1, timeout=LIMIT)  # else nobody lives long enough to work
            if kills % 2:
                device.kill()
                device = hub(spawn, mesh_name)
            else:
                team.replace_any(random)
            kills += 1
        stats = node.stats()["queues"]["jobs"]["push"]
    record = team.end()
    assert kills
    assert sorted(record.done) == list(range(JOBS))
    assert record.unflagged_twice == []
    assert all(len(ids) == 1 for ids in record.ids.values())
    assert (stats["pushed"], stats["acked"], stats["depth"]) == (JOBS, JOBS, 0)
    print(f"{kills} kills, {record.repeats} executions and {stats['redelivered']} deliveries more than once")


@pytest.mark.stress
def test_a_job_that_kills_its_worker_behind_a_device_harms_no_neighbour(spawn: Spawn, mesh_name: str) -> None:
    hub(spawn, mesh_name)
    with meshmq.Node("boss", mesh=mesh_name) as node:
        until(node, lambda: forwarding(node) == 1)
        poison_one(spawn, mesh_name, node, JOBS, WORKERS)


def test_the_command_is_a_device_until_it_is_ended(start: Start, mesh_name: str) -> None:
    command = [sys.executable, "-m", "meshmq", "device", "--name", "hub", "--queue", "jobs", "--service", "add"]
    device = start(command, env={"MESHMQ_MESH": mesh_name})
    with meshmq.Node("pusher", mesh=mesh_name) as pusher, meshmq.Node("worker", mesh=mesh_name) as worker:
        until(pusher, lambda: forwarding(pusher) == 1)
        jobs = worker.pull("jobs")
        pusher.push("jobs", 1)
        message = jobs.receive(LIMIT)
        assert (message.data, message.sender, message.via) == (1, "pusher", "hub")
        message.ack()
        pusher.request("meshmq.drain", to="hub", timeout=LIMIT)
        assert device.wait() == 0
        until(pusher, lambda: forwarding(pusher) == 0)
        pusher.push("jobs", 2)
        message = jobs.receive(LIMIT)
        assert message.via == ""
        message.ack()
    assert "stands before 'jobs', 'add'" in device.stderr


def test_calls_go_on_when_a_device_is_killed_and_when_a_server_is(spawn: Spawn, mesh_name: str) -> None:
    device = hub(spawn, mesh_name)
    servers = [spawn(SERVER, f"server-{number}", env={"MESHMQ_MESH": mesh_name}) for number in range(2)]
    with meshmq.Node("caller", mesh=mesh_name) as caller:
        caller.wait_for(reply="whose", count=2, timeout=LIMIT)
        until(caller, lambda: forwarding(caller) == 1)
        names = set[str]()
        while len(names) < 2:  # the device may know of them later than the caller
            name, via = caller.request("whose", timeout=LIMIT)
            assert via == "hub"
            names.add(name)
        assert names == {"server-0", "server-1"}
        assert caller.stats()["sessions"] == 1
        servers[0].kill()
        moved = [caller.request("whose", timeout=LIMIT, idempotent=True) for _ in range(4)]
        assert {name for name, _ in moved} == {"server-1"}
        with pytest.raises(meshmq.PeerLost) as lost:
            caller.request("die", timeout=LIMIT)
        assert lost.value.may_have_run
        assert "server-1 behind hub" in str(lost.value)
        spawn(SERVER, "server-2", env={"MESHMQ_MESH": mesh_name})
        caller.wait_for(reply="whose", timeout=LIMIT)
        assert caller.request("whose", timeout=LIMIT, idempotent=True) == ["server-2", "hub"]
        device.kill()
        assert caller.request("whose", timeout=LIMIT, idempotent=True) == ["server-2", ""]
