"""What was answered stays: processes of which one serves and one stands by, killed and stopped."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

import meshmq
from tests.network.children import LIMIT
from tests.network.conftest import Spawn, spawn, start

__all__ = ["spawn", "start"]

SURE = 2.4  # a beat, an eighth of it, has to outlast what others take of the machine
SERVER = """
import asyncio, sys, meshmq
from meshmq.patterns.primary_backup import PrimaryBackup

def note(state, word):
    words = state.setdefault("words", [])
    if word is not None:
        words.append(word)
    return words

async def main(takeover=0.8):
    async with meshmq.AsyncNode(sys.argv[1], mesh=sys.argv[2]) as node:
        server = PrimaryBackup(node, "note", note, primary=sys.argv[1] == "primary", takeover=takeover)
        node.reply("in_step")(lambda _: server._at == server._theirs)
        await server.run()

asyncio.run(main(*map(float, sys.argv[3:])))
"""


def test_nothing_answered_is_lost_when_the_active_one_is_killed_under_load(spawn: Spawn, mesh_name: str) -> None:
    with meshmq.Node("client", mesh=mesh_name) as node, ThreadPoolExecutor(4) as pool:
        spawn(SERVER, "backup", mesh_name)
        node.wait_for(reply="note.backup", timeout=LIMIT)
        primary = spawn(SERVER, "primary", mesh_name)
        node.wait_for(reply="note", timeout=LIMIT)

        def tell(word: int) -> None:
            words = node.request("note", word, timeout=LIMIT, idempotent=True, retries=99)
            assert word in words
            if word == 50:
                primary.kill()

        list(pool.map(tell, range(100)))
        assert sorted(node.request("note", None, timeout=LIMIT)) == list(range(100))


@pytest.mark.stress
@pytest.mark.timeout(300)
def test_nothing_answered_is_lost_or_done_twice_while_one_after_the_other_dies(spawn: Spawn, mesh_name: str) -> None:
    servers = {name: spawn(SERVER, name, mesh_name, SURE) for name in ("primary", "backup")}
    with meshmq.Node("client", mesh=mesh_name) as node, ThreadPoolExecutor(3) as pool:
        numbers, over = itertools.count(), threading.Event()

        def tell() -> list[int]:
            told = list[int]()
            while not over.is_set():
                told.append(next(numbers))
                assert told[-1] in node.request("note", told[-1], timeout=LIMIT, idempotent=True, retries=39)
            return told

        def in_step() -> bool:
            with suppress(meshmq.AmbiguousPeer, meshmq.PeerLost):  # of one that was killed a moment ago
                return all(node.request("in_step", to=name, timeout=LIMIT) for name in servers)
            return False

        telling = [pool.submit(tell) for _ in range(3)]
        try:
            for _, victim in zip(range(40), itertools.cycle(servers), strict=False):
                while not in_step():
                    assert not [one.exception() for one in telling if one.done()]
                servers[victim].kill()
                servers[victim] = spawn(SERVER, victim, mesh_name, SURE)
        finally:
            over.set()
        answered = [number for one in telling for number in one.result(2 * LIMIT)]
        kept = node.request("note", None, timeout=LIMIT, idempotent=True, retries=39)
        assert sorted(kept) == sorted(answered)
        print(f"{len(answered)} answered over 40 kills, none lost, none twice")


def test_one_that_was_stopped_asks_the_other_one_when_it_wakes(spawn: Spawn, mesh_name: str) -> None:
    with meshmq.Node("client", mesh=mesh_name) as node, ThreadPoolExecutor(1) as pool:
        spawn(SERVER, "backup", mesh_name)
        node.wait_for(reply="note.backup", timeout=LIMIT)
        primary = spawn(SERVER, "primary", mesh_name)
        assert node.request("note", "one", timeout=LIMIT) == ["one"]
        primary.stop()
        late = pool.submit(node.request, "note", "late", to="primary", timeout=LIMIT)
        assert node.request("note", "two", timeout=LIMIT, idempotent=True, retries=99) == ["one", "two"]
        primary.resume()
        with suppress(meshmq.PeerLost):  # where the stop was longer than sessions last
            assert late.result(LIMIT) == ["one", "two", "late"]
        words = node.request("note", "three", timeout=LIMIT, idempotent=True, retries=99)
        assert [word for word in words if word != "late"] == ["one", "two", "three"]
        assert words.count("late") <= 1
