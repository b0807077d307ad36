"""Answer many single requests by few calls of a function that is dear per call and cheap per item.

*Problem*: a GPU, a database or a remote API takes as long for one item as for thirty. Callers have one item each
and know nothing of each other.

*How it works*: the server collects what comes, up to ``most`` requests or ``wait`` seconds after the first of them,
calls the function once with the list of their data, and answers each with its place of the result::

    caller 1 -- 7 --+
    caller 2 -- 8 --+--> [7, 8, 9] --> function --> [49, 64, 81] --> 49 to caller 1, 64 to caller 2, ...
    caller 3 -- 9 --+

While the function runs the next requests gather, so under load batches fill up by themselves. Requests whose caller
has gone are left out. Where the function raises, each half of the batch is tried again, until the bad request stands
alone: it fails, the others are answered. An exception in a place of the result fails that one without another call.

*Limits*: a request alone takes ``wait`` longer. The function runs again for the same items after it raised, where it
fails as a whole (the database is away) ``2 n - 1`` times for ``n`` requests: let it return exceptions then. It runs in
one thread; call ``serve_batched`` in several threads or processes for more. When a server is killed its callers get
``PeerLost``, and ``idempotent`` requests go on at another.

*Run*::

    $ meshmq recipe run request_batching
    32 requests of 16 callers: 32 right, in 2 calls
    one alone: 7, in a call of 1
    16 requests, one of them bad: 15 right, in 9 calls
    ValueError on server: no root of -1
"""

from __future__ import annotations

import math
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import meshmq

Function = Callable[[list[Any]], Sequence[Any]]


def serve_batched(node: meshmq.Node, service: str, function: Function, *, most: int = 32, wait: float = 0.01) -> None:
    """Answer requests for ``service`` until the node is drained or closed; what was collected then is answered, too.

    ``function`` takes the data of at most ``most`` requests and returns as many answers, in their order; an
    exception among them is that request's failure.
    """
    with node.reply(service) as requests:
        serving = True
        while serving:
            batch = list[meshmq.Request]()
            try:
                batch.append(requests.receive())
                due = time.monotonic() + wait
                while len(batch) < most:
                    batch += requests.receive_many(most - len(batch), max(0.0, due - time.monotonic()))
            except (meshmq.TimedOut, meshmq.ClosedError) as end:
                serving = isinstance(end, meshmq.TimedOut)
            _answer(function, [request for request in batch if not request.cancelled])


def _answer(function: Function, batch: list[meshmq.Request]) -> None:
    if not batch:
        return
    try:
        answers = function([request.data for request in batch])
        if len(answers) != len(batch):
            raise ValueError(f"{len(answers)} answers to {len(batch)} requests")
    except Exception as error:
        if len(batch) > 1:
            _answer(function, batch[: len(batch) // 2])
            _answer(function, batch[len(batch) // 2 :])
            return
        answers = [error]
    for request, answer in zip(batch, answers, strict=True):
        try:
            if isinstance(answer, Exception):
                raise answer
            request.reply(answer)
        except Exception as error:  # EncodeError, where the answer cannot be sent
            request.fail(type(error).__name__, str(error))


def demo() -> None:
    """Serve 16 callers at once, one alone, and one that asks for what cannot be."""
    mesh, calls = f"batching-{secrets.token_hex(4)}", list[int]()

    def roots(numbers: list[int]) -> list[int]:
        calls.append(len(numbers))
        if min(numbers) < 0:
            raise ValueError(f"no root of {min(numbers)}")
        return [math.isqrt(number) for number in numbers]

    def ask(number: int, service: str = "root") -> Any:
        try:
            return caller.request(service, number, timeout=20)
        except meshmq.RemoteError as error:
            return str(error)

    with meshmq.Node("server", mesh=mesh) as server, meshmq.Node("caller", mesh=mesh) as caller:
        for service, options in (("root", {"most": 16, "wait": 20}), ("root.quick", {})):
            threading.Thread(target=serve_batched, args=(server, service, roots), kwargs=options).start()
        with ThreadPoolExecutor(16) as callers:
            right = sum(root == number for number, root in enumerate(callers.map(ask, (n * n for n in range(32)))))
            print(f"32 requests of 16 callers: {right} right, in {len(calls)} calls", flush=True)
            print(f"one alone: {ask(49, 'root.quick')}, in a call of {calls.pop()}", flush=True)
            calls.clear()
            *found, failed = callers.map(ask, [*(n * n for n in range(15)), -1])
            print(
                f"16 requests, one of them bad: {sum(map(range(15).__contains__, found))} right, in {len(calls)} calls"
            )
            print(failed)


if __name__ == "__main__":
    demo()
