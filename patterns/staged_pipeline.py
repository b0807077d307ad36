"""Chain stages by queues; any stage may have several workers, and any worker may leave.

*Problem*: work goes through several steps of different cost. The steps run in processes of their own,
the dear ones in several, and no item may get lost between two of them.

*How it works*: a stage pulls from one queue and pushes to the next. Its workers need not know who is
before or behind them, or how many they are::

    "lines" --> parse ----> "numbers" --> square ----> "squares" --> whoever pulls them
                parse                     square
                parse

What a worker makes of an item is joined to it (``message.push``): the item is confirmed when its result is, so
confirming goes from the last stage to the first. An item is always in the hands of somebody who lives, or
with somebody before him who still has it; the worker does not wait for that, and takes the next.

*Limits*: when a worker goes, the items in its hands run again, and their results may come twice. They bear the
same ids, so a worker that has done one already drops it; else it comes flagged (``message.redelivered``). Carry
a key from the first queue to the last, as ``demo`` does, where taking it twice would matter. ``do`` that raises
ends its worker; catch in it what an item can do to it. For stages as processes, see ``meshmq.Pipeline``.

*Run*::

    $ meshmq recipe run staged_pipeline
    300 lines, 3 workers parse, 2 square
    a worker that parses goes away
    squares: 300, sum: 9045050, missing: 0
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

import meshmq


def stage(node: meshmq.Node, source: str, do: Callable[[Any], Any], target: str) -> None:
    """Push ``do(data)`` to ``target`` for each job of ``source``, until the node is closed.

    A result of ``None`` is not pushed: so a stage filters. The item in hand goes back when the node
    closes, and also when ``do`` raises, which it lets through.

    Raises:
        EncodeError: a result cannot be sent.
    """
    with suppress(meshmq.ClosedError):
        for job in node.pull(source):
            result = do(job.data)
            if result is not None:
                job.push(target, result)


def demo() -> None:
    """Send 300 lines through two stages, and lose a worker half way."""
    mesh = f"pipeline-{secrets.token_hex(4)}"
    squares: dict[int, int] = {}
    half_way = threading.Event()

    def collect(item: list[int]) -> None:
        key, square = item
        squares[key] = square  # by key: a second time changes nothing
        if len(squares) >= 100:
            half_way.set()

    with ExitStack() as stack:
        _start(stack, mesh, "sink", "squares", collect, "nothing")
        for number in range(2):
            _start(stack, mesh, f"squarer-{number}", "numbers", _square, "squares")
        parsers = [_start(stack, mesh, f"parser-{number}", "lines", _parse, "numbers") for number in range(3)]
        source = stack.enter_context(meshmq.Node("source", mesh=mesh))
        source.wait_for(pull="lines", count=3, timeout=20)
        print("300 lines, 3 workers parse, 2 square", flush=True)
        source.queue("lines").push_many([key, f" {key} "] for key in range(1, 301))
        half_way.wait(timeout=20)
        print("a worker that parses goes away", flush=True)
        with suppress(meshmq.Undelivered):
            parsers[0].close(timeout=0)
        source.flush(timeout=20)  # a line is confirmed when it has gone all the way
        missing = set(range(1, 301)) - squares.keys()
        print(f"squares: {len(squares)}, sum: {sum(squares.values())}, missing: {len(missing)}")


def _start(stack: ExitStack, mesh: str, name: str, source: str, do: Callable[[Any], Any], target: str) -> meshmq.Node:
    node = meshmq.Node(name, mesh=mesh).open()
    thread = threading.Thread(target=stage, args=(node, source, do, target), daemon=True)
    thread.start()
    stack.callback(thread.join)
    stack.callback(node.close, timeout=5)
    return node


def _parse(item: list[Any]) -> list[int]:
    key, text = item
    return [key, int(text)]


def _square(item: list[int]) -> list[int]:
    key, number = item
    return [key, number**2]


if __name__ == "__main__":
    demo()
