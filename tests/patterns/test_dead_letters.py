"""The office of dead letters: what it counts, alarms of, tries again and drops, whoever stops or is killed."""

from __future__ import annotations

import os
import signal
import threading
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from pathlib import Path

from meshmq.patterns.dead_letters import DeadLetterOffice

import meshmq
from tests.patterns.waiting import eventually


def push(mesh: str, name: str, file: str, jobs: list[str]) -> None:
    node = meshmq.Node(name, mesh=mesh, journal=file).open()
    for job in jobs:
        node.push("mails", job, durable=True, max_attempts=1)
    node.run()


def started(mesh: str, name: str, file: Path, *jobs: str) -> SpawnProcess:
    process = get_context("spawn").Process(target=push, args=(mesh, name, str(file), list(jobs)), daemon=True)
    process.start()
    return process


class Mailer:
    """Fails with what a mail says, until it is mended."""

    def __init__(self, node: meshmq.Node) -> None:
        self.mended, self.sent = set[str](), list[tuple[str, bool]]()
        node.pull("mails")(self._send)

    def _send(self, mail: str, message: meshmq.Message) -> None:
        reason = mail.partition(" ")[0]
        if reason not in self.mended:
            message.nack(reason=f"{reason}: {mail}")
        else:
            self.sent.append((mail, message.redelivered))


def test_letters_of_a_killed_node_come_again_and_are_tried_again(mesh_name: str, tmp_path: Path) -> None:
    alarms = list[tuple[str, str, int]]()
    with meshmq.Node("office", mesh=mesh_name) as node, meshmq.Node("mailer", mesh=mesh_name) as worker:
        mailer = Mailer(worker)
        office = DeadLetterOffice(node, ["mails"], lambda *said: alarms.append(said), at=2, hopeless=["nobody"])
        shop = started(mesh_name, "shop", tmp_path / "shop.db", "away 1", "nobody 1", "away 2")
        till = started(mesh_name, "till", tmp_path / "till.db", "away 3", "broken 1")
        kinds = [("mails", "away"), ("mails", "broken")]

        def counts() -> list[int]:
            found = office.look()
            return [len(found.get(kind, ())) for kind in kinds]

        eventually(lambda: counts() == [3, 1])
        shop.kill()
        shop.join(20)
        eventually(lambda: counts() == [1, 1])
        shop = started(mesh_name, "shop", tmp_path / "shop.db")
        eventually(lambda: counts() == [3, 1])
        assert {letter["node"] for letter in office.look()["mails", "away"]} == {"shop", "till"}
        assert office.retry("mails", "away", most=1) == 1  # it dies again
        eventually(lambda: counts() == [3, 1])
        mailer.mended.add("away")
        assert office.retry("mails", "away") == 3
        eventually(lambda: len(mailer.sent) == 3)
        assert counts() == [0, 1]
        for process in (shop, till):
            process.terminate()
            process.join(20)
    assert sorted(mailer.sent) == [("away 1", True), ("away 2", True), ("away 3", True)]
    assert all(alarm[:2] == kinds[0] for alarm in alarms)  # the hopeless and the single one alarmed nobody


def test_a_node_that_stands_still_holds_nobody_up_and_is_named(mesh_name: str, tmp_path: Path) -> None:
    with meshmq.Node("office", mesh=mesh_name) as node, meshmq.Node("mailer", mesh=mesh_name) as worker:
        Mailer(worker)
        office = DeadLetterOffice(node, ["mails"], lambda *said: None)
        shop = started(mesh_name, "shop", tmp_path / "shop.db", "away 1")
        eventually(office.look)
        assert shop.pid is not None
        os.kill(shop.pid, signal.SIGSTOP)
        office.patience = 3.0
        assert (office.look(), office.silent) == ({}, {"shop"})
        os.kill(shop.pid, signal.SIGCONT)
        office.patience = 20.0
        assert list(eventually(office.look)) == [("mails", "away")]
        assert office.silent == set()
        shop.kill()
        shop.join(20)


def test_it_alarms_at_a_number_and_when_that_has_doubled(mesh_name: str) -> None:
    alarms, over = list[int](), threading.Event()
    with meshmq.Node("office", mesh=mesh_name) as node, meshmq.Node("shop", mesh=mesh_name) as shop:
        mailer = Mailer(shop)
        mails = shop.queue("mails", max_attempts=1)
        office = DeadLetterOffice(node, ["mails"], lambda queue, kind, count: alarms.append(count), at=3)
        node.settle(20)
        for number in range(1, 8):
            mails.push(f"away {number}")
            shop.flush(20)
            office.look()
        assert alarms == [3, 6]
        mailer.mended.add("away")
        assert office.retry("mails", "away") == 7
        shop.flush(20)
        assert office.look() == {}
        mailer.mended.clear()
        watching = threading.Thread(target=office.watch, args=(over, 0.01))
        watching.start()
        mails.push_many(["away 1", "away 2", "away 3"])
        eventually(lambda: alarms[2:])
        over.set()
        watching.join()
    assert alarms == [3, 6, 3]
