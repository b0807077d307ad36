"""A publisher of a durable topic dies at random and comes again: its numbers go on, and who listens misses nothing."""

from __future__ import annotations

import threading
from pathlib import Path
from random import Random
from typing import Final

import pytest

import meshmq
from tests.network.children import LIMIT
from tests.network.conftest import Spawn
from tests.scale import scale

PUBLISHER: Final = Path(__file__).parent / "programs" / "durable_publisher.py"
LIVES: Final = scale(3, 30)


@pytest.mark.timeout(scale(120, 600))
def test_numbers_go_on_and_nothing_on_disk_is_missed_or_heard_twice(
    spawn: Spawn, mesh_name: str, tmp_path: Path
) -> None:
    random, pause = Random(7), threading.Event()
    heard: list[tuple[str, int, int]] = []
    with meshmq.Node("reader", mesh=mesh_name) as reader:
        news = reader.subscribe("prices.tea", since="first", capacity=1_000_000)

        def listen() -> None:
            heard.extend((message.data, message.seq, message.gap) for message in news)

        listener = threading.Thread(target=listen)
        listener.start()
        env = {"MESHMQ_MESH": mesh_name}
        for life in range(LIVES):
            child = spawn(PUBLISHER, tmp_path / "shop.db", life, 100_000, env=env)
            child.line(LIMIT)
            pause.wait(random.uniform(0.05, 0.4))
            child.kill()
        with meshmq.Node("shop", mesh=mesh_name, journal=tmp_path / "shop.db") as last:
            last.topic("prices.tea", history=100_000, durable=True)
            last.publish("prices.tea", "the end")
            with last.subscribe("prices.tea", since="first", capacity=1_000_000) as again:
                kept: list[tuple[str, int]] = []
                while not kept or kept[-1][0] != "the end":
                    message = again.receive(LIMIT)
                    kept.append((message.data, message.seq))
            while not heard or heard[-1][0] != "the end":
                pause.wait(0.01)
        news.close()
        listener.join(LIMIT)
    # What the journal holds is whole and in order, and it is what the reader heard, each once.
    assert [seq for _, seq in kept] == list(range(1, len(kept) + 1))
    assert [(data, seq) for data, seq, _ in heard] == kept
    assert all(gap == 0 for _, _, gap in heard)
    assert news.missed == 0
    by_life = [
        [int(data.split(".")[1]) for data, _ in kept[:-1] if data.split(".")[0] == str(life)] for life in range(LIVES)
    ]
    assert all(numbers == list(range(len(numbers))) for numbers in by_life)
    print(f"{LIVES} kills, {len(heard)} messages heard, each once and in order")
