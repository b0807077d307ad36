"""What is published to many, at full speed: ours, and PUB/SUB with msgpack, topic and value in one frame.

Nobody paces anybody: a subscriber takes what it can. It is over when nothing has come for a while.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final

import msgpack  # type: ignore[import-untyped]  # msgpack ships no types
import zmq

import meshmq
from tests.bench.mesh import JOB, LIMIT, address, check, only_tcp, surroundings
from tests.bench.plain import bind

if TYPE_CHECKING:
    from tests.bench.side import Stage

TOPIC: Final = "bench.values"
#: Longer than a topic must be quiet until the last number is told.
IDLE: Final = 0.6
HELLO: Final = b"\0"


def publish(
    stage: Stage, *, name: str, runtime: str, transport: str, count: int, subscribers: int, peers: list[str]
) -> None:
    """Publish ``count`` messages as soon as all subscribers are known."""
    with surroundings(name, runtime, peers, transport) as options, meshmq.Node(**options) as node:
        only_tcp(transport)
        node.wait_for(subscribe=TOPIC, count=subscribers, timeout=LIMIT)
        stage.tell(ready=True)
        stage.wait_for_go()
        begun = time.monotonic()
        for _ in range(count):
            node.publish(TOPIC, JOB)
        stage.tell(begun=begun, seconds=time.monotonic() - begun)
        stage.wait_for_stop()


def subscribe(stage: Stage, *, name: str, runtime: str, transport: str) -> None:
    """Count what comes, and tell what was missed."""
    with surroundings(name, runtime, [], transport) as options, meshmq.Node(**options) as node:
        only_tcp(transport)
        receiver = node.subscribe(TOPIC, idle=IDLE)
        stage.tell(address=address(node))
        clock = time.monotonic
        received, last = 0, 0.0
        while not received and not stage.stopped:  # it has not begun yet
            for message in receiver:
                check(message.data)
                received += 1
                last = clock()
        stage.tell(received=received, last=last, missed=receiver.missed)
        stage.wait_for_stop()


def publish_plainly(stage: Stage, *, address: str, count: int) -> None:
    """Publish ``count`` messages as soon as it is told to; hellos before, for nobody tells who has joined."""
    with zmq.Context() as context, context.socket(zmq.PUB) as out:
        out.setsockopt(zmq.LINGER, 1_000)
        stage.tell(address=bind(out, address))
        topic, pack = TOPIC.encode() + b"\0", msgpack.packb
        while not stage.wait_for_go(0.01):
            out.send(topic + HELLO)
        begun = time.monotonic()
        for _ in range(count):
            out.send(topic + pack(JOB))
        stage.tell(begun=begun, seconds=time.monotonic() - begun)
        stage.wait_for_stop()


def subscribe_plainly(stage: Stage, *, address: str) -> None:
    """Count what comes."""
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.setsockopt(zmq.SUBSCRIBE, TOPIC.encode() + b"\0")
        socket.setsockopt(zmq.RCVTIMEO, int(LIMIT * 1000))
        socket.connect(address)
        socket.recv()
        stage.tell(here=True)
        clock, receive, unpack = time.monotonic, socket.recv, msgpack.unpackb
        received, last = 0, 0.0
        with contextlib.suppress(zmq.Again):
            while True:
                _, _, body = receive().partition(b"\0")
                if body == HELLO:
                    continue
                check(unpack(body))
                received += 1
                last = clock()
                if received == 1:
                    socket.setsockopt(zmq.RCVTIMEO, int(IDLE * 1000))
        stage.tell(received=received, last=last)
        stage.wait_for_stop()
