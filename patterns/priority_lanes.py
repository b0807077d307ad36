"""Do what is urgent before what is ordinary, and the ordinary all the same.

*Problem*: a password mail must not wait behind a hundred thousand newsletters. But when urgent ones never end, the
ordinary ones must not wait for ever, and somebody has to see how long they do.

*How it works*: ``push(priority=9)`` alone is strict, and each pusher's own: as long as it has urgent jobs, none of
its ordinary ones goes. Here each lane is a queue, and the worker chooses, so that it holds over all pushers: urgent
before ordinary, but one of ``1 / share`` is ordinary while any of those wait. A lane that is empty leaves its share
to the other::

    push(urgent=True) --> mails.urgent    u u u u u u u --+
                                                          +--> u u u u o u u u u o ...      share=0.2
    push()            --> mails.ordinary  o o o o o o o --+

``waiting`` is how many of each lane a pusher has that nobody has taken, and for how long the oldest, from
``stats()``. Within a lane ``priority=`` still counts.

*Limits*: who is urgent is for the pushers to say. Each worker holds up to ``prefetch`` jobs of each lane; quick jobs
need more than slow ones, or a lane looks empty while its next job is on the way. A share is of jobs, not of time.
More than comes out in the long run cannot go in: the share says who waits, and only more workers let nobody wait.

*Run*::

    $ meshmq recipe run priority_lanes
    one queue with priority=9: of 20 done 0 are ordinary; 15 wait
    two lanes with share=0.2: of 20 done 4 are ordinary
    when the urgent ones are done the others have it all: 15 done
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import meshmq


class PriorityLanes:
    """``await PriorityLanes(node, name).push(data)`` in pushers, ``async for message in lanes.pull()`` in workers."""

    def __init__(self, node: meshmq.AsyncNode, name: str, share: float = 0.2) -> None:
        self._node, self._share = node, share
        self._queues = f"{name}.urgent", f"{name}.ordinary"

    async def push(self, data: Any, *, urgent: bool = False, **options: Any) -> None:
        """Push a job into its lane; ``options`` are as for ``node.push``."""
        await self._node.push(self._queues[not urgent], data, **options)

    def waiting(self) -> list[tuple[int, float]]:
        """Return how many urgent and ordinary jobs nobody has taken from this pusher, and how long the oldest waits."""
        queues = self._node.stats()["queues"]
        lanes = [queues.get(queue, {}).get("push", {}).get("priorities", {}).values() for queue in self._queues]
        return [(sum(lv["waiting"] for lv in lane), max((lv["oldest"] for lv in lane), default=0.0)) for lane in lanes]

    async def pull(self, prefetch: int = 4, pause: float = 0.05) -> AsyncGenerator[meshmq.AsyncMessage]:
        """Yield jobs; one is confirmed when the next is asked for, and goes back when the loop is left.

        When no urgent one is here any more, the next may be on its way: it has ``pause`` seconds to come.
        """
        urgent, ordinary = lanes = [self._node.pull(queue, prefetch=prefetch) for queue in self._queues]
        looks = {lane: asyncio.ensure_future(lane.ready()) for lane in lanes}
        due, hot = 0.0, True
        try:
            while True:
                await asyncio.wait(looks.values(), return_when=asyncio.FIRST_COMPLETED)
                if hot and not len(urgent) and due < 1:
                    hot = False
                    with suppress(meshmq.TimedOut):
                        await urgent.ready(pause)
                lane = ordinary if len(ordinary) and (due >= 1 or not len(urgent)) else urgent
                with suppress(meshmq.TimedOut):
                    message = await lane.receive(0)
                    due = min(1.0, due + self._share / (1 - self._share)) if lane is urgent else 0.0
                    hot |= lane is urgent
                    yield message
                    message.ack()
                looks |= {one: asyncio.ensure_future(one.ready()) for one in lanes if looks[one].done()}
        finally:
            for one in lanes:
                looks[one].cancel()
                one.close()


def demo() -> None:
    """Have ordinary jobs wait behind urgent ones, and count."""
    asyncio.run(_demo(f"lanes-{secrets.token_hex(4)}"))


async def _demo(mesh: str) -> None:
    async with meshmq.AsyncNode("shop", mesh=mesh) as shop, meshmq.AsyncNode("mailer", mesh=mesh) as mailer:
        lanes = PriorityLanes(shop, "mails")
        for kind, priority in (("ordinary", 0), ("urgent", 9)):
            for _ in range(15 if kind == "ordinary" else 40):
                await shop.push("strict", kind, priority=priority)
                await lanes.push(kind, urgent=kind == "urgent")
        strict, shared = mailer.pull("strict", prefetch=1), PriorityLanes(mailer, "mails").pull(pause=1.0)
        done = [await strict.receive(20) for _ in range(20)]
        level = shop.stats()["queues"]["strict"]["push"]["priorities"][0]
        print(
            f"one queue with priority=9: of 20 done {_ordinary(done)} are ordinary; {level['waiting']} wait", flush=True
        )
        done = [await anext(shared) for _ in range(20)]
        print(f"two lanes with share=0.2: of 20 done {_ordinary(done)} are ordinary", flush=True)
        done += [await anext(shared) for _ in range(35)]
        print(f"when the urgent ones are done the others have it all: {_ordinary(done)} done", flush=True)
        for last in (done[-1], *[await strict.receive(20) for _ in range(35)]):
            last.ack()


def _ordinary(done: list[meshmq.AsyncMessage]) -> int:
    return sum(message.data == "ordinary" for message in done)


if __name__ == "__main__":
    demo()
