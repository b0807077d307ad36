"""The mailbox: what was confirmed to its writers is read, however often it is killed."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from pathlib import Path
from random import Random

from meshmq.patterns.mailbox import keep

import meshmq
from tests.scale import scale


def serve(mesh: str, file: str) -> None:
    box = meshmq.Node("box", mesh=mesh, journal=file)
    keep(box, "letters", priority=3)
    box.run()


def started(mesh: str, file: Path) -> SpawnProcess:
    process = get_context("spawn").Process(target=serve, args=(mesh, str(file)), daemon=True)
    process.start()
    return process


def test_what_was_confirmed_is_read_though_the_mailbox_is_killed(mesh_name: str, tmp_path: Path) -> None:
    random, kills, pause = Random(7), scale(2, 30), threading.Event()
    count = 200 * kills
    box = started(mesh_name, tmp_path / "letters.db")
    with meshmq.Node("writer", mesh=mesh_name) as writer:
        for life in range(kills):
            writer.queue("letters").push_many(range(life * 200, life * 200 + 200))
            writer.wait_for(pull="letters", timeout=20)
            pause.wait(random.uniform(0.01, 0.1))  # somewhere in the middle
            box.kill()
            box.join(20)
            box = started(mesh_name, tmp_path / "letters.db")
        writer.flush(scale(20, 200))  # one after the other goes to disk, and nobody has read one
        with meshmq.Node("reader", mesh=mesh_name) as reader:
            read, unflagged, ids = Counter[int](), Counter[int](), set[str]()
            letters = reader.pull("letters.kept")
            while len(read) < count:
                letter = letters.receive(20)
                read[letter.data] += 1
                unflagged[letter.data] += not letter.redelivered
                ids.add(letter.id)
                assert letter.headers["from-sender"] == "writer"
            letters.close()
    box.terminate()
    box.join(20)
    assert box.exitcode == 0
    assert set(read) == set(range(count))
    assert len(ids) == count
    assert max(unflagged.values()) <= 1


def test_the_mailbox_confirms_what_it_has_on_disk_though_it_was_killed_before_it_said_so(
    mesh_name: str, tmp_path: Path
) -> None:
    with meshmq.Node("writer", mesh=mesh_name) as writer:
        writer.push("letters", "hello")
        doomed = get_context("spawn").Process(target=die_over_the_ack, args=(mesh_name, str(tmp_path / "box.db")))
        doomed.start()
        doomed.join(20)
        assert doomed.exitcode == -signal.SIGKILL
        with meshmq.Node("box", mesh=mesh_name, journal=tmp_path / "box.db") as box:
            assert box.queue("letters.kept").depth == 1
            keep(box, "letters")
            writer.flush(20)
            assert box.queue("letters.kept").depth == 1
            with writer.pull("letters.kept") as letters:
                assert letters.receive(20).data == "hello"


def die_over_the_ack(mesh: str, file: str) -> None:
    box = meshmq.Node("box", mesh=mesh, journal=file).open()
    for letter in box.pull("letters"):
        letter.push("letters.kept", letter.data, durable=True)
        signal.raise_signal(signal.SIGKILL)
