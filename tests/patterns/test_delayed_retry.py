"""Delayed retry against a server that is really away: a port where nobody listens, and then somebody does."""

from __future__ import annotations

import os
import queue
import signal
import socket
import threading
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from meshmq.patterns.delayed_retry import DelayedRetry

import meshmq
from tests.patterns.waiting import eventually

Told = queue.SimpleQueue[tuple[Any, str]]


def call(port: int) -> Any:
    """Return what sends a text to a server and waits for its word."""

    def send(text: str) -> None:
        with closing(socket.create_connection(("127.0.0.1", port), 20)) as line:
            line.sendall(text.encode())
            if (word := line.recv(100)) != b"ok":
                raise DelayedRetry.Refused(word.decode())

    return send


def answer(server: socket.socket, words: dict[str, bytes], heard: list[str]) -> None:
    """Answer until the server's socket is closed."""
    while True:
        try:
            line, _ = server.accept()
        except OSError:
            return
        with line:
            heard.append(line.recv(100).decode())
            line.sendall(words.get(heard[-1], b"ok"))


def test_jobs_are_done_when_the_server_is_there_again_and_others_go_to_plan_b(mesh_name: str) -> None:
    told, heard = Told(), list[str]()
    with closing(socket.socket()) as server, meshmq.Node("worker", mesh=mesh_name) as worker:
        server.bind(("127.0.0.1", 0))  # bound, and nobody listens: who connects is refused
        DelayedRetry.work(worker, "mails", call(server.getsockname()[1]), away=(OSError,))
        with meshmq.Node("shop", mesh=mesh_name) as shop:
            mails = DelayedRetry(shop, "mails", lambda *job: told.put(job), ttl=60, backoff=(0.01, 0.05))
            late = mails.push("late", ttl=0.2)
            receipts = [mails.push(text) for text in ("one", "nobody", "two")]
            assert told.get(timeout=20) == ("late", "expired")
            assert late.outcome == "expired"
            eventually(lambda: shop.stats()["queues"]["mails"]["push"]["refused"] > 5)
            server.listen()
            answering = threading.Thread(target=answer, args=(server, {"nobody": b"no such address"}, heard))
            answering.start()
            assert [receipt.wait(20) for receipt in receipts] == ["done"] * 3
            assert told.get(timeout=20) == ("nobody", "no such address")
            server.shutdown(socket.SHUT_RDWR)
            answering.join(20)
    assert sorted(heard) == ["nobody", "one", "two"]
    assert told.empty()


def test_plan_b_that_raises_is_tried_again(mesh_name: str) -> None:
    told, failed = Told(), list[str]()

    def plan_b(data: Any, why: str) -> None:
        told.put((data, why))
        if not failed:
            failed.append(data)
            raise ConnectionError("not yet")

    with meshmq.Node("shop", mesh=mesh_name) as shop:
        mails = DelayedRetry(shop, "mails", plan_b, ttl=0.05)
        mails.push("one")  # nobody pulls
        assert mails.push("two").wait(20) == "expired"
        assert sorted(told.get(timeout=20)[0] for _ in range(3)) == ["one", "one", "two"]


def die_over_it(mesh: str, marks: str) -> None:
    def call(text: str) -> None:
        os.write(file.fileno(), b"called\n")
        if os.fstat(file.fileno()).st_size > 14:  # the third time
            signal.raise_signal(signal.SIGKILL)
        raise ConnectionError("away")

    with Path(marks).open("a") as file:
        worker = meshmq.Node("doomed", mesh=mesh)
        DelayedRetry.work(worker, "mails", call, away=(ConnectionError,))
        worker.run()


def test_what_a_killed_worker_had_is_tried_again_by_another(mesh_name: str, tmp_path: Path) -> None:
    marks, done = tmp_path / "marks", list[str]()
    doomed = get_context("spawn").Process(target=die_over_it, args=(mesh_name, str(marks)), daemon=True)
    with meshmq.Node("shop", mesh=mesh_name) as shop:
        mails = DelayedRetry(shop, "mails", lambda *job: None, ttl=60, backoff=(0.01, 0.05))
        receipt = mails.push("one")
        doomed.start()
        doomed.join(20)
        assert (doomed.exitcode, receipt.outcome) == (-signal.SIGKILL, None)
        with meshmq.Node("worker", mesh=mesh_name) as worker:
            DelayedRetry.work(worker, "mails", done.append, away=(ConnectionError,))
            assert receipt.wait(20) == "done"
    assert (done, marks.read_text()) == (["one"], "called\n" * 3)
