"""What is published first, straight after start, is heard: in either order of start, whatever the delays."""

from __future__ import annotations

import threading
from random import Random
from typing import Final

import pytest

import meshmq
from tests.network.audience import Publisher, Subscriber
from tests.network.children import LIMIT
from tests.network.conftest import Spawn
from tests.scale import scale

TIMES: Final = scale(2, 50)
COUNT: Final = 100
ALL: Final = list(range(1, COUNT + 1))
#: What the moments of two processes may be apart by when half a round trip was guessed.
SLACK: Final = 0.05
WAYS: Final = (
    {"patterns": ["first"]},
    {"patterns": ["first"], "since": "first"},
    {"patterns": ["first"], "since": "last"},
    {"patterns": ["first"], "since": 51},
)


@pytest.mark.parametrize("seed", range(TIMES))
def test_first_hundred_are_heard_in_either_order_of_start(spawn: Spawn, mesh_name: str, seed: int) -> None:
    random = Random(seed)
    first_comes = random.choice(("publisher", "subscribers"))
    delay = random.uniform(0, 1.0)
    subscribers: list[Subscriber] = []

    def subscribe() -> None:
        subscribers.extend(Subscriber(spawn, mesh_name, *WAYS) for _ in range(2))

    if first_comes == "subscribers":
        subscribe()
        threading.Event().wait(delay)
    publisher = Publisher(spawn, mesh_name, "--first", COUNT, "--history", 1_000)
    if first_comes == "publisher":
        threading.Event().wait(delay)
        subscribe()
    begun, ended = map(float, publisher.child.until("published")[-1].split()[1:])
    for subscriber in subscribers:
        subscriber.ready()
    late = Subscriber(spawn, mesh_name, *WAYS)
    late.ready()
    publisher.do("wait", "first", 3)
    publisher.do("say", "first", "end")
    for subscriber in (*subscribers, late):
        plain, first, last, later = subscriber.told()
        assert all((row["wrong"], row["gaps"], row["missed"]) == (0, 0, 0) for row in (plain, first, last, later))
        assert first["data"] == [*ALL, "end"]
        assert later["data"] == [*ALL[50:], "end"]
        heard = plain["data"][:-1]
        assert heard == ALL[COUNT - len(heard) :]
        if subscriber.subscribed_at < begun - SLACK:
            assert heard == ALL
            assert last["data"][-2:] == [COUNT, "end"]
        elif subscriber.subscribed_at > ended + SLACK:
            assert heard == []
            assert last["data"] == [COUNT, "end"]
    publisher.leave()


def test_process_that_publishes_once_and_leaves_is_heard_by_all_who_are_there(spawn: Spawn, mesh_name: str) -> None:
    listeners = [Subscriber(spawn, mesh_name, {"patterns": ["news.*"]}) for _ in range(scale(2, 8))]
    for listener in listeners:
        listener.ready()
    times = scale(3, 30)
    for number in range(times):
        code = f"import meshmq\nwith meshmq.Node('n{number}') as node: node.publish('news.one', {number})"
        child = spawn(code, env={"MESHMQ_MESH": mesh_name})
        assert child.wait() == 0, child.stderr
    for listener in listeners:
        (row,) = listener.total(times)
        assert row["data"] == list(range(times))
        assert (row["missed"], row["wrong"]) == (0, 0)


def test_first_of_a_node_in_this_process_is_heard_by_its_own_subscription(mesh_name: str) -> None:
    with meshmq.Node(mesh=mesh_name) as node, node.subscribe("own") as subscription:
        node.publish("own", 1)
        assert subscription.receive(LIMIT).data == 1
