"""DEALER and ROUTER: an echo; for several at a time a thread and a DEALER each."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import msgpack  # type: ignore[import-untyped]  # msgpack ships no types
import zmq

from meshmq.bench.plain.sockets import LIMIT_MS, LOOK_MS, bind
from meshmq.bench.trips import Ask, ask_all
from meshmq.bench.values import check_of, value_of
from meshmq.bench.work import Place, Work

if TYPE_CHECKING:
    from meshmq.bench.stage import Stage


def request(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Ask a share of the times, and tell how long it took."""
    value, check, pack, unpack = value_of(work), check_of(work), msgpack.packb, msgpack.unpackb

    def asker(socket: zmq.SyncSocket) -> Ask:
        socket.setsockopt(zmq.RCVTIMEO, LIMIT_MS)
        for address in addresses:
            socket.connect(address)

        def ask() -> None:
            socket.send(pack(value))
            check(unpack(socket.recv()))

        return ask

    with zmq.Context() as context, contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(context.socket(zmq.DEALER)) for _ in range(work.in_flight)]
        ask_all(stage, work, [asker(socket) for socket in sockets])
        stage.wait_for_stop()


def reply(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Answer, in a loop."""
    pack, unpack = msgpack.packb, msgpack.unpackb
    with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
        socket.setsockopt(zmq.RCVTIMEO, LOOK_MS)
        stage.tell(address=bind(socket, place.bind("echo", number)))
        while not stage.stopped:
            with contextlib.suppress(zmq.Again):
                who, body = socket.recv_multipart()
                socket.send_multipart([who, pack(unpack(body))])
