"""Real nodes in an in-memory network, as users' tests hold them."""

from __future__ import annotations

import asyncio

import pytest

from meshmq import AsyncNode, NameInvalid, Node, Undelivered
from meshmq.testing import HandClock, Network

LIMIT = 10.0


def test_a_job_goes_from_node_to_node(mesh_network: Network) -> None:
    with mesh_network.node("pusher") as pusher, mesh_network.node("worker") as worker:
        assert isinstance(pusher, Node)
        jobs = worker.pull("jobs")
        pusher.push("jobs", {"id": 1}, timeout=LIMIT)
        message = jobs.receive(timeout=LIMIT)
        assert (message.data, message.sender, message.redelivered) == ({"id": 1}, "pusher", False)
        message.ack()
        pusher.flush(timeout=LIMIT)


def test_jobs_cross_a_cut_once_it_is_healed(mesh_network: Network) -> None:
    with mesh_network.node("pusher") as pusher, mesh_network.node("worker") as worker:
        jobs = worker.pull("jobs", idle=None)
        pusher.push("jobs", 1, timeout=LIMIT)
        assert jobs.receive(timeout=LIMIT).data == 1
        mesh_network.memory.cut("pusher", "worker")
        pusher.push("jobs", 2, timeout=LIMIT)
        mesh_network.memory.heal("pusher", "worker")
        second = jobs.receive(timeout=LIMIT)
        assert second.data == 2
        second.ack()


def test_nodes_that_are_left_open_are_closed_and_what_they_leave_is_told() -> None:
    network = Network()
    pusher = network.node().open()
    pusher.push("jobs", 1)
    with pytest.raises(Undelivered, match="1 job was not sent"):
        network.close()
    assert pusher.closed
    assert pusher.name == "node-1"


def test_a_name_that_cannot_be_one_is_refused(mesh_network: Network) -> None:
    with pytest.raises(NameInvalid):
        mesh_network.node("no such name")


async def both(network: Network) -> object:
    async with network:
        pusher, worker = network.async_node("pusher"), network.async_node("worker")
        assert isinstance(pusher, AsyncNode)
        jobs = worker.pull("jobs")
        await worker.open()
        await pusher.push("jobs", "over the loop", timeout=LIMIT)
        message = await jobs.receive(timeout=LIMIT)
        message.ack()
        await pusher.flush(timeout=LIMIT)
        return message.data


def test_async_nodes_live_there_too() -> None:
    assert asyncio.run(both(Network())) == "over the loop"


def test_nodes_decide_by_the_clock_in_the_tests_hand() -> None:
    clock = HandClock()
    with Network(clock=clock) as network, network.node("a") as a, network.node("b") as b:
        b.pull("jobs")
        a.wait_for(pull="jobs", timeout=LIMIT)
        network.memory.cut("a", "b")
        kinds: list[str] = []
        while "lost" not in kinds:
            assert clock.advance(1.0) < 1100.0
            # Between two moves of the clock the node gets a moment to see what they brought.
            kinds = [event.kind for event in a.events(timeout=0.02)]
        assert kinds[0] == "joined"
