"""Recipes for what many callers share: one call for all of them, one rate."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final, Self

import pytest
from meshmq.patterns.rate_limiter import RateLimiter
from meshmq.patterns.request_batching import serve_batched

import meshmq
from tests.patterns.waiting import eventually


@contextmanager
def in_thread(function: Callable[..., object], *arguments: object, **options: object) -> Iterator[Future[object]]:
    """Have a function run beside the block; what it serves has ended when the block ends."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(function, *arguments, **options)


def spawned(target: Callable[..., object], *arguments: object) -> multiprocessing.process.BaseProcess:
    process = multiprocessing.get_context("spawn").Process(target=target, args=arguments, daemon=True)
    process.start()
    return process


# -- batches ---------------------------------------------------------------------------------------


def test_what_comes_while_a_batch_is_answered_is_the_next_one(mesh_name: str) -> None:
    calls, begun, free = list[list[int]](), threading.Event(), threading.Event()

    def double(numbers: list[int]) -> list[int]:
        calls.append(sorted(numbers))
        begun.set()
        assert free.wait(20)
        return [2 * number for number in numbers]

    server, caller = meshmq.Node("server", mesh=mesh_name), meshmq.Node("caller", mesh=mesh_name)
    with (
        in_thread(serve_batched, server, "double", double, most=4),
        server,
        caller,
        ThreadPoolExecutor(6) as pool,
    ):
        first = pool.submit(caller.request, "double", 0, timeout=20)
        assert begun.wait(20)
        others = [pool.submit(caller.request, "double", number, timeout=20) for number in range(1, 6)]
        eventually(lambda: server.stats()["services"]["double"]["reply"]["waiting"] == 5)
        free.set()
        assert [task.result() for task in (first, *others)] == [0, 2, 4, 6, 8, 10]
    assert [len(call) for call in calls] == [1, 4, 1]


def test_a_bad_request_fails_alone(mesh_name: str) -> None:
    odd = {"raise": ValueError("bad"), "unsendable": object()}

    def answer(words: list[str]) -> list[Any]:
        if "bad" in words:
            raise LookupError(f"in a call of {len(words)}")
        if "short" in words:
            return words[1:]
        return [odd.get(word, word.upper()) for word in words]

    def ask(word: str) -> str:
        try:
            return str(caller.request("answer", word, timeout=20))
        except meshmq.RemoteError as error:
            return f"{error.kind}: {error.message}"

    words = ["a", "bad", "b", "raise", "unsendable", "short", "c", "bad"]
    server, caller = meshmq.Node("server", mesh=mesh_name), meshmq.Node("caller", mesh=mesh_name)
    with (
        in_thread(serve_batched, server, "answer", answer, most=len(words), wait=20),
        server,
        caller,
        ThreadPoolExecutor(len(words)) as pool,
    ):
        answers = list(pool.map(ask, words))
    unsendable = answers.pop(4)
    assert unsendable.startswith("EncodeError: ")
    alone = "LookupError: in a call of 1"
    assert answers == ["A", alone, "B", "ValueError: bad", "ValueError: 0 answers to 1 requests", "C", alone]


def test_who_has_given_up_is_left_out_and_who_drains_answers_what_it_has(mesh_name: str) -> None:
    calls = list[list[int]]()

    def double(numbers: list[int]) -> list[int]:
        calls.append(numbers)
        return [2 * number for number in numbers]

    server, caller = meshmq.Node("server", mesh=mesh_name), meshmq.Node("caller", mesh=mesh_name)
    with (
        in_thread(serve_batched, server, "double", double, most=3, wait=20),
        server,
        caller,
        ThreadPoolExecutor(1) as pool,
    ):
        caller.wait_for(reply="double", timeout=20)
        with pytest.raises(meshmq.TimedOut):
            caller.request("double", 1, timeout=2)
        other = pool.submit(caller.request, "double", 2, timeout=20)
        eventually(lambda: server.stats()["services"]["double"]["reply"]["received"] == 2)
        eventually(lambda: server.stats()["services"]["double"]["reply"]["waiting"] == 0)
        server.drain()
        assert other.result() == 4
    assert calls == [[2]]


def die_over_a_batch(mesh: str) -> None:
    def die(numbers: list[int]) -> list[int]:
        signal.raise_signal(signal.SIGKILL)
        return []

    with meshmq.Node("doomed", mesh=mesh) as node:
        serve_batched(node, "double", die, most=3, wait=20)


def test_a_batch_of_a_killed_server_goes_on_elsewhere_where_it_may(mesh_name: str) -> None:
    doomed = spawned(die_over_a_batch, mesh_name)
    server, caller = meshmq.Node("server", mesh=mesh_name), meshmq.Node("caller", mesh=mesh_name)
    with server, caller, ThreadPoolExecutor(3) as pool:
        caller.wait_for(reply="double", timeout=20)
        once = pool.submit(caller.request, "double", 1, timeout=20)
        twice = [pool.submit(caller.request, "double", number, timeout=20, idempotent=True) for number in (2, 3)]
        with pytest.raises(meshmq.PeerLost) as lost:
            once.result()
        assert lost.value.may_have_run
        with in_thread(serve_batched, server, "double", lambda numbers: [2 * number for number in numbers]):
            assert [task.result() for task in twice] == [4, 6]
            server.close()
    doomed.join(20)


# -- a rate ----------------------------------------------------------------------------------------


#: Tokens a second; a moment in which one comes is exact in binary, too.
RATE: Final = 128


