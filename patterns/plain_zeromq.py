"""Take part in a mesh from a program that has ZeroMQ and MessagePack, and no MeshMQ.

*Problem*: a program in another language has to push jobs, call a service or read a topic, and needs no node for that.

*How it works*: ``meshmq/wire/PROTOCOL.md`` says what goes over the wire. ``Plain`` is what a client needs of it: a
``DEALER`` to a node's direct address (``<id>.d``) for jobs and calls, a ``SUB`` to its topics address (``<id>.t``).

*Limits*: it talks to one node, without a secret (with one add CURVE), and pushes into one queue. Values are plain
MessagePack of at most 64 KiB. After a break, or ``zmq.Again`` (nothing came in time), a job without an ack has to be
pushed anew, and may be done twice. What is published before the ``SUB`` is connected is missed.

*Run*::

    $ meshmq recipe run plain_zeromq
    1 + 2 + 3 = 6
    pushed, published, and read: 21.5
"""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from struct import pack, unpack_from
from typing import Any

import msgpack  # type: ignore[import-untyped]  # msgpack ships no types
import zmq

import meshmq

HELLO, BYE, COVER, OFFER, GRANT, JOBS, ACKS, SETTLE, REQUEST, ANSWER = 1, 2, 4, 17, 18, 19, 20, 21, 30, 31


class Plain:
    """A client of the node whose direct address is given."""

    def __init__(self, address: str, mesh: str = "default", timeout: float = 20) -> None:
        self._id, self._timeout = secrets.token_bytes(16), timeout
        self._sent = self._received = self._granted = self._pushed = 0
        self._socket = zmq.Context().socket(zmq.DEALER)
        self._socket.setsockopt(zmq.RCVTIMEO, int(1_000 * timeout))
        self._socket.connect(address)
        self._send(HELLO, msgpack.packb([self._id, "plain", mesh, secrets.token_bytes(8), 0, False]))

    def push(self, queue: str, value: Any) -> None:
        """Hand over one job; returns when it is done."""
        self._send(OFFER, msgpack.packb([queue, 1]))
        while self._granted <= self._pushed:
            self._granted = msgpack.unpackb(self._receive(GRANT))[1]
        self._pushed += 1
        name, body = queue.encode(), msgpack.packb(value)
        fixed = pack("!16sQIHBIfI", self._id, self._pushed, 1, 1, 0, 0, 0.0, len(body))
        self._send(JOBS, bytes([len(name)]) + name + fixed + body)
        acks: list[Any] = [0, 0, 0, []]
        while not any(row[2] for row in acks[3]):
            acks = msgpack.unpackb(self._receive(ACKS))
        self._granted = acks[1]

    def request(self, service: str, value: Any) -> Any:
        """Return the node's answer; ``RuntimeError`` where it has none."""
        fields = msgpack.packb([secrets.token_bytes(16), service, self._timeout, 0, 1, 0, None])
        self._send(REQUEST, pack("!I", len(fields)) + fields + msgpack.packb(value))
        answer = self._receive(ANSWER)
        split = 4 + unpack_from("!I", answer)[0]
        _, status, _, word = msgpack.unpackb(answer[4:split])[:4]
        if status:
            raise RuntimeError(word or ": ".join(msgpack.unpackb(answer[split:])[:2]))
        return msgpack.unpackb(answer[split:])

    @staticmethod
    def read(address: str, topic: str) -> Iterator[Any]:
        """Yield what a node publishes to a topic; ``address`` is that of its topics link."""
        with zmq.Context() as context, context.socket(zmq.SUB) as socket:
            socket.subscribe(start := topic.encode() + b"\0")
            socket.connect(address)
            while True:
                news = socket.recv()[len(start) :]
                *_, count, flags, _ = unpack_from("!2sBB16sQIQIBf", news)
                values = msgpack.Unpacker()  # none are here where they are too large for this link
                values.feed(news[49 + (4 + unpack_from("!I", news, 49)[0] if flags & 1 else 0) + 4 * count :])
                yield from values

    def close(self) -> None:
        """Say goodbye."""
        self._send(BYE, msgpack.packb(["left", 0]))
        self._socket.context.destroy(linger=1_000)

    def _send(self, kind: int, body: bytes = b"") -> None:
        self._sent += kind >= 16
        self._socket.send(pack("!2sBBQQ", b"MQ", 2, kind, self._sent * (kind >= 16), self._received) + body)

    def _receive(self, wanted: int) -> bytes:
        while True:
            frame = self._socket.recv()
            kind, self._received = frame[3], max(self._received, unpack_from("!Q", frame, 4)[0])
            if kind in (BYE, SETTLE):
                raise ConnectionError(f"the node says {msgpack.unpackb(frame[20:])}")
            self._send(COVER)  # it has come; this answers PING, too
            if kind == wanted:
                return frame[20:]


def demo() -> None:
    """Push, call and read beside a node."""
    mesh = f"plain-{secrets.token_hex(4)}"
    with meshmq.Node("node", mesh=mesh) as node, meshmq.Node("other", mesh=mesh) as other, ThreadPoolExecutor() as pool:
        node.pull("jobs")(lambda job: node.publish("weather", job))
        node.reply("add")(sum)
        other.wait_for(reply="add", timeout=20)
        address = other.peers()[0].addresses[0].removesuffix("c")  # control is <id>.c
        plain = Plain(address + "d", mesh)
        print("1 + 2 + 3 =", plain.request("add", [1, 2, 3]), flush=True)
        value = pool.submit(next, Plain.read(address + "t", "weather"))
        while not wait([value], timeout=0.02).done:
            plain.push("jobs", 21.5)
        print("pushed, published, and read:", value.result())
        plain.close()


if __name__ == "__main__":
    demo()
