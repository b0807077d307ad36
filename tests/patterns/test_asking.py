"""Asking several servers, again, or two at once: each call ends, and says how."""

from __future__ import annotations

import asyncio
import threading

import pytest
from meshmq.patterns.hedged_request import hedged
from meshmq.patterns.retrying_request import ask
from meshmq.patterns.scatter_gather import gather

import meshmq


def test_gathering_from_nobody_says_so(mesh_name: str) -> None:
    with meshmq.Node("caller", mesh=mesh_name) as caller:
        with pytest.raises(meshmq.NoPeersError, match=r"^0 of the 1 answers that were needed came from 'price'$"):
            gather(caller, "price", timeout=0.5)
        assert gather(caller, "price", timeout=0.5, least=0) == ([], [])


def test_gathering_parts_answers_from_failures(mesh_name: str) -> None:
    names = ("good", "bad", "other")
    good, bad, caller = (meshmq.Node(name, mesh=mesh_name) for name in names)
    good.reply("half")(lambda number: number // 2)
    bad.reply("half")(lambda number: number // 0)
    with good, bad, caller:
        caller.wait_for(reply="half", count=2, timeout=20)
        answers, failures = gather(caller, "half", 10, timeout=20)
        assert [(answer.sender, answer.data) for answer in answers] == [("good", 5)]
        assert [(failure.sender, str(failure.error).partition(" ")[0]) for failure in failures] == [
            ("bad", "ZeroDivisionError")
        ]


def test_an_error_of_the_handler_is_not_asked_again(mesh_name: str) -> None:
    ran: list[int] = []

    def fail(number: int) -> None:
        ran.append(number)
        raise ValueError(number)

    server, caller = meshmq.Node("server", mesh=mesh_name), meshmq.Node("caller", mesh=mesh_name)
    server.reply("fail")(fail)
    with server, caller:
        for idempotent in (False, True):
            with pytest.raises(meshmq.RemoteError, match="ValueError on server"):
                ask(caller, "fail", 1, timeout=20, idempotent=idempotent)
    assert ran == [1, 1]


def test_a_refused_request_is_asked_again_until_time_is_up(mesh_name: str) -> None:
    over, begun = threading.Event(), threading.Semaphore(0)

    def wait(number: int) -> None:
        begun.release()
        over.wait(20)

    settings = meshmq.Settings(request_backlog=1)
    server = meshmq.Node("server", mesh=mesh_name, settings=settings)
    caller = meshmq.Node("caller", mesh=mesh_name)
    server.reply("wait", concurrency=1)(wait)
    with server, caller:
        caller.wait_for(reply="wait", timeout=20)
        with caller.stream("wait", 1):
            assert begun.acquire(timeout=20)
            # It takes the only place to wait; and the last try may have too little time for its refusal.
            with caller.stream("wait", 2), pytest.raises((meshmq.RequestRefused, meshmq.TimedOut)):
                ask(caller, "wait", 3, timeout=3)
        refused = caller.stats()["services"]["wait"]["request"]["refused"]
        over.set()
    assert refused > 1


def test_no_answer_to_what_may_run_only_once_is_not_asked_again(mesh_name: str) -> None:
    ran: list[int] = []
    over = threading.Event()

    def wait(number: int) -> None:
        ran.append(number)
        over.wait(20)

    server, caller = meshmq.Node("server", mesh=mesh_name), meshmq.Node("caller", mesh=mesh_name)
    server.reply("wait")(wait)
    with server, caller:
        caller.wait_for(reply="wait", timeout=20)
        with pytest.raises(meshmq.TimedOut):
            ask(caller, "wait", 1, timeout=2)
        over.set()
    assert ran == [1]


def test_a_hedged_request_goes_on_where_one_server_fails(mesh_name: str) -> None:
    async def main() -> None:
        asked: list[int] = []

        async def fail_at_first(number: int) -> int:
            asked.append(number)
            if len(asked) == 1:
                raise ValueError(number)
            return number

        names = ("one", "two", "caller")
        one, two, caller = (meshmq.AsyncNode(name, mesh=mesh_name) for name in names)
        for server in (one, two):
            server.reply("work")(fail_at_first)
        async with one, two, caller:
            await caller.wait_for(reply="work", count=2, timeout=20)
            assert await hedged(caller, "work", 7, after=20, timeout=20) == 7
            assert asked == [7, 7]
            asked.clear()
            with pytest.raises(meshmq.RemoteError, match="ValueError"):
                await hedged(caller, "work", 8, after=20, timeout=20, most=1)

    asyncio.run(main())


def test_giving_up_a_hedged_request_gives_up_all_it_asked(mesh_name: str) -> None:
    async def main() -> None:
        begun, left_off = asyncio.Semaphore(0), asyncio.Semaphore(0)

        async def hang(number: int) -> None:
            begun.release()
            try:
                await asyncio.Event().wait()
            finally:
                left_off.release()

        names = ("one", "two", "caller")
        one, two, caller = (meshmq.AsyncNode(name, mesh=mesh_name) for name in names)
        for server in (one, two):
            server.reply("hang")(hang)
        async with one, two, caller:
            await caller.wait_for(reply="hang", count=2, timeout=20)
            task = asyncio.create_task(hedged(caller, "hang", 1, after=0.01, timeout=20))
            async with asyncio.timeout(20):
                await begun.acquire()
                await begun.acquire()
                task.cancel()
                await asyncio.wait([task])
                await left_off.acquire()
                await left_off.acquire()
            assert task.cancelled()

    asyncio.run(main())
