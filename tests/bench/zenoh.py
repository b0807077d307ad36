"""eclipse-zenoh, peer to peer: publishers that wait for slow subscribers (congestion control BLOCK), with msgpack."""

from __future__ import annotations

import json
import queue
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import msgpack  # type: ignore[import-untyped]  # msgpack ships no types
import zenoh

from meshmq.bench.kinds import Side
from meshmq.bench.publish import IDLE, heard
from meshmq.bench.values import check_of, value_of
from meshmq.bench.work import LIMIT, Place, Work

if TYPE_CHECKING:
    from meshmq.bench.stage import Stage

_HERE: Final = "tests.bench.zenoh"
PUBLISH: Final = Side("zenoh BLOCK", f"{_HERE}:publish", f"{_HERE}:subscribe", greets=True)
KEY: Final = "bench/values"
HELLO: Final = b"\0"


def publish(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Publish the messages."""
    value, pack = value_of(work), msgpack.packb
    with zenoh.open(_config("connect", addresses)) as session:
        publisher = session.declare_publisher(KEY, congestion_control=zenoh.CongestionControl.BLOCK)
        stage.tell(ready=True)
        while not stage.wait_for_go(0.01):
            publisher.put(HELLO)
        begun = time.perf_counter()
        for _ in range(work.share):
            publisher.put(pack(value))
        stage.tell(seconds=time.perf_counter() - begun)
        stage.wait_for_stop()


def subscribe(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Count what comes, in the callback of the subscriber: its quickest way."""
    check, clock, unpack = check_of(work), time.perf_counter, msgpack.unpackb
    here = threading.Event()
    received, first, last = 0, 0.0, 0.0
    wrong: queue.SimpleQueue[Exception] = queue.SimpleQueue()

    def hear(sample: Any) -> None:
        nonlocal received, first, last
        body = sample.payload.to_bytes()
        if not body[0]:  # a hello
            here.set()
            return
        try:
            check(unpack(body))
        except Exception as error:
            wrong.put(error)
        last = clock()
        first = first or last
        received += 1

    address = _free_address(place, number)
    with zenoh.open(_config("listen", [address])) as session:
        subscriber: Any = session.declare_subscriber(KEY, hear)
        stage.tell(address=address)
        if not here.wait(LIMIT):
            raise TimeoutError("no publisher was heard")
        stage.tell(here=True)
        before, pause = -1, threading.Event()
        while not received or received != before:
            before = received
            pause.wait(IDLE)
        if not wrong.empty():
            raise wrong.get()
        stage.tell(**heard(received, first, last))
        stage.wait_for_stop()
        subscriber.undeclare()


def _config(end: str, addresses: list[str]) -> Any:
    config = zenoh.Config()
    config.insert_json5("mode", json.dumps("peer"))
    config.insert_json5("scouting/multicast/enabled", "false")
    config.insert_json5("scouting/gossip/enabled", "false")
    config.insert_json5("listen/endpoints", json.dumps(addresses if end == "listen" else []))
    config.insert_json5("connect/endpoints", json.dumps(addresses if end == "connect" else []))
    return config


def _free_address(place: Place, number: int) -> str:
    if place.transport == "ipc":
        return f"unixsock-stream/{place.directory}/zenoh{number}"
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"tcp/127.0.0.1:{free.getsockname()[1]}"
