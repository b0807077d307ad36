"""The partitioned stream: publisher and readers are killed; each key's events come in order, none left out."""

from __future__ import annotations

import itertools
import os
import threading
from collections import Counter, defaultdict
from functools import partial
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from pathlib import Path
from random import Random
from typing import Any

import pytest
from meshmq.patterns.partitioned_stream import PartitionedStream

import meshmq
from tests.patterns.waiting import eventually
from tests.scale import scale

KEYS = [f"key {number}" for number in range(5)]


def publish(mesh: str, file: str, life: int) -> None:
    """Append as fast as one can for as long as one lives; the last life only feeds."""
    node = meshmq.Node("shop", mesh=mesh, journal=file).open()
    stream = PartitionedStream(node, "sold", ["bills"])
    for number in itertools.count() if life >= 0 else ():
        stream.append(KEYS[number % len(KEYS)], [life, number])
        threading.Event().wait(0.005)
    node.run()


def read(mesh: str, file: str, name: str) -> None:
    with Path(file).open("a") as seen:
        for message in PartitionedStream.read(meshmq.Node(name, mesh=mesh), "sold", "bills"):
            number, key, _ = message.data
            os.write(seen.fileno(), f"{number},{key},{int(message.redelivered)}\n".encode())


def started(target: Any, *arguments: Any) -> SpawnProcess:
    process = get_context("spawn").Process(target=target, args=arguments, daemon=True)
    process.start()
    return process


def killed(process: SpawnProcess) -> None:
    process.kill()
    process.join(20)


@pytest.mark.stress
@pytest.mark.timeout(scale(60, 300))
def test_each_key_is_in_order_though_the_publisher_and_readers_are_killed(mesh_name: str, tmp_path: Path) -> None:
    random, pause, kills = Random(11), threading.Event(), scale(1, 5)
    journal, file = str(tmp_path / "shop.db"), tmp_path / "seen"
    file.touch()
    readers = [started(read, mesh_name, str(file), f"reader-{number}") for number in range(2)]
    for life in range(kills):
        shop, enough = started(publish, mesh_name, journal, life), len(file.read_text()) + 200
        eventually(partial(lambda enough: len(file.read_text()) > enough, enough))
        pause.wait(random.uniform(0, 0.2))
        killed(readers[0])
        readers = [readers[1], started(read, mesh_name, str(file), f"reader-{life + 2}")]
        pause.wait(random.uniform(0, 0.2))
        killed(shop)
    shop = started(publish, mesh_name, journal, -1)
    with meshmq.Node("auditor", mesh=mesh_name) as auditor:
        auditor.wait_for(pull="sold.bills", timeout=20)
        log = eventually(lambda: PartitionedStream.replay(auditor, "sold", 1, scale(2.0, 10.0)))

        def seen() -> list[tuple[int, str, bool]]:
            lines = [line.split(",") for line in file.read_text().splitlines()]
            return [(int(number), key, flagged == "1") for number, key, flagged in lines]

        eventually(lambda: len({number for number, _, _ in seen()}) == len(log))
        later = PartitionedStream.replay(auditor, "sold", len(log) - 9, scale(2.0, 10.0))
    for process in (shop, *readers):
        killed(process)
    assert [number for number, _, _ in log] == list(range(1, len(log) + 1))
    assert later == log[-10:]
    assert [data for number, _, data in log] == sorted(data for _, _, data in log)  # as it was appended
    firsts = defaultdict[str, list[int]](list)
    for number, key, _ in seen():
        if number not in firsts[key]:
            firsts[key].append(number)
    assert firsts == {key: [number for number, own, _ in log if own == key] for key in KEYS}
    assert max(Counter(number for number, _, flagged in seen() if not flagged).values()) == 1


def test_a_group_that_comes_later_has_all_from_the_beginning(mesh_name: str, tmp_path: Path) -> None:
    for groups, expected in ((["bills"], 3), (["bills", "audit"], 6)):
        shop = meshmq.Node("shop", mesh=mesh_name, journal=tmp_path / "shop.db")
        with shop, meshmq.Node("reader", mesh=mesh_name) as reader:
            stream = PartitionedStream(shop, "sold", groups)
            for number in range(expected - 3, expected):
                stream.append("Ann", number)
            with PartitionedStream.read(reader, "sold", groups[-1]) as events:
                assert [events.receive(20).data[2] for _ in range(expected)] == list(range(expected))
            with PartitionedStream.read(reader, "sold", "bills") as events:
                if groups[-1] != "bills":
                    assert [events.receive(20).data[2] for _ in range(3)] == [3, 4, 5]
            shop.flush(20)


def test_more_than_waits_for_its_groups_is_taken_from_the_log(mesh_name: str, tmp_path: Path) -> None:
    settings, count = meshmq.Settings(outbox_jobs=20, subscriber_messages=20, journal_sync="normal"), 200
    shop = meshmq.Node("shop", mesh=mesh_name, journal=tmp_path / "shop.db", settings=settings)
    with shop, meshmq.Node("reader", mesh=mesh_name) as reader:
        stream = PartitionedStream(shop, "sold", ["bills"])
        for number in range(count):
            stream.append(KEYS[number % 5], number)
        eventually(lambda: shop.queue("sold.bills").depth >= 20)
        done: list[int] = []
        PartitionedStream.read(reader, "sold", "bills")(lambda event: done.append(event[2]))
        eventually(lambda: len(done) == count)
        shop.flush(20)
    assert sorted(done) == list(range(count))
