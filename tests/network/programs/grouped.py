"""One member of a group: tells ``begun DATA ATTEMPT .`` and ``done DATA ATTEMPT .``; leaves when its input ends."""

from __future__ import annotations

import os
import sys
import threading

import meshmq


def tell(*words: object) -> None:
    """Write one line at once; its full stop says that no kill has cut it."""
    os.write(1, (" ".join(map(str, words)) + " .\n").encode())


def main() -> None:
    pause = threading.Event()
    with meshmq.Node() as node:
        subscription = node.subscribe("orders.*", group=sys.argv[1])

        def close_at_the_end() -> None:
            sys.stdin.read()
            subscription.close()

        threading.Thread(target=close_at_the_end, daemon=True).start()
        for message in subscription:
            tell("begun", message.data, message.attempt)
            pause.wait(0.002)
            tell("done", message.data, message.attempt)


if __name__ == "__main__":
    main()
