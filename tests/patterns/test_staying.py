"""What was answered stays: a server with another one behind it, killed and cut off."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from meshmq.patterns.primary_backup import PrimaryBackup

import meshmq
from meshmq.testing import Network
from tests.network.children import LIMIT

TAKEOVER = 0.4
SLOW = 2.4


def note(state: dict[str, Any], word: str) -> list[str]:
    if word == "bad":
        state["spoilt"] = True
        raise ValueError(word)
    words: list[str] = state.setdefault("words", [])
    words.append(word)
    return words


class Pair:
    """Two servers in a network that the test parts, and clients."""

    def __init__(self, stack: AsyncExitStack, network: Network) -> None:
        self._stack, self.network = stack, network
        self.servers: dict[str, PrimaryBackup] = {}
        self.names: set[str] = set()
        self.silent = asyncio.Event()

    async def node(self, name: str) -> meshmq.AsyncNode:
        self.names.add(name)
        node = await self.network.async_node(name).open()
        self._stack.push_async_callback(node.close, 0)
        return node

    async def serve(self, name: str, until: str = "", takeover: float = TAKEOVER) -> Callable[[], Awaitable[None]]:
        """Start a server, which says nothing more when it holds ``until``; what is returned kills it."""
        node = await self.node(name)
        server = self.servers[name] = PrimaryBackup(node, "note", note, primary=name == "primary", takeover=takeover)
        hear = server._hear

        async def silent(said: tuple[Any, Any]) -> Any:
            heard = await hear(said)
            if until in server.kept[0].get("words", ()):
                self.silent.set()
                await asyncio.Event().wait()
            return heard

        server._hear = silent
        task = asyncio.create_task(server.run())

        async def kill() -> None:
            for other in self.names - {name}:
                self.network.memory.cut(name, other)
            task.cancel()
            await asyncio.wait([task])
            await node.close(0)
            for other in self.names - {name}:
                self.network.memory.heal(name, other)

        self._stack.push_async_callback(kill)
        return kill

    async def eventually(self, check: Callable[[], object]) -> None:
        while not check():
            await asyncio.sleep(0)

    @property
    def in_step(self) -> bool:
        """Whether one is active, and the other one has the same."""
        one, other = self.servers.values()
        return bool(one.active != other.active and one.kept == other.kept)


def run(test: Callable[[Pair], Awaitable[None]]) -> None:
    async def main() -> None:
        async with Network() as network, AsyncExitStack() as stack, asyncio.timeout(LIMIT):
            await test(Pair(stack, network))

    asyncio.run(main())


async def ask(client: meshmq.AsyncNode, word: str) -> Any:
    return await client.request("note", word, timeout=LIMIT, idempotent=True, retries=99)


def test_what_was_answered_is_there_after_one_server_and_then_the_other_was_lost() -> None:
    async def test(pair: Pair) -> None:
        client, _ = await pair.node("client"), await pair.serve("backup")
        kill = await pair.serve("primary")
        assert await ask(client, "one") == ["one"]
        await kill()
        assert await ask(client, "two") == ["one", "two"]
        await pair.serve("primary")
        await pair.eventually(lambda: pair.in_step)
        assert pair.servers["backup"].active  # who comes back does not push the other one aside
        assert await ask(client, "three") == ["one", "two", "three"]

    run(test)


def test_one_that_comes_back_before_it_was_missed_finds_the_other_one_active() -> None:
    async def test(pair: Pair) -> None:
        client, _ = await pair.node("client"), await pair.serve("backup", takeover=SLOW)
        kill = await pair.serve("primary", takeover=SLOW)
        assert await ask(client, "one") == ["one"]
        await kill()
        await pair.serve("primary", takeover=SLOW)
        await pair.eventually(lambda: pair.servers["primary"].kept[1])
        assert pair.servers["backup"].active
        await pair.eventually(lambda: pair.in_step)
        assert await ask(client, "two") == ["one", "two"]

    run(test)


def test_a_backup_without_a_state_serves_nobody() -> None:
    async def test(pair: Pair) -> None:
        client, _ = await pair.node("client"), await pair.serve("backup")
        with pytest.raises(meshmq.TimedOut):
            await client.request("note", "one", timeout=3 * TAKEOVER)

    run(test)


def test_what_the_function_raises_changes_nothing() -> None:
    async def test(pair: Pair) -> None:
        client, _ = await pair.node("client"), await pair.serve("backup")
        await pair.serve("primary")
        with pytest.raises(meshmq.RemoteError, match="ValueError on primary: bad"):
            await ask(client, "bad")
        assert await ask(client, "good") == ["good"]
        assert [server.kept[0] for server in pair.servers.values()] == [{"words": ["good"]}] * 2

    run(test)


def test_what_was_done_and_not_answered_is_answered_by_the_other_one_and_not_done_again() -> None:
    async def test(pair: Pair) -> None:
        client, _ = await pair.node("client"), await pair.serve("backup", until="one")
        kill = await pair.serve("primary")
        asking = asyncio.create_task(ask(client, "one"))
        await pair.silent.wait()  # it has it, and the active one never hears so
        assert not asking.done()
        await kill()
        assert await asking == ["one"]

    run(test)


def test_parted_both_serve_and_when_they_meet_the_one_that_has_done_less_gives_up() -> None:
    async def test(pair: Pair) -> None:
        near, far, _ = await pair.node("near"), await pair.node("far"), await pair.serve("backup")
        await pair.serve("primary")
        assert await ask(near, "before") == ["before"]
        memory = pair.network.memory
        sides = [(one, other) for one in ("primary", "near") for other in ("backup", "far")]
        for one, other in sides:
            memory.cut(one, other)
        assert await ask(near, "lost") == ["before", "lost"]
        for word in ("kept", "too"):
            await ask(far, word)
        for one, other in sides:
            memory.heal(one, other)
        await pair.eventually(lambda: pair.in_step)
        assert pair.servers["backup"].active
        await pair.eventually(lambda: not near.stats()["services"]["note"]["request"]["outstanding"])
        assert await ask(near, "after") == ["before", "kept", "too", "after"]

    run(test)


def test_what_the_other_one_has_done_already_is_not_done_again_after_they_were_parted_over_it() -> None:
    async def test(pair: Pair) -> None:
        client, _ = await pair.node("client"), await pair.serve("backup", until="one")
        await pair.serve("primary")
        await pair.eventually(lambda: pair.in_step)
        memory = pair.network.memory
        memory.cut("client", "backup")
        asking = asyncio.create_task(client.request("note", "one", timeout=LIMIT))
        await pair.silent.wait()
        memory.cut("primary", "backup")
        await pair.eventually(lambda: pair.servers["backup"].active)
        assert not asking.done()
        memory.heal("primary", "backup")
        assert await asking == ["one"]
        assert [server.kept[0] for server in pair.servers.values()] == [{"words": ["one"]}] * 2

    run(test)


def test_an_answer_stays_what_it_was() -> None:
    async def test(pair: Pair) -> None:
        client, _ = await pair.node("client"), await pair.serve("backup")
        await pair.serve("primary")
        for word in ("one", "two"):
            await ask(client, word)
        for server in pair.servers.values():
            assert list(server.kept[1].values()) == [["one"], ["one", "two"]]

    run(test)


def test_either_of_the_two_may_be_asked() -> None:
    async def test(pair: Pair) -> None:
        client, _ = await pair.node("client"), await pair.serve("backup")
        await pair.serve("primary")
        assert await client.request("note", "one", to="backup", timeout=LIMIT) == ["one"]
        assert await client.request("note", "two", to="primary", timeout=LIMIT) == ["one", "two"]
        with pytest.raises(meshmq.RemoteError, match="ValueError on primary: bad"):
            await client.request("note", "bad", to="backup", timeout=LIMIT)

    run(test)
