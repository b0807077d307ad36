"""Durable requests: caller and server are killed, and every request has its answer, once."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from pathlib import Path
from random import Random
from typing import Any

import pytest
from meshmq.patterns.durable_requests import DurableRequests

import meshmq
from tests.patterns.waiting import eventually
from tests.scale import scale


def call(mesh: str, place: str, count: int) -> None:
    """Ask everything, in each life again, and write down what the answers are."""
    with (
        meshmq.Node("caller", mesh=mesh, journal=f"{place}/caller.db") as node,
        Path(place, "answers").open("a") as file,
    ):
        requests = DurableRequests(node, "square")
        for number in range(count):
            requests.ask(f"{number} squared", number)
        for message in requests.answers():
            name, answer = message.data
            os.write(file.fileno(), f"{name.split()[0]} {answer} {int(message.redelivered)}\n".encode())


def serve(mesh: str, place: str) -> None:
    node = meshmq.Node("server", mesh=mesh, journal=f"{place}/server.db")

    def square(number: int) -> int:
        with Path(place, "runs").open("a") as file:
            file.write(f"{number}\n")
        if number == 3 and not Path(place, "died").exists():
            Path(place, "died").touch()
            signal.raise_signal(signal.SIGKILL)
        return number**2

    DurableRequests.serve(node, "square", square)
    node.run()


def started(target: Any, *arguments: Any) -> SpawnProcess:
    process = get_context("spawn").Process(target=target, args=arguments, daemon=True)
    process.start()
    return process


def told(place: Path) -> list[list[int]]:
    """Return what was written down: the number, the answer, whether it was flagged."""
    file = place / "answers"
    lines = file.read_text().splitlines(keepends=True) if file.exists() else []
    return [[int(word) for word in line.split()] for line in lines if line.endswith("\n")]


@pytest.mark.stress
def test_every_request_has_its_answer_once_though_all_are_killed(mesh_name: str, tmp_path: Path) -> None:
    random, pause, kills, count = Random(3), threading.Event(), scale(2, 20), 60
    server, caller = started(serve, mesh_name, str(tmp_path)), started(call, mesh_name, str(tmp_path), count)
    server.join(20)  # request 3 killed it
    assert server.exitcode == -signal.SIGKILL
    server = started(serve, mesh_name, str(tmp_path))
    for _ in range(kills):
        pause.wait(random.uniform(0.0, 0.4))
        for process in random.choice(([caller], [server], [caller, server])):
            process.kill()
            process.join(20)
        server = server if server.is_alive() else started(serve, mesh_name, str(tmp_path))
        caller = caller if caller.is_alive() else started(call, mesh_name, str(tmp_path), count)
    eventually(lambda: len({number for number, _, _ in told(tmp_path)}) == count)
    for process in (caller, server):
        process.kill()
        process.join(20)
    answers = told(tmp_path)
    assert all(answer == number**2 for number, answer, _ in answers)
    # One that a killed caller may have had in hand comes again, and says so: all of them, where it had them all. So the
    # others are there once.
    assert max(Counter(number for number, _, flagged in answers if not flagged).values(), default=1) == 1
    assert len(answers) - count <= kills
    assert Counter((tmp_path / "runs").read_text().split())["3"] >= 2  # what killed the server was done by the next


def test_an_answer_that_comes_twice_is_taken_once(mesh_name: str, tmp_path: Path) -> None:
    caller = meshmq.Node("caller", mesh=mesh_name, journal=tmp_path / "caller.db")
    with caller, meshmq.Node("server", mesh=mesh_name) as server:
        requests = DurableRequests(caller, "square")
        for answer in (1, 1, 4):
            server.push("square.answers.caller", [str(answer), answer])
        server.flush(20)
        answers = requests.answers(idle=2)
        assert [message.data[1] for message in answers] == [1, 4]


def test_what_cannot_be_answered_is_a_dead_letter_at_the_caller(mesh_name: str, tmp_path: Path) -> None:
    caller = meshmq.Node("caller", mesh=mesh_name, journal=tmp_path / "caller.db")
    server = meshmq.Node("server", mesh=mesh_name, journal=tmp_path / "server.db")
    with caller, server:
        DurableRequests.serve(server, "half", lambda number: number / 0)
        requests = DurableRequests(caller, "half", attempts=1)
        assert [requests.ask("a", 1), requests.ask("a", 1)] == [True, False]
        (letter,) = eventually(lambda: caller.queue("half").dead.list())
        assert "ZeroDivisionError" in letter.reason
        with pytest.raises(StopIteration):
            next(requests.answers(idle=0.1))
