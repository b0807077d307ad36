"""Copies of what passes, on both faces: an ordinary subscription, of a device or of who agrees."""

from __future__ import annotations

import pytest

from meshmq.codecs.msgpack import pack_plain
from meshmq.errors import ConfigError
from tests.faces.functions import LIMIT
from tests.faces.stage import Actor, Stage, soon


async def tap(node: Actor, name: str = "jobs") -> Actor:
    """Return a subscription to copies that everybody knows of."""
    copies = await node.subscribe(f"meshmq.tap.{name}")
    await copies.ready(timeout=LIMIT)
    assert isinstance(copies, Actor)
    return copies


async def test_who_taps_a_worker_that_agrees_sees_each_attempt(stage: Stage) -> None:
    pusher, worker = await stage.node("pusher"), await stage.node("worker", tap=True)
    jobs = await worker.pull("jobs")
    copies = await tap(await stage.node("tapper"))
    await pusher.push("jobs", {"n": 1}, headers={"a": "b"})
    message = await jobs.receive(timeout=LIMIT)
    message.nack(delay=0)
    again = await jobs.receive(timeout=LIMIT)
    assert again.attempt == 2
    again.ack()
    for attempt in ("1", "2"):
        copy = await copies.receive(timeout=LIMIT)
        assert (copy.data, copy.topic, copy.sender, copy.gap) == ({"n": 1}, "meshmq.tap.jobs", "worker", 0)
        assert copy.headers == {
            "a": "b",
            "meshmq-kind": "job",
            "meshmq-id": message.id,
            "meshmq-sender": "pusher",
            "meshmq-receiver": "worker",
            "meshmq-attempt": attempt,
        }
    stats = await worker.stats()
    assert stats["tap"] == {"jobs": {"copied": 2, "dropped": 0}}
    assert stats["topics"] == {}
    await pusher.flush(LIMIT)


async def test_requests_of_a_service_are_copied_with_their_ids(stage: Stage) -> None:
    caller, server = await stage.node("caller"), await stage.node("server", tap=True)
    requests = await server.reply("add")
    copies = await tap(await stage.node("tapper"), "add")
    call = await caller.stream("add", [1, 2], timeout=LIMIT)
    request = await requests.receive(timeout=LIMIT)
    copy = await copies.receive(timeout=LIMIT)
    assert (copy.data, copy.headers["meshmq-kind"], copy.headers["meshmq-id"]) == ([1, 2], "request", request.id)
    await call.close()


async def test_what_cannot_be_decoded_is_shown_as_it_came(stage: Stage) -> None:
    pusher, worker = await stage.node("pusher"), await stage.node("worker", tap=True)
    jobs = await worker.pull("jobs")
    copies = await tap(await stage.node("tapper"))
    participant = pusher.inner._participant
    broken = b"\xc1\xc1"

    async def push(body: bytes) -> None:
        engine = pusher.inner._engine
        engine.post(lambda: participant.push("jobs", body, (), None, engine.now()))

    for body in (broken, pack_plain("whole")):
        await push(body)
    assert (await jobs.receive(timeout=LIMIT)).data == "whole"
    copy = await copies.receive(timeout=LIMIT)
    assert copy.data == broken
    assert copy.headers["meshmq-unreadable"]
    assert (await copies.receive(timeout=LIMIT)).data == "whole"
    assert copies.missed == 0


async def test_groups_and_histories_are_not_for_copies(stage: Stage) -> None:
    node = await stage.node("node")
    with pytest.raises(ConfigError, match="copies are not kept for a group"):
        await node.subscribe("meshmq.tap.jobs", group="all")


async def test_a_device_is_tapped_without_more_and_shows_no_topics(stage: Stage) -> None:
    device, worker = await stage.node("hub"), await stage.node("worker")
    await device.device(queues=["jobs"])
    jobs = await worker.pull("jobs")
    own = await tap(device)  # the program that is the device may do so, too
    pusher = await stage.node("pusher")
    everything = await pusher.subscribe("**")

    async def sees() -> bool:
        return any(peer.forwards for peer in await pusher.peers())

    await soon(sees)
    await pusher.push("jobs", 1)
    assert (await jobs.receive(timeout=LIMIT)).via == "hub"
    copy = await own.receive(timeout=LIMIT)
    assert (copy.data, copy.headers["meshmq-sender"], copy.headers["meshmq-receiver"]) == (1, "pusher", "worker")
    assert len(everything) == 0
    assert await pusher.request("meshmq.topics", to="hub", timeout=LIMIT) == {
        "publishes": {},
        "subscribes": {"meshmq.tap.jobs": 1},
        "more": {"publishes": 0, "subscribes": 0},
    }
