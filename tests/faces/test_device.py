"""A device between pushers and workers, on both faces: what changes for programs is nothing."""

from __future__ import annotations

from functools import partial

import pytest

import meshmq
from tests.faces.functions import LIMIT, on, pair, serve
from tests.faces.stage import Actor, Stage, acked, soon, taken


async def sees(node: Actor, count: int) -> bool:
    return sum(bool(peer.forwards) for peer in await node.peers()) == count


async def knows(node: Actor, *names: str) -> bool:
    return {*names} <= {peer.name for peer in await node.peers()}


async def forwards(node: Actor, device: str) -> bool:
    return any(peer.name == device and peer.forwards for peer in await node.peers())


async def mesh(stage: Stage) -> tuple[Actor, Actor, Actor]:
    """Return a pusher and a worker, and the device between them, which all know each other."""
    device = await stage.node("hub")
    await device.device(queues=["jobs"])
    pusher, worker = await stage.pair()
    await soon(partial(sees, pusher, 1))
    await soon(partial(knows, pusher, "hub", "worker"))
    return pusher, worker, device


async def passed(device: Actor) -> int:
    count = (await device.stats())["forwards"]["queues"]["jobs"]["acked"]
    assert isinstance(count, int)
    return count


async def test_jobs_go_through_a_device_and_say_so(stage: Stage) -> None:
    pusher, worker, device = await mesh(stage)
    jobs = await worker.pull("jobs")
    await pusher.push("jobs", {"n": 1}, headers={"a": "b"})
    await pusher.push("jobs", bytes(300_000))
    first, second = await taken(jobs, 2)
    assert (first.data, first.headers, first.attempt) == ({"n": 1}, {"a": "b"}, 1)
    assert second.data == bytes(300_000)
    assert (first.sender, first.via) == ("pusher", "hub")
    assert 0 <= first.age < 10
    await pusher.flush(10)
    assert await acked(pusher) == 2
    assert await passed(device) == 2
    views = {peer.name: peer.forwards for peer in await pusher.peers()}
    assert views == {"hub": {"queues": ("jobs",)}, "worker": {}}


async def test_a_nack_and_what_was_not_begun_come_back_through_it(stage: Stage) -> None:
    pusher, worker, _ = await mesh(stage)
    jobs = await worker.pull("jobs", prefetch=5)
    for number in range(5):
        await pusher.push("jobs", number)
    (await jobs.receive(timeout=10)).nack(delay=0)
    await jobs.close()
    jobs = await worker.pull("jobs")
    found = await taken(jobs, 5)
    assert sorted(message.data for message in found) == [0, 1, 2, 3, 4]
    assert {message.data: message.attempt for message in found} == {0: 2, 1: 1, 2: 1, 3: 1, 4: 1}
    await pusher.flush(10)


async def test_what_is_rejected_behind_it_is_a_dead_letter_of_its_pusher(stage: Stage) -> None:
    pusher, worker, _ = await mesh(stage)
    jobs = await worker.pull("jobs")
    await pusher.push("jobs", 1)
    message = await jobs.receive(timeout=10)
    assert message.via == "hub"
    message.reject(reason="nobody of that name")
    await pusher.flush(10)
    (letter,) = (await pusher.queue("jobs")).dead
    assert (letter.data, letter.reason) == (1, "nobody of that name")


async def test_what_is_for_one_node_alone_goes_there_directly(stage: Stage) -> None:
    pusher, worker, device = await mesh(stage)
    jobs = await worker.pull("jobs")
    await pusher.push("jobs", 1)
    assert (await jobs.receive(timeout=10)).via == "hub"
    await pusher.push("jobs", 2, to="worker")
    message = await jobs.receive(timeout=10)
    assert (message.data, message.via, message.sender) == (2, "", "pusher")
    await pusher.push("jobs", 3)
    message = await jobs.receive(timeout=10)
    assert message.via == "hub"
    message.ack()
    await pusher.flush(10)
    assert await passed(device) == 2


async def test_when_it_goes_jobs_go_directly_and_when_it_comes_through_it(stage: Stage) -> None:
    pusher, worker, device = await mesh(stage)
    jobs = await worker.pull("jobs")
    await pusher.push("jobs", 1)
    message = await jobs.receive(timeout=10)
    assert message.via == "hub"
    message.ack()
    await device.close()
    await pusher.push("jobs", 2)
    assert (await jobs.receive(timeout=10)).via == ""
    other = stage.unopened("other")
    await other.device(queues=["jobs"])
    await other.open()
    await soon(partial(forwards, pusher, "other"))
    await pusher.push("jobs", 3)
    message = await jobs.receive(timeout=10)
    assert (message.via, message.attempt) == ("other", 1)


