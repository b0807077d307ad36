"""A router on a node: everything arrives where the rules say, with what is promised of it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import ExitStack, suppress
from typing import Any, Final

import pytest

from meshmq import Message, Node, Receiver, Settings, TimedOut, Undelivered
from meshmq.routing.file import parse_rules
from meshmq.routing.router import Router
from meshmq.wire.headers import HEADERS_LIMIT
from tests.patterns.waiting import eventually
from tests.routing.reference import ENDS, TOPICS, TWELVE, messages, reference
from tests.scale import scale

MESSAGES: Final = scale(2_000, 10_000)
LIMIT: Final = 20.0
ONE: Final = """
exchange = "one"
from_queues = "jobs"
from_topics = ["news.**"]
unmatched = "rest"
match = "all"

[[rule]]
where = ". > 0"
to_queues = ["high", "all"]

[[rule]]
where = ". < 0"
to_queues = ["low", "all"]
to_topics = "alarm"
"""


def open_node(stack: ExitStack, name: str, mesh: str, settings: Settings | None = None) -> Node:
    """Open a node; the end of the stack is its own, whatever it still holds."""
    node = Node(name, mesh=mesh, settings=settings).open()
    stack.enter_context(suppress(Undelivered))
    stack.callback(node.close, 0)
    return node


class Exchange:
    """A node that sends, one that routes, and one that takes, in one mesh."""

    def __init__(self, stack: ExitStack, mesh: str, text: str) -> None:
        self.rules = parse_rules(text, "rules.toml")
        self.source, self.ends, self.node = (open_node(stack, name, mesh) for name in ("source", "ends", "router"))
        self.router: Router | None = None
        self.receivers: dict[str, Receiver[Message]] = {}

    def start(self, *ends: str) -> None:
        """Take at these ends, and route when all is known to all."""
        for end in ends:
            kind, name = end.split()
            self.receivers[end] = (
                self.ends.pull(name) if kind == "queue" else self.ends.subscribe(name, capacity=MESSAGES)
            )
        self.router = Router(self.node, self.rules)
        for end in ends:  # names are told a few times a second: so all are there before any is waited for
            kind, name = end.split()
            if kind == "queue":
                self.node.wait_for(pull=name, timeout=LIMIT)
            else:
                self.node.wait_for(subscribe=name, timeout=LIMIT)
        for queue in self.rules.queues:
            self.source.wait_for(pull=queue, timeout=LIMIT)

    def take(self, end: str) -> Message:
        return self.receivers[end].receive(LIMIT)


@pytest.fixture
def stack() -> Any:
    with ExitStack() as stack:
        yield stack


def test_everything_arrives_where_the_reference_says(stack: ExitStack, mesh_name: str) -> None:
    exchange = Exchange(stack, mesh_name, TWELVE.replace("MATCH", "all"))
    exchange.start(*ENDS)
    for topic in TOPICS:
        exchange.source.wait_for(subscribe=topic, timeout=LIMIT)
    expected: dict[str, Counter[str]] = {end: Counter() for end in ENDS}
    for sent in messages(MESSAGES, seed=2):
        for end in reference(sent, every=True):
            expected[end][sent.headers["n"]] += 1
        give = exchange.source.push if sent.kind == "queue" else exchange.source.publish
        give(sent.name, sent.data, headers=sent.headers)
    for end, numbers in expected.items():
        taken = Counter(exchange.take(end).headers["n"] for _ in range(numbers.total()))
        assert taken == numbers, end
    for receiver in exchange.receivers.values():
        with receiver:  # the last of each is confirmed
            pass
    exchange.source.flush(LIMIT)
    assert exchange.router is not None
    assert (exchange.router.routed, exchange.router.unmatched) == (MESSAGES, expected["queue unrouted"].total())


def test_data_and_headers_pass_and_say_where_it_comes_from(stack: ExitStack, mesh_name: str) -> None:
    exchange = Exchange(stack, mesh_name, ONE)
    exchange.start("queue high", "queue low", "topic alarm", "queue rest")
    exchange.source.wait_for(subscribe="news.home", timeout=LIMIT)
    exchange.source.push("jobs", 5, headers={"n": "1"})
    high = exchange.take("queue high")
    assert (high.data, high.sender) == (5, "router")
    assert high.headers == {"n": "1", "from-sender": "source", "from-queue": "jobs"}
    exchange.source.publish("news.home", -5, headers={"from-sender": "somebody"})
    for end in ("queue low", "topic alarm"):
        message = exchange.take(end)
        assert message.data == -5
        assert message.headers == {"from-sender": "somebody", "from-topic": "news.home"}
    full = {"n": "x" * (HEADERS_LIMIT - 1)}
    exchange.source.push("jobs", (1, b"2"), headers=full)
    rest = exchange.take("queue rest")
    assert (rest.data, rest.headers) == ((1, b"2"), full)


def test_job_is_confirmed_when_all_that_was_made_of_it_is(stack: ExitStack, mesh_name: str) -> None:
    exchange = Exchange(stack, mesh_name, ONE)
    exchange.start("queue high", "queue all")
    jobs = exchange.source.queue("jobs")
    jobs.push_many([1, 2, 3])
    high = [exchange.take("queue high") for _ in range(3)]  # the first two are confirmed by asking for the next
    assert jobs.depth == 3
    for number in (1, 2, 3):
        one = exchange.take("queue all")
        assert one.data == number
        assert jobs.depth > 3 - number
        one.ack()
    with pytest.raises(TimedOut):
        jobs.flush(0.05)  # for the third of the others
    high[2].ack()
    jobs.flush(LIMIT)


def test_what_is_made_again_is_flagged_and_bears_the_same_id(stack: ExitStack, mesh_name: str) -> None:
    exchange = Exchange(stack, mesh_name, ONE)
    exchange.start("queue all")
    exchange.source.push("jobs", -1)
    first = exchange.take("queue all")
    assert (first.sender, first.redelivered) == ("router", False)
    with pytest.raises(Undelivered):
        exchange.node.close(0)  # between the two
    exchange.receivers["queue all"].close()
    Router(open_node(stack, "another", mesh_name), exchange.rules)
    with open_node(stack, "fresh", mesh_name).pull("all") as jobs:
        again = jobs.receive(LIMIT)
        assert (again.data, again.id, again.sender, again.redelivered) == (-1, first.id, "another", True)


def test_routers_of_one_exchange_share_what_is_published(stack: ExitStack, mesh_name: str) -> None:
    exchange = Exchange(stack, mesh_name, ONE)
    exchange.start("queue all")
    another = Router(open_node(stack, "another", mesh_name), exchange.rules)
    exchange.source.wait_for(subscribe="news.home", count=2, timeout=LIMIT)
    for number in range(1, 101):
        exchange.source.publish("news.home", number)
    taken = [exchange.take("queue all").data for _ in range(100)]
    assert sorted(taken) == list(range(1, 101))
    router = exchange.router
    assert router is not None
    eventually(lambda: router.routed + another.routed == 100)  # counted after it is sent on


def test_router_says_what_holds_it_up(stack: ExitStack, mesh_name: str) -> None:
    exchange = Exchange(stack, mesh_name, ONE)
    exchange.node.close()
    exchange.node = open_node(stack, "narrow", mesh_name, Settings(custody=3))
    exchange.start("queue all")
    assert exchange.router is not None
    assert exchange.router.held_up() == ""
    exchange.source.queue("jobs").push_many(range(1, 6))
    said = "no more is taken until some of what was sent on is confirmed: 3 in 'high', which nobody pulls; 3 in 'all'"
    never, deadline = threading.Event(), time.monotonic() + LIMIT
    while exchange.router.held_up() != said and time.monotonic() < deadline:
        never.wait(0.002)
    assert exchange.router.held_up() == said
    with exchange.ends.pull("high") as high:
        for number in range(1, 6):
            assert exchange.take("queue all").data == number
            assert high.receive(LIMIT).data == number
    exchange.receivers["queue all"].__exit__(None, None, None)
    exchange.source.flush(LIMIT)
    assert exchange.router.held_up() == ""