class Limited:
    """A limiter with its clock in the test's hand, and who passes."""

    def __init__(self, mesh: str, burst: float = 1) -> None:
        self.tokens, self.passed = 0.0, list[str]()
        self._pool = ThreadPoolExecutor(12)
        self._limiter, self._late = meshmq.Node("limiter", mesh=mesh).open(), meshmq.Node("late", mesh=mesh).open()
        self._pool.submit(RateLimiter.serve, self._limiter, "api", RATE, burst, lambda: self.tokens / RATE)
        assert self.line() == 0

    def line(self) -> float:
        """Return how many wait, as one is told who does not wait; without tokens."""
        return self.take(self._late, wait=False) * RATE - 1

    def take(self, node: meshmq.Node, timeout: float = 20, *, wait: bool = True) -> float:
        seconds: float = RateLimiter(node, "api").take(timeout, wait=wait)
        return seconds

    def ask(self, *nodes: meshmq.Node) -> list[Future[None]]:
        """Have nodes wait in line, one behind the other."""
        tasks = list[Future[None]]()
        for node in nodes:
            length = self.line() + 1
            tasks.append(self._pool.submit(self._pass, node))
            eventually(lambda length=length: self.line() == length)  # type: ignore[misc]  # mypy gives lambdas no defaults
        return tasks

    def _pass(self, node: meshmq.Node) -> None:
        self.take(node)
        self.passed.append(node.name)

    def step(self) -> None:
        """Let one token come, and one pass."""
        count = len(self.passed) + 1
        self.tokens += 1
        eventually(lambda: len(self.passed) == count)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._late.close()
        self._limiter.close()
        self._pool.shutdown()


def test_callers_take_turns_however_much_each_asks(mesh_name: str) -> None:
    greedy, modest, other = (meshmq.Node(name, mesh=mesh_name) for name in ("greedy", "modest", "other"))
    with greedy, modest, other, Limited(mesh_name) as limited:
        limited.ask(greedy, greedy, greedy, greedy, modest, modest)
        for _ in range(3):
            limited.step()
        limited.ask(other)  # who has had no turn comes next
        for _ in range(4):
            limited.step()
    assert limited.passed == ["greedy", "modest", "greedy", "other", "modest", "greedy", "greedy"]


def test_a_pause_saves_a_burst_and_no_more(mesh_name: str) -> None:
    with meshmq.Node("caller", mesh=mesh_name) as caller, Limited(mesh_name, burst=5) as limited:
        limited.tokens += 3
        assert [limited.take(caller) for _ in range(3)] == [0, 0, 0]
        limited.tokens += 1_000_000
        assert [limited.take(caller, wait=False) * RATE for _ in range(8)] == [0, 0, 0, 0, 0, 1, 1, 1]
        limited.tokens += 0.75
        assert limited.take(caller, wait=False) * RATE == 0.25


def test_who_gives_up_costs_nothing(mesh_name: str) -> None:
    with meshmq.Node("caller", mesh=mesh_name) as caller, Limited(mesh_name) as limited:
        caller.wait_for(reply="limits.api", timeout=20)
        with pytest.raises(meshmq.TimedOut):
            limited.take(caller, timeout=1)
        eventually(lambda: limited.line() == 0)
        limited.tokens += 1
        assert limited.take(caller, wait=False) == 0


def wait_in_line(mesh: str) -> None:
    with meshmq.Node("doomed", mesh=mesh) as node, ThreadPoolExecutor(3) as pool:
        for _ in range(3):
            pool.submit(RateLimiter(node, "api").take)


def test_a_killed_caller_gives_its_places_up(mesh_name: str) -> None:
    with meshmq.Node("caller", mesh=mesh_name) as caller, Limited(mesh_name) as limited:
        doomed = spawned(wait_in_line, mesh_name)
        eventually(lambda: limited.line() == 3)
        (passed,) = limited.ask(caller)
        assert doomed.pid is not None
        os.kill(doomed.pid, signal.SIGKILL)
        doomed.join(20)
        eventually(lambda: limited.line() == 1)
        limited.step()
        passed.result(20)
        assert limited.passed == ["caller"]


def serve_for_ever(mesh: str) -> None:
    with meshmq.Node("limiter", mesh=mesh) as node:
        RateLimiter.serve(node, "api", 200, 100)


def test_callers_pass_by_the_next_limiter_when_one_is_killed_and_never_more(mesh_name: str) -> None:
    passed = threading.Semaphore(0)

    def take() -> None:
        RateLimiter(caller, "api").take(20)
        passed.release()

    began = time.monotonic()
    doomed = spawned(serve_for_ever, mesh_name)
    caller, limiter = meshmq.Node("caller", mesh=mesh_name), meshmq.Node("limiter", mesh=mesh_name)
    with caller, ThreadPoolExecutor(40) as pool:
        tasks = [pool.submit(take) for _ in range(40)]
        for _ in range(10):
            assert passed.acquire(timeout=20)
        doomed.kill()
        doomed.join(20)
        with in_thread(RateLimiter.serve, limiter, "api", 200, 100), limiter:
            for task in tasks:
                task.result(20)
        assert time.monotonic() - began >= 40 / 200  # each begins with nothing, and 200 come in a second


def test_without_a_limiter_nobody_passes(mesh_name: str) -> None:
    with meshmq.Node("caller", mesh=mesh_name) as caller, pytest.raises(meshmq.NoPeersError):
        RateLimiter(caller, "api").take(0.1)


def test_whatever_is_asked_harms_no_limiter(mesh_name: str) -> None:
    with meshmq.Node("caller", mesh=mesh_name) as caller, Limited(mesh_name) as limited:
        caller.wait_for(reply="limits.api", timeout=20)
        strange: list[object] = [None, {"wait": False}, [[]], b"\x00", float("nan")]
        for data in strange:
            with pytest.raises(meshmq.TimedOut):  # all but False waits
                caller.request("limits.api", data, timeout=0.05)
        limited.ask(caller)
        limited.step()
        assert limited.passed == ["caller"]
