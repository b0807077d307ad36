"""The same by bare sockets, run as a file: whoever writes it by hand does not import MeshMQ."""

from __future__ import annotations

import sys
import time

import msgpack  # type: ignore[import-untyped]  # msgpack ships no types
import zmq


def main(jobs: str, answers: str) -> None:
    """Push one job to a worker, and wait until it has answered a mark."""
    me = b"%f" % time.perf_counter()
    with zmq.Context() as context, context.socket(zmq.PUSH) as out, context.socket(zmq.DEALER) as marks:
        marks.setsockopt(zmq.ROUTING_ID, me)
        marks.setsockopt(zmq.RCVTIMEO, 60_000)
        out.connect(jobs)
        marks.connect(answers)
        marks.send(b"")
        out.send(msgpack.packb({"id": 12345, "name": "kitchen", "temp": 21.5, "ok": True}))
        out.send_multipart((b"", me))
        marks.recv()
        sys.stdout.write(f"{time.perf_counter()}\n")


if __name__ == "__main__":
    main(*sys.argv[1:3])
