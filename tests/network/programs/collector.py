"""A worker that looks at large arrays all over, and keeps some of them: ``took NUMBER``.

For each line that it reads it looks at all that it keeps, and says ``kept COUNT ,`` or ``spoilt COUNT of COUNT ,``.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
from typing import Any

import meshmq

kept: dict[int, Any] = {}


def tell(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + " .\n").encode())


def look() -> None:
    for _ in sys.stdin:
        spoilt = [number for number, array in list(kept.items()) if not (array == number % 251).all()]
        if spoilt:
            tell("spoilt", len(spoilt), "of", len(kept), ",")
        else:
            tell("kept", len(kept), ",")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("queue")
    parser.add_argument("--name")
    parser.add_argument("--keep", type=int, default=10, help="one of so many")
    parser.add_argument("--fork", action="store_true", help="let a child look, too")
    arguments = parser.parse_args()
    threading.Thread(target=look, daemon=True).start()
    with meshmq.Node(arguments.name) as node:
        for message in node.pull(arguments.queue):
            number, array = message.data
            assert (array == number % 251).all(), f"{number} came as {array[:3]}...{array[-3:]}"
            if number % arguments.keep == 0:
                kept[number] = array[5:]
            tell("took", number)
            if arguments.fork and number == arguments.keep:
                fork()


def fork() -> None:
    """Keep all that is kept in a child, which looks when its parent has forgotten it."""
    reading, writing = os.pipe()
    if not os.fork():
        os.close(writing)
        os.read(reading, 1)
        tell("child", all((array == number % 251).all() for number, array in kept.items()), len(kept))
        os._exit(0)
    os.close(reading)
    kept.clear()
    threading.Thread(target=wait_for_word, args=(writing,), daemon=True).start()


def wait_for_word(writing: int) -> None:
    while not kept:
        threading.Event().wait(0.01)
    os.close(writing)


main()
