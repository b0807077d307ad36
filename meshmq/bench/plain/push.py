"""PUSH and PULL: nobody acks anything.

A pusher ends with marks, which name it, until each worker has answered one: a pipe keeps its order, so the time told is
until the last job has arrived. Each mark is a message of two frames, the first of them empty.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import msgpack  # type: ignore[import-untyped]  # msgpack ships no types
import zmq

from meshmq.bench.plain.sockets import LIMIT_MS, LOOK_MS, bind
from meshmq.bench.values import check_of, value_of
from meshmq.bench.work import Place, Work

if TYPE_CHECKING:
    from meshmq.bench.stage import Stage


def push(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Push a share of the jobs and tell how long it took until all had arrived."""
    value, pack, me = value_of(work), msgpack.packb, str(number).encode()
    with zmq.Context() as context, context.socket(zmq.PUSH) as out, context.socket(zmq.DEALER) as marks:
        connect(out, marks, me, addresses)
        all_arrived(out, marks, me, len(addresses))
        for _ in range(work.warm):
            out.send(pack(value))
        all_arrived(out, marks, me, len(addresses))
        stage.tell(ready=True)
        stage.wait_for_go()
        begun = time.perf_counter()
        for _ in range(work.share):
            out.send(pack(value))
        all_arrived(out, marks, me, len(addresses))
        stage.tell(seconds=time.perf_counter() - begun)
        stage.wait_for_stop()


def connect(out: zmq.SyncSocket, marks: zmq.SyncSocket, me: bytes, addresses: list[str]) -> None:
    """Connect to the workers, and tell each who this is."""
    marks.setsockopt(zmq.ROUTING_ID, me)
    marks.setsockopt(zmq.RCVTIMEO, LIMIT_MS)
    for address in addresses:
        jobs, _, answers = address.partition(" ")
        out.connect(jobs)
        marks.connect(answers)
    for _ in addresses:
        marks.send(b"")


def all_arrived(out: zmq.SyncSocket, marks: zmq.SyncSocket, me: bytes, workers: int) -> None:
    """Wait until each worker has had what was sent before."""
    had: set[bytes] = set()
    while len(had) < workers:
        for _ in range(workers):
            out.send_multipart((b"", me))
        had.update(marks.recv() for _ in range(workers))


def pull(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Pull until told to stop."""
    check, unpack = check_of(work), msgpack.unpackb
    with zmq.Context() as context, context.socket(zmq.PULL) as jobs, context.socket(zmq.ROUTER) as answers:
        open_worker(stage, jobs, answers, place, number)
        known: set[bytes] = set()
        had, receive = 0, jobs.recv
        while not stage.stopped:
            with contextlib.suppress(zmq.Again):
                while data := receive():
                    check(unpack(data))
                    had += 1
                answer_mark(jobs, answers, number, known)
    stage.tell(had=had)


def open_worker(stage: Stage, jobs: zmq.SyncSocket, answers: zmq.SyncSocket, place: Place, number: int) -> None:
    """Bind both sockets of a worker, and tell where."""
    stage.tell(address=f"{bind(jobs, place.bind('jobs', number))} {bind(answers, place.bind('answers', number))}")
    jobs.setsockopt(zmq.RCVTIMEO, LOOK_MS)
    answers.setsockopt(zmq.RCVTIMEO, LIMIT_MS)


def answer_mark(jobs: zmq.SyncSocket, answers: zmq.SyncSocket, number: int, known: set[bytes]) -> None:
    """Tell the pusher that its mark has come."""
    who = jobs.recv()
    while who not in known:
        known.add(answers.recv_multipart()[0])
    answers.send_multipart((who, b"%d" % number))
