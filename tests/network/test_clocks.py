"""Wall clocks a year apart change nothing: ages, histories and deadlines are spans."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Final

import pytest

import meshmq
from tests.network.children import LIMIT, Child
from tests.network.conftest import Spawn

YEAR: Final = 365 * 86_400
#: What is long between two moments of this test, and what a busy machine may take beyond what is asked for.
LONG: Final = 2.0
SLACK: Final = 5.0

OTHER: Final = """
import sys, threading, time
wait = threading.Event().wait
skew, real, real_ns = float(sys.argv[1]), time.time, time.time_ns
time.time, time.time_ns = lambda: real() + skew, lambda: real_ns() + int(skew * 1e9)
import meshmq

node = meshmq.Node("other")

@node.reply("slow")
def slow(seconds):
    wait(seconds)
    return seconds

with node:
    node.topic("news", history=100)
    for number in range(10):
        node.publish("news", number)
    print("published", flush=True)
    for line in sys.stdin:
        for number in range(10, 20):
            node.publish("news", number)
        node.push("jobs", line.strip())
        print("again", flush=True)
"""


@pytest.fixture(params=[YEAR, -YEAR], ids=["a year ahead", "a year behind"])
def other(request: pytest.FixtureRequest, spawn: Spawn, mesh_name: str) -> Iterator[Child]:
    child = spawn(OTHER, request.param, env={"MESHMQ_MESH": mesh_name})
    yield child
    child.end_input()
    assert child.wait() == 0, child.stderr


def test_age_and_since_are_spans(other: Child, mesh_name: str) -> None:
    other.until("published")
    threading.Event().wait(LONG)
    with meshmq.Node("here", mesh=mesh_name) as node:
        node.wait_for(reply="slow", timeout=LIMIT)
        other.say("go")
        other.until("again")
        recent, all_of_it = node.subscribe("news", since=0.8 * LONG), node.subscribe("news", since=60.0)
        messages = [recent.receive(LIMIT) for _ in range(10)]
        assert [message.data for message in messages] == list(range(10, 20))
        assert all(0 <= message.age < SLACK for message in messages)
        first = all_of_it.receive(LIMIT)
        assert first.data == 0
        assert LONG <= first.age < LONG + SLACK
        with node.pull("jobs") as jobs:  # leaving acks it
            assert 0 <= jobs.receive(LIMIT).age < SLACK


def test_deadlines_are_spans(other: Child, mesh_name: str) -> None:
    other.until("published")
    with meshmq.Node("here", mesh=mesh_name) as node:
        node.wait_for(reply="slow", timeout=LIMIT)
        assert node.request("slow", 0.0, timeout=LIMIT) == 0.0
        with pytest.raises(meshmq.TimedOut):
            node.request("slow", 2.0, timeout=0.3)
        assert node.request("slow", 0.1, timeout=LIMIT) == 0.1
