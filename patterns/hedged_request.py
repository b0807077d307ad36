"""Ask a second server when the first is slower than usual, and take the answer that comes first.

*Problem*: most answers come in 10 ms, one in a hundred takes a second: a pause for garbage, a cold cache, a
machine that swaps. A page that needs fifty answers nearly always waits for such a one.

*How it works*: ``hedged`` asks one server. If that has not answered after a time in which it normally does,
it asks another; what answers first counts, and the others are cancelled::

    0 ms    one   asked ...........................  cancelled
    20 ms               two   asked ..... answered

Nobody needs to know the servers: a request goes to the one with the fewest calls of this node, which the slow
one, with a call outstanding, is not. With ``after`` at the 95th percentile only 5 % more is asked.

*Limits*: a question may be run by several servers: ask what changes nothing. A handler that is cancelled must
leave off: an ``async`` one does at its next ``await``, a sync one by looking at ``request.cancelled``. Where all
servers are slow because there is too much to do, hedging adds to it: keep ``most`` small. With one server it
asks that one again.

*Run*::

    $ meshmq recipe run hedged_request
    20 questions, quick servers: 20 answers, asked 20 times
    5 questions, each stalls where it comes first: 5 answers, asked 10 times
    left off: 5
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from typing import Any

import meshmq


async def hedged(
    node: meshmq.AsyncNode, service: str, data: object = None, *, after: float, timeout: float, most: int = 2
) -> Any:
    """Return the first answer of at most ``most`` servers, each asked ``after`` seconds after the one before.

    One that fails before that makes way for the next; only the error of the last one is raised.

    Raises:
        MeshError: as ``AsyncNode.request``; ``timeout`` is for all of it.
    """
    deadline = asyncio.get_running_loop().time() + timeout
    asked: list[asyncio.Task[Any]] = []
    try:
        while True:
            left = deadline - asyncio.get_running_loop().time()
            if len(asked) < most and (left > 0 or not asked):
                asked.append(asyncio.create_task(node.request(service, data, timeout=max(0.0, left))))
            waiting = [task for task in asked if not task.done()]
            if not waiting:
                return await asked[-1]
            wait = after if len(asked) < most else None
            done, _ = await asyncio.wait(waiting, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if task.exception() is None:
                    return task.result()
    finally:
        for task in asked:
            task.cancel()
            with suppress(asyncio.CancelledError, meshmq.MeshError):
                await task


def demo() -> None:
    """Hedge against servers that stall at times."""
    asyncio.run(_demo(f"hedged-{secrets.token_hex(4)}"))


async def _demo(mesh: str) -> None:
    asked: list[str] = []
    left_off = asyncio.Semaphore(0)

    async def look_up(word: str) -> str:
        asked.append(word)
        if word.startswith("stall") and asked.count(word) == 1:
            try:
                await asyncio.Event().wait()
            finally:
                left_off.release()
        return word.upper()

    one, two, caller = (meshmq.AsyncNode(name, mesh=mesh) for name in ("one", "two", "caller"))
    async with one, two, caller:
        for server in (one, two):
            server.reply("look.up")(look_up)
        await caller.wait_for(reply="look.up", count=2, timeout=20)
        quick = [await hedged(caller, "look.up", f"word {n}", after=10, timeout=20) for n in range(20)]
        print(f"20 questions, quick servers: {len(quick)} answers, asked {len(asked)} times", flush=True)
        asked.clear()
        slow = [await hedged(caller, "look.up", f"stall {n}", after=0.05, timeout=20) for n in range(5)]
        print(f"5 questions, each stalls where it comes first: {len(slow)} answers, asked {len(asked)} times")
        for _ in slow:
            await asyncio.wait_for(left_off.acquire(), 20)
        print(f"left off: {len(slow)}")


if __name__ == "__main__":
    demo()
