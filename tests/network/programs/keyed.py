"""A worker of jobs ``[key, number]``: tells ``begun KEY NUMBER ATTEMPT MOMENT``, then ``done KEY NUMBER MOMENT``.

Moments are nanoseconds of the machine's monotonic clock, the same for all processes.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import meshmq


def tell(*words: object) -> None:
    """Write one line at once; its full stop says that no kill has cut it."""
    os.write(1, (" ".join(map(str, words)) + " .\n").encode())


def close_at_the_end(receiver: meshmq.Receiver[meshmq.Message]) -> None:
    sys.stdin.read()
    receiver.close()


def main() -> None:
    queue, seconds = sys.argv[1], float(sys.argv[2])
    with meshmq.Node() as node:
        receiver = node.pull(queue)
        threading.Thread(target=close_at_the_end, args=(receiver,), daemon=True).start()
        pause = threading.Event()
        for message in receiver:
            key, number = message.data
            tell("begun", key, number, message.attempt, time.monotonic_ns())
            if key == "poison":
                os.kill(os.getpid(), signal.SIGKILL)
            pause.wait(seconds)
            tell("done", key, number, time.monotonic_ns())


if __name__ == "__main__":
    main()
