"""Plain ZeroMQ sockets that try every link of a node, with no key, a key of their own, or the mesh's own.

Each tells ``in SOCKET KEY`` when its handshake succeeds and ``out SOCKET KEY`` when it fails for the
second time (the first may be a node that is not yet there); ``heard SOCKET KEY`` when anything arrives.
Arguments: HOST PORT, and the mesh's secret where its keys are to be used.
"""

from __future__ import annotations

import sys
from collections import Counter

import zmq

from meshmq.links.security import derive
from meshmq.wire.frames import Hello, Kind, pack_head, pack_hello

KINDS = {
    "SUB": (zmq.SUB, 0),
    "XSUB": (zmq.XSUB, 0),
    "DEALER": (zmq.DEALER, 2),
    "PUSH": (zmq.PUSH, 2),
    "REQ": (zmq.REQ, 2),
}
FAILED = (
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_DISCONNECTED
)
HELLO = pack_head(Kind.HELLO, 0, 0) + pack_hello(Hello(b"I" * 16, "intruder", "default", b"sessions", 0, False))


def keyed(context: zmq.Context[zmq.SyncSocket], kind: int, key: str) -> zmq.SyncSocket:
    socket = context.socket(kind)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.RECONNECT_IVL, 50)
    if key != "none":
        public, secret = zmq.curve_keypair()
        keys = derive(sys.argv[3] if key == "right" else "another secret of the same length")
        if key == "right":
            public, secret = keys.client_public, keys.client_secret
        socket.setsockopt(zmq.CURVE_SERVERKEY, keys.server_public)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, public)
        socket.setsockopt(zmq.CURVE_SECRETKEY, secret)
    return socket


def main() -> None:
    host, port = sys.argv[1], int(sys.argv[2])
    keys = ["right"] if len(sys.argv) > 3 else ["none", "own"]
    context: zmq.Context[zmq.SyncSocket] = zmq.Context()
    poller = zmq.Poller()
    monitors: dict[object, tuple[str, zmq.SyncSocket]] = {}
    sockets: dict[object, str] = {}
    for name, (kind, offset) in KINDS.items():
        for key in keys:
            socket = keyed(context, kind, key)
            monitor = socket.get_monitor_socket(FAILED | zmq.EVENT_HANDSHAKE_SUCCEEDED)
            if kind == zmq.SUB:
                socket.setsockopt(zmq.SUBSCRIBE, b"")
            socket.connect(f"tcp://{host}:{port + offset}")
            if kind == zmq.XSUB:
                socket.send(b"\1card")
            elif kind != zmq.SUB:
                socket.send(HELLO)
            monitors[monitor] = (f"{name} {key}", socket)
            poller.register(monitor, zmq.POLLIN)
            if kind != zmq.PUSH:
                sockets[socket] = f"{name} {key}"
                poller.register(socket, zmq.POLLIN)
    failures: Counter[str] = Counter()
    while True:
        for ready, _ in poller.poll():
            if ready in sockets:
                ready.recv_multipart()
                print("heard", sockets[ready], flush=True)
                continue
            who, _ = monitors[ready]
            event = int.from_bytes(ready.recv_multipart()[0][:2], sys.byteorder)
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                print("in", who, flush=True)
            else:
                failures[who] += 1
                if failures[who] == 2:
                    print("out", who, flush=True)


if __name__ == "__main__":
    main()
