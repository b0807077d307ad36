"""Split a task into parts, have them done anywhere, and get the results back in order.

*Problem*: one call is too much for one process. Its parts are independent, the workers are whoever is
there, and the caller wants one list, each result at the place of its part.

*How it works*: the caller pushes the parts, each with its number and with the name of a queue that only
this caller pulls; the workers push their answers there::

                  +--> worker --+
    map(values) --+--> worker --+--> answers, by number --> [result, result, ...]
                  +--> worker --+

A worker confirms a part only when its answer has arrived: none dies with it. Late and second ones count for nothing.

*Limits*: the caller holds all parts and results. Give ``map`` a ``timeout`` where workers may be missing.
Keep the ``FanOut``, for its queue stays as long as its node; its calls take turns. A worker waits 10 s for
a caller that has given up; closing the worker's node then says ``Undelivered``, unless that one calls again.

*Run*::

    $ meshmq recipe run fan_out_fan_in
    10 parts, 3 workers
    primes in each part: 303 247 233 224 222 209 214 210 202 198
    primes below 20000: 2262
    part 1 failed: ValueError: no negative numbers
"""

from __future__ import annotations

import itertools
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from typing import Any

import meshmq


class FanOut:
    """``FanOut(node, queue).map(values)`` in the caller, ``FanOut.work(node, queue, function)`` in the workers."""

    def __init__(self, node: meshmq.Node, queue: str) -> None:
        self._node, self._queue, self._home = node, queue, f"{queue}.answers.{secrets.token_hex(8)}"
        self._answers = node.pull(self._home)
        self._numbers = itertools.count()  # of all calls: an answer to an earlier one is known by its number
        self._turn = threading.Lock()

    def map(self, values: Iterable[Any], timeout: float | None = None) -> list[Any]:
        """Return what the workers' function made of each value, in the order of the values.

        Raises:
            TimedOut: not all parts were answered within ``timeout`` seconds of its turn.
            RuntimeError: the function raised; the sentence names the first such part, and what was raised.
        """
        numbers, found = list[int](), dict[int, dict[str, Any]]()
        with self._turn:
            deadline = None if timeout is None else time.monotonic() + timeout
            for value in values:
                numbers.append(next(self._numbers))
                part = {"to": self._home, "number": numbers[-1], "value": value}
                self._node.push(self._queue, part, timeout=timeout)
            missing = set(numbers)
            while missing:
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                with self._answers.receive(left) as message:
                    found.setdefault(message.data["number"], message.data)
                    missing.discard(message.data["number"])
        for place, number in enumerate(numbers):
            if "failed" in found[number]:
                raise RuntimeError(f"part {place} failed: {found[number]['failed']}")
        return [found[number]["result"] for number in numbers]

    @staticmethod
    def work(node: meshmq.Node, queue: str, function: Callable[[Any], Any]) -> None:
        """Answer parts with ``function(value)`` until the node is closed."""
        with suppress(meshmq.ClosedError):
            for part in node.pull(queue):
                answer = {"number": part.data["number"]}
                try:
                    answer["result"] = function(part.data["value"])
                except Exception as error:
                    answer["failed"] = f"{type(error).__name__}: {error}"
                node.push(part.data["to"], answer)
                with suppress(meshmq.TimedOut):  # of a caller that has given up; asking for the next confirms this part
                    node.queue(part.data["to"]).flush(timeout=10)


def demo() -> None:
    """Count primes with three workers."""
    mesh = f"fan-out-{secrets.token_hex(4)}"
    with ExitStack() as stack:
        for name in ("one", "two", "three"):
            node = stack.enter_context(meshmq.Node(name, mesh=mesh))
            thread = threading.Thread(target=FanOut.work, args=(node, "primes", _primes), daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(node.close)
        caller = stack.enter_context(meshmq.Node("caller", mesh=mesh))
        caller.wait_for(pull="primes", count=3, timeout=20)
        print("10 parts, 3 workers", flush=True)
        fan = FanOut(caller, "primes")
        counts = fan.map([(first, first + 2000) for first in range(0, 20_000, 2000)], timeout=20)
        print("primes in each part:", *counts)
        print("primes below 20000:", sum(counts), flush=True)
        try:
            fan.map([(0, 10), (-10, 0)], timeout=20)
        except RuntimeError as error:
            print(error)


def _primes(span: tuple[int, int]) -> int:
    if span[0] < 0:
        raise ValueError("no negative numbers")
    return sum(all(number % low for low in range(2, int(number**0.5) + 1)) for number in range(*span) if number > 1)


if __name__ == "__main__":
    demo()
