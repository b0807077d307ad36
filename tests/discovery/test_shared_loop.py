"""The shared loop: one for all who ask alike, gone with the last, harmless in a forked child."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from meshmq.discovery.shared_loop import Shared, SharedLoop
from tests.discovery.neighbours import LIMIT


def test_one_is_made_for_all_who_ask_alike() -> None:
    made: list[str] = []
    shared: Shared[str, list[str]] = Shared(lambda key: [*made, key])
    first, second, other = shared.acquire("a"), shared.acquire("a"), shared.acquire("b")
    assert first is second
    assert other is not first
    assert [shared.release("a"), shared.release("a"), shared.release("b")] == [False, True, True]
    assert shared.acquire("a") is not first


def test_work_runs_in_the_thread_of_the_loop() -> None:
    loop, threads, done = SharedLoop("meshmq-test"), list[str](), threading.Event()

    async def work(word: str) -> None:
        threads.append(f"{word} in {threading.current_thread().name}")
        done.set()

    loop.post(work, "done")
    assert done.wait(LIMIT)
    _end(loop)
    assert threads == ["done in meshmq-test"]


def test_where_the_system_gives_no_thread_nothing_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    kind, made = asyncio.SelectorEventLoop, list[asyncio.SelectorEventLoop]()

    def make() -> asyncio.SelectorEventLoop:
        made.append(kind())
        return made[-1]

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("meshmq.discovery.shared_loop.asyncio.SelectorEventLoop", make)
    monkeypatch.setattr("meshmq.discovery.shared_loop.start_apart", refuse)
    with pytest.raises(RuntimeError, match="new thread"):
        SharedLoop("meshmq-test")
    assert [loop.is_closed() for loop in made] == [True]


def test_what_is_unfinished_at_the_end_is_cancelled() -> None:
    loop, cancelled, begun = SharedLoop("meshmq-test"), threading.Event(), threading.Event()

    async def never() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    loop.post(never)
    assert begun.wait(LIMIT)
    _end(loop)
    assert cancelled.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name == "meshmq-test"]


def test_after_the_end_nothing_runs_and_nothing_is_raised() -> None:
    loop, ran = SharedLoop("meshmq-test"), threading.Event()

    async def work() -> None:
        ran.set()

    _end(loop)
    loop.post(work)
    loop.finish(work, within=0.01, last=False)
    assert not ran.is_set()


def test_work_that_hangs_does_not_hold_up_its_caller() -> None:
    loop, go_on = SharedLoop("meshmq-test"), threading.Event()

    async def hang() -> None:
        go_on.wait(LIMIT)

    loop.finish(hang, within=0.01, last=True)
    go_on.set()
    _end(loop)


def test_ending_from_within_does_not_wait_for_itself() -> None:
    loop, ended = SharedLoop("meshmq-test"), threading.Event()

    async def nothing() -> None:
        return

    async def end() -> None:
        loop.finish(nothing, within=LIMIT, last=True)
        ended.set()

    loop.post(end)
    assert ended.wait(LIMIT / 2)
    _end(loop)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")  # from Python 3.12 on: it is meant
def test_a_forked_child_starts_anew() -> None:
    shared: Shared[str, SharedLoop] = Shared(SharedLoop)
    parents = shared.acquire("meshmq-test")
    shared._lock.acquire()  # as if another thread were inside at the fork
    child = os.fork()
    if child == 0:
        status = 1
        try:
            own = shared.acquire("meshmq-test")
            status = 0 if own is not parents and own.is_ours and not parents.is_ours else 2
        finally:
            os._exit(status)
    shared._lock.release()
    assert os.waitpid(child, 0)[1] == 0
    assert parents.is_ours
    assert shared.release("meshmq-test")
    _end(parents)


def _end(loop: SharedLoop) -> None:
    async def nothing() -> None:
        return

    loop.finish(nothing, within=LIMIT, last=True)
