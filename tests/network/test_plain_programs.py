"""Programs that know ZeroMQ, MessagePack and PROTOCOL.md alone share out jobs with a node."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import meshmq.wire
from meshmq import Node
from meshmq.errors import WouldBlock
from meshmq.waiting import Wish
from tests.network.conftest import Spawn

TEXT = (Path(meshmq.wire.__file__).parent / "PROTOCOL.md").read_text()
MOST_LINES = 30


def program(name: str) -> str:
    """Return the program that stands in PROTOCOL.md under this name."""
    found = re.search(rf"<!-- {name}: .*?-->\n```python\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None
    return found[1]


def direct_address(runtime_directory: Path) -> str:
    (socket,) = runtime_directory.glob("*/*.d")
    return f"ipc://{socket}"


def topics_address(runtime_directory: Path) -> str:
    (socket,) = runtime_directory.glob("*/*.t")
    return f"ipc://{socket}"


def heard(node: Node) -> None:
    """Wait until somebody has subscribed to the topics link of a node, who tells it in no other way."""
    _, participant = node._opened()

    def attempt(now: float, since: float) -> None:
        if not participant.feed.publisher.tuned:
            raise WouldBlock

    node._wait(Wish(("tuned",), attempt, lambda: "a plain subscriber", retry=0.02, takes=False), 20)


@pytest.mark.parametrize("name", ["subscribe", "push", "pull", "call", "serve"])
def test_a_plain_program_is_short(name: str) -> None:
    assert len([line for line in program(name).splitlines() if line]) <= MOST_LINES
    assert set(re.findall(r"^import (.*)$", program(name), re.MULTILINE)) == {"struct, sys", "msgpack, zmq"}


def test_a_plain_program_reads_a_topic_of_a_node(spawn: Spawn, runtime_directory: Path) -> None:
    with Node("publisher") as node:
        child = spawn(program("subscribe"), topics_address(runtime_directory))
        assert child.line(20) == "connected"
        heard(node)
        node.publish("weather.kitchen", {"temp": 21.5})
        node.publish("weather.kitchen.window", "not asked for")
        node.publish("weather.kitchen", bytes(100_000))  # too large for the topics link
        node.publish("weather.kitchen", "colder", headers={"unit": "°C"})
        node.publish("weather.kitchen", 20)
        assert child.wait(20) == 0, child.stderr
        assert child.rest() == ["1 {'temp': 21.5} ", "3 colder after 1 missed", "4 20 "]


def test_a_plain_program_pushes_to_a_node(spawn: Spawn, runtime_directory: Path) -> None:
    with Node("worker") as node:
        receiver = node.pull("jobs")
        child = spawn(program("push"), direct_address(runtime_directory))
        message = receiver.receive(timeout=20)
        assert (message.data, message.attempt) == ({"n": 1}, 1)
        message.ack()
        assert child.wait(20) == 0
        assert child.rest() == ["done"]
        receiver.close()


def test_a_plain_program_pulls_from_a_node(spawn: Spawn, runtime_directory: Path) -> None:
    with Node("pusher") as node:
        node.push("jobs", {"n": 7, "what": "plain"})
        child = spawn(program("pull"), direct_address(runtime_directory))
        node.flush(timeout=20)
        assert child.wait(20) == 0
        assert child.rest() == ["{'n': 7, 'what': 'plain'}"]
        assert node.stats()["queues"]["jobs"]["push"]["acked"] == 1


def test_a_job_of_a_plain_program_that_is_killed_comes_back(spawn: Spawn, runtime_directory: Path) -> None:
    with Node("pusher") as node:
        node.push("jobs", 1)
        # Takes the job, shows it, and waits for ever where it should ack.
        thief = program("pull").replace("        acks =", "        sys.stdin.read()\n        acks =")
        child = spawn(thief, direct_address(runtime_directory))
        child.line(20)
        child.kill()
        with Node("worker") as worker, worker.pull("jobs") as receiver:
            message = receiver.receive(timeout=20)
            assert (message.data, message.attempt) == (1, 2)
            message.ack()
            node.flush(timeout=20)


def test_a_plain_program_calls_a_service_of_a_node(spawn: Spawn, runtime_directory: Path) -> None:
    with Node("server") as node, node.reply("add") as requests:
        child = spawn(program("call"), direct_address(runtime_directory))
        request = requests.receive(timeout=20)
        request.reply(sum(request.data))
        assert child.wait(20) == 0
        assert child.rest() == ["0 3"]


def test_a_plain_program_is_told_what_a_node_does_not_serve(spawn: Spawn, runtime_directory: Path) -> None:
    with Node("server"):
        child = spawn(program("call"), direct_address(runtime_directory))
        assert child.wait(20) == 0
        assert child.rest() == ["4 unserved"]


def test_a_plain_program_serves_a_node(spawn: Spawn, runtime_directory: Path) -> None:
    with Node("caller") as node:
        child = spawn(program("serve"), direct_address(runtime_directory))
        assert node.request("add", [1, 2, 3], timeout=20) == 6
        assert child.wait(20) == 0
        assert child.rest() == ["served add"]
