from __future__ import annotations

import threading
from collections.abc import Sequence

import zmq

from meshmq.links.base import Decider
from meshmq.links.engine import Engine
from tests.drivers.fakes import LIMIT, ToyDecider, ToyLinks, readable, take
from tests.scale import scale


class EchoLinks(ToyLinks):
    """A real DEALER in a nest, and a ROUTER in a thread of its own that sends everything back."""

    def __init__(self) -> None:
        super().__init__()
        self.context = zmq.Context()
        self.router = self.context.socket(zmq.ROUTER)
        self.dealer = self.context.socket(zmq.DEALER)
        self.dealer.linger = self.router.linger = 0
        self.dealer.connect(f"tcp://127.0.0.1:{self.router.bind_to_random_port('tcp://127.0.0.1')}")
        self.echo = threading.Thread(target=self._echo)
        self.echo.start()

    def _echo(self) -> None:
        while (frames := self.router.recv_multipart())[1] != b"end":
            self.router.send_multipart(frames)
        self.router.close()

    def fileno(self) -> int:
        return int(self.dealer.get(zmq.FD))

    def _readable(self) -> bool:
        return bool(int(self.dealer.get(zmq.EVENTS)) & zmq.POLLIN)

    def send(self, connection: int, frames: Sequence[bytes]) -> bool:
        self.dealer.send(frames[0], zmq.DONTWAIT)
        # What the send may have swallowed [F 4] is found by reading EVENTS, and told as a deadline.
        if self._readable():
            self.deadline = 0.0
        return True

    def step(self, decider: Decider, now: float) -> bool:
        self.deadline = None
        while self._readable():
            decider.receive(1, (b"answer", self.dealer.recv(zmq.DONTWAIT)), now)
        return False

    def close(self, linger: float) -> None:
        super().close(linger)
        self.dealer.send(b"end")
        self.echo.join(LIMIT)
        self.dealer.close()
        self.context.term()


def test_no_edge_of_a_real_socket_is_swallowed_in_the_nest() -> None:
    decider, links = ToyDecider(), EchoLinks()
    engine = Engine(decider, links, name="echo")
    done = threading.Event()

    def ask() -> None:  # beside the helm, two at a time, so that sends meet answers that arrive
        for number in range(scale(1_500, 10_000)):
            with engine.gate:
                decider.outputs.append(("send", 2, (b"ask",)))
                engine.flush()
            if number:
                take(engine, decider, b"answer")
        done.set()
        engine.wake()

    thread = threading.Thread(target=ask)
    thread.start()
    stalls = 0
    try:
        while not done.is_set() and not stalls:
            deadline = engine.deadline
            if deadline is None and not readable(engine, 2.0):
                stalls += 1
            engine.step()
        assert stalls == 0
    finally:
        engine.close(0.0)
        thread.join(LIMIT)
