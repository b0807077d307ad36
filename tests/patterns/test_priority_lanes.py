"""Priority lanes: urgent first over all pushers, the ordinary their share, and nothing lost when a worker is killed."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from contextlib import aclosing
from multiprocessing import get_context

from meshmq.patterns.priority_lanes import PriorityLanes

import meshmq


async def taken(node: meshmq.AsyncNode, count: int, share: float = 0.2) -> list[str]:
    """Do so many jobs, and return what they were."""
    done: list[str] = []
    async with aclosing(PriorityLanes(node, "mails", share).pull(pause=1.0)) as jobs:
        async for message in jobs:
            done.append(message.data)
            if len(done) == count:
                message.ack()
                break
    return done


async def pushed(node: meshmq.AsyncNode, count: int, *, urgent: bool) -> PriorityLanes:
    lanes = PriorityLanes(node, "mails")
    for _ in range(count):
        await lanes.push("urgent" if urgent else "ordinary", urgent=urgent)
    return lanes


def test_urgent_jobs_of_one_pusher_go_before_ordinary_ones_of_another_but_for_their_share(mesh_name: str) -> None:
    async def main() -> None:
        one, two, worker = (meshmq.AsyncNode(name, mesh=mesh_name) for name in ("one", "two", "worker"))
        async with one, two, worker:
            ordinary, urgent = await pushed(one, 30, urgent=False), await pushed(two, 80, urgent=True)
            await worker.settle(20)
            assert [count for count, _ in (*ordinary.waiting(), *urgent.waiting())] == [0, 30, 80, 0]
            done = await taken(worker, 50)
            # The first few are of whichever lane was here first; then one of five is ordinary.
            assert 9 <= done.count("ordinary") <= 11
            assert all("ordinary" in done[first : first + 10] for first in range(0, 50, 10))
            (_, oldest) = ordinary.waiting()[1]
            assert oldest > 0
            assert Counter(done + await taken(worker, 60)) == {"urgent": 80, "ordinary": 30}
            await one.flush(20)
            await two.flush(20)
            assert [*ordinary.waiting(), *urgent.waiting()] == [(0, 0.0)] * 4

    asyncio.run(main())


def test_a_lane_alone_has_it_all(mesh_name: str) -> None:
    async def main() -> None:
        for urgent in (False, True):
            async with meshmq.AsyncNode(mesh=mesh_name) as shop, meshmq.AsyncNode(mesh=mesh_name) as worker:
                await pushed(shop, 20, urgent=urgent)
                assert len(await taken(worker, 20)) == 20
                await shop.flush(20)

    asyncio.run(main())


def die_over_a_job(mesh: str) -> None:
    async def main() -> None:
        async with meshmq.AsyncNode("doomed", mesh=mesh) as node:
            done = 0
            async for _ in PriorityLanes(node, "mails").pull():
                done += 1
                if done == 8:
                    signal.raise_signal(signal.SIGKILL)

    asyncio.run(main())


def test_what_a_killed_worker_had_is_done_by_another(mesh_name: str) -> None:
    async def main() -> None:
        async with meshmq.AsyncNode("shop", mesh=mesh_name) as shop:
            await pushed(shop, 10, urgent=False)
            await pushed(shop, 10, urgent=True)
            doomed = get_context("spawn").Process(target=die_over_a_job, args=(mesh_name,), daemon=True)
            doomed.start()
            await asyncio.to_thread(doomed.join, 20)
            assert doomed.exitcode == -signal.SIGKILL
            async for _ in shop.events(20):  # until what it had has come back
                if not shop.peers():
                    break
            async with meshmq.AsyncNode("worker", mesh=mesh_name) as worker:
                depths = [shop.queue(f"mails.{lane}").depth for lane in ("urgent", "ordinary")]
                assert sum(depths) >= 13  # seven were confirmed, or fewer
                done = Counter(await taken(worker, sum(depths)))
                assert done == {"urgent": depths[0], "ordinary": depths[1]}
                await shop.flush(20)

    asyncio.run(main())
