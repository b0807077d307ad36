"""nng by pynng, as its examples show: Push0 and Pull0, Pub0 and Sub0, Req0 and Rep0, with msgpack."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, Final

import msgpack  # type: ignore[import-untyped]  # msgpack ships no types
import pynng

from meshmq.bench.kinds import Side
from meshmq.bench.plain.publish import HEAD, HELLO
from meshmq.bench.publish import IDLE, heard
from meshmq.bench.trips import ask_all
from meshmq.bench.values import check_of, value_of
from meshmq.bench.work import LIMIT, Place, Work
from tests.bench.counted import Counted, push_counted

if TYPE_CHECKING:
    from meshmq.bench.stage import Stage

_HERE: Final = "tests.bench.pynng"
PUSH: Final = Side("pynng", f"{_HERE}:push", f"{_HERE}:pull", greets=True, counted=True, share=0.2)
PUBLISH: Final = Side("pynng", f"{_HERE}:publish", f"{_HERE}:subscribe", greets=True)
REQUEST: Final = Side("pynng", f"{_HERE}:request", f"{_HERE}:reply")
_LOOK_MS: Final = 50


def push(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Push the jobs."""
    value, pack = value_of(work), msgpack.packb
    with pynng.Push0(dial=addresses[0]) as socket:

        def send(count: int) -> None:
            for _ in range(count):
                socket.send(pack(value))

        push_counted(stage, work, send)


def pull(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Pull until all is here."""
    check, unpack, counted = check_of(work), msgpack.unpackb, Counted(stage, work)
    with pynng.Pull0(recv_timeout=_LOOK_MS) as socket:
        stage.tell(address=listen(socket, place, number))
        while not counted.over:
            with contextlib.suppress(pynng.Timeout):
                while not counted.over:
                    check(unpack(socket.recv()))
                    counted.add()
        stage.wait_for_stop()


def publish(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Publish the messages."""
    value, pack = value_of(work), msgpack.packb
    with pynng.Pub0() as socket:
        for address in addresses:
            socket.dial(address, block=True)
        stage.tell(ready=True)
        while not stage.wait_for_go(0.01):
            socket.send(HELLO)
        begun = time.perf_counter()
        for _ in range(work.share):
            socket.send(HEAD + pack(value))
        stage.tell(seconds=time.perf_counter() - begun)
        stage.wait_for_stop()


def subscribe(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Count what comes."""
    check, clock, unpack = check_of(work), time.perf_counter, msgpack.unpackb
    with pynng.Sub0(topics=HEAD, recv_timeout=int(LIMIT * 1000)) as socket:
        stage.tell(address=listen(socket, place, number))
        socket.recv()
        stage.tell(here=True)
        received, first, last = 0, 0.0, 0.0
        with contextlib.suppress(pynng.Timeout):
            while True:
                _, _, body = socket.recv().partition(b"\0")
                if not body[0]:  # a hello
                    continue
                check(unpack(body))
                last = clock()
                if not received:
                    first = last
                    socket.recv_timeout = int(IDLE * 1000)
                received += 1
        stage.tell(**heard(received, first, last))
        stage.wait_for_stop()


def request(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Ask a share of the times, and tell how long it took."""
    value, check, pack, unpack = value_of(work), check_of(work), msgpack.packb, msgpack.unpackb
    with pynng.Req0(dial=addresses[0]) as socket:

        def ask() -> None:
            socket.send(pack(value))
            check(unpack(socket.recv()))

        ask_all(stage, work, [ask])
        stage.wait_for_stop()


def reply(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Answer, in a loop."""
    pack, unpack = msgpack.packb, msgpack.unpackb
    with pynng.Rep0(recv_timeout=_LOOK_MS) as socket:
        stage.tell(address=listen(socket, place, number))
        while not stage.stopped:
            with contextlib.suppress(pynng.Timeout):
                socket.send(pack(unpack(socket.recv())))


def listen(socket: Any, place: Place, number: int) -> str:
    """Listen where the place says; return where that is."""
    if place.transport == "ipc":
        address = f"ipc://{place.directory}/nng{number}"
        socket.listen(address)
        return address
    listener = socket.listen("tcp://127.0.0.1:0")
    return f"tcp://{listener.local_address}"