async def test_two_devices_share_the_load(stage: Stage) -> None:
    pusher, worker, _ = await mesh(stage)
    await (await stage.node("second")).device(queues=["jobs"])
    await soon(partial(sees, pusher, 2))
    await soon(partial(sees, worker, 2))
    jobs = await worker.pull("jobs", prefetch=2)
    for number in range(100):
        await pusher.push("jobs", number)
    assert {message.via for message in await taken(jobs, 100)} == {"hub", "second"}


async def test_a_device_leaves_when_workers_are_done(stage: Stage) -> None:
    pusher, worker, device = await mesh(stage)
    jobs = await worker.pull("jobs")
    await pusher.push("jobs", 1)
    message = await jobs.receive(timeout=10)
    with pytest.raises(meshmq.TimedOut):
        await pusher.flush(0.05)
    message.ack()
    await device.close()
    await pusher.flush(10)
    assert (await pusher.stats())["queues"]["jobs"]["push"]["redelivered"] == 0


async def test_what_a_node_forwards_it_does_not_push_and_pull(stage: Stage) -> None:
    node = await stage.node("hub")
    await node.device(queues=["jobs"])
    with pytest.raises(meshmq.ConfigError, match="is a device for 'jobs'"):
        await node.push("jobs", 1)
    with pytest.raises(meshmq.ConfigError, match="is a device for 'jobs'"):
        await node.pull("jobs")
    await node.push("done", 1)
    with pytest.raises(meshmq.ConfigError, match="pushes or pulls 'done' itself"):
        await node.device(queues=["done"])
    with pytest.raises(meshmq.ConfigError, match="say what for"):
        await node.device()
    with pytest.raises(meshmq.ConfigError, match="a list of names"):
        await node.device(queues="jobs")


async def asking(stage: Stage) -> tuple[Actor, Actor, Actor]:
    """Return a caller and a server, and the device between them."""
    device = await stage.node("hub")
    await device.device(services=["add", "count"])
    caller, server = await pair(stage)
    await soon(partial(sees, caller, 1))
    return caller, server, device


async def test_requests_go_through_a_device_and_say_so(stage: Stage) -> None:
    caller, server, device = await asking(stage)

    def tell(data: object, request: meshmq.Request) -> list[object]:
        assert request.timeout is not None
        assert 0 <= request.age < 10
        return [data, request.sender, request.via, request.headers, 0 < request.timeout <= 7]

    await serve(server, "add", on(stage, tell))
    assert await caller.request("add", 1, timeout=7, headers={"a": "b"}) == [1, "caller", "hub", {"a": "b"}, True]
    large = bytes(400_000)
    assert (await caller.request("add", large, timeout=7))[0] == large
    assert (await caller.request("add", 1, timeout=7, to="server"))[2] == ""
    assert (await caller.request("add", 1, timeout=7, key="k"))[2] == ""
    passed = (await device.stats())["forwards"]["services"]["add"]
    assert (passed["received"], passed["answered"], passed["outstanding"]) == (2, 2, 0)


async def test_a_handler_that_raises_and_a_deadline_are_what_they_are_without_it(stage: Stage) -> None:
    caller, server, _ = await asking(stage)

    def fail(data: object) -> None:
        raise ValueError("no")

    await serve(server, "add", on(stage, fail))
    with pytest.raises(meshmq.RemoteError) as failed:
        await caller.request("add", 1, timeout=LIMIT)
    assert (failed.value.kind, failed.value.node) == ("ValueError", "server")
    requests = await server.reply("count")
    await caller.wait_for(reply="count", timeout=LIMIT)
    with pytest.raises(meshmq.TimedOut):
        await caller.request("count", 1, timeout=0.05)

    async def dropped() -> bool:
        return len(requests) == 0

    await soon(dropped)


async def test_a_stream_comes_through_and_a_cancel_goes_through(stage: Stage) -> None:
    caller, server, _ = await asking(stage)
    ended: list[bool] = []

    if stage.face == "blocking":

        def count(start: int, request: meshmq.Request) -> object:
            try:
                while not request.cancelled:
                    yield start
                    start += 1
            finally:
                ended.append(True)

        await serve(server, "count", count)
    else:

        async def count_async(start: int, request: meshmq.Request) -> object:
            try:
                while True:
                    yield start
                    start += 1
            finally:
                ended.append(True)

        await serve(server, "count", count_async)
    stream = await caller.stream("count", 1, timeout=LIMIT)
    found = []
    async for number in stream:
        found.append(number)
        if number == 200:
            break
    await stream.close()
    assert found == list(range(1, 201))

    async def over() -> bool:
        return bool(ended)

    await soon(over)


async def test_what_a_node_forwards_it_does_not_serve(stage: Stage) -> None:
    node = await stage.node("hub")
    await node.device(services=["add"])
    with pytest.raises(meshmq.ConfigError, match="is a device for 'add'"):
        await node.reply("add")
    await node.reply("count")
    with pytest.raises(meshmq.ConfigError, match="serves 'count' itself"):
        await node.device(services=["count"])
