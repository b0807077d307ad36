"""A program that has ZeroMQ and MessagePack alone: done, answered, refused, read."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait

import pytest
import zmq
from meshmq.patterns.plain_zeromq import Plain

import meshmq


@pytest.fixture
def node(mesh_name: str) -> Iterator[meshmq.Node]:
    with meshmq.Node("node", mesh=mesh_name) as node:
        yield node


@pytest.fixture
def address(node: meshmq.Node, mesh_name: str) -> str:
    """The address of the node's sockets, without the last letter, which says of which link it is."""
    with meshmq.Node("other", mesh=mesh_name) as other:
        node.reply("here")(lambda data: True)
        (peer,) = other.wait_for(reply="here", timeout=20)
        return peer.addresses[0].removesuffix("c")


def test_every_job_is_done_before_the_next(node: meshmq.Node, address: str, mesh_name: str) -> None:
    done: list[int] = []
    node.pull("jobs")(done.append)
    plain = Plain(address + "d", mesh_name)
    for number in range(100):
        plain.push("jobs", number)
        assert done[-1] == number
    plain.close()


def test_a_failure_and_a_refusal_are_told(node: meshmq.Node, address: str, mesh_name: str) -> None:
    node.reply("invert")(lambda number: 1 / number)
    plain = Plain(address + "d", mesh_name)
    assert plain.request("invert", 4) == 0.25
    with pytest.raises(RuntimeError, match="ZeroDivisionError: "):
        plain.request("invert", 0)
    with pytest.raises(RuntimeError, match="unserved"):
        plain.request("nothing", None)
    assert plain.request("invert", 2) == 0.5
    plain.close()


def test_a_goodbye_ends_a_wait_and_silence_does_too(mesh_name: str, node: meshmq.Node, address: str) -> None:
    stranger = Plain(address + "d", "another mesh")
    with pytest.raises(ConnectionError, match="mesh"):
        stranger.request("here", None)
    stranger.close()
    plain = Plain(address + "d", mesh_name, timeout=0.05)
    with pytest.raises(zmq.Again):
        plain.push("a queue that nobody pulls", 1)
    plain.close()


def test_all_values_of_a_batch_are_read_and_headers_are_passed_over(node: meshmq.Node, address: str) -> None:
    values = Plain.read(address + "t", "weather")
    with ThreadPoolExecutor() as pool:
        first: Future[object] = pool.submit(next, values)
        while not wait([first], timeout=0.02).done:
            node.publish("weather", 0)
    for number in range(1, 1_001):
        node.publish("weather", number, headers={"unit": "°C"} if number % 3 == 0 else None)
        node.publish("weathered", -number)  # begins as the topic does, and is another one
    node.publish("weather", b"x" * 100_000)  # too large for the topics link
    node.publish("weather", "last")
    read = list(iter(lambda: next(values), "last"))
    assert [value for value in read if value] == list(range(1, 1_001))
    values.close()
