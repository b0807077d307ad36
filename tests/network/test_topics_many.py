"""Very many topics, and their publisher restarted again and again: all live again each time."""

from __future__ import annotations

import time
from typing import Final

import pytest

import meshmq
from tests.network.audience import Publisher
from tests.network.children import LIMIT
from tests.network.conftest import Spawn
from tests.scale import scale

TOPICS: Final = scale(500, 20_000)
RESTARTS: Final = scale(2, 10)
WAIT: Final = 3 * LIMIT


@pytest.mark.timeout(600)
@pytest.mark.parametrize("together", [True, False], ids=["one subscription", "a subscription each"])
def test_all_topics_live_again_whenever_their_publisher_is_restarted(
    spawn: Spawn, mesh_name: str, together: bool
) -> None:
    names = [f"t.{number}" for number in range(TOPICS)]
    begun = time.monotonic()
    with meshmq.Node("subscriber", mesh=mesh_name) as node:
        if together:
            subscriptions = [node.subscribe(*names, capacity=2 * TOPICS)]
        else:
            subscriptions = [node.subscribe(name) for name in names]
        print(f"subscribed in {time.monotonic() - begun:.2f} s")
        for turn in range(1 + RESTARTS):
            started = time.monotonic()
            # A link holds a thousand messages for a subscriber, and each topic is one: what it drops is fetched.
            publisher = Publisher(spawn, mesh_name, "--history", 1)
            publisher.do("wait", names[-1], 1, timeout=WAIT)
            there = time.monotonic()
            publisher.do("each", TOPICS, timeout=WAIT)
            heard = []
            for subscription in subscriptions:
                wanted = TOPICS if together else 1
                while wanted:
                    messages = subscription.receive_many(wanted, WAIT)
                    wanted -= len(messages)
                    heard += [(message.topic, message.gap) for message in messages]
            assert sorted(heard) == sorted((name, 0) for name in names)
            print(
                f"start {turn}: there after {there - started:.2f} s, all heard {time.monotonic() - there:.2f} s later"
            )
            publisher.child.kill()
        assert sum(subscription.missed for subscription in subscriptions) == 0
