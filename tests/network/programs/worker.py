"""A worker that tells every execution: ``begun DATA ATTEMPT ID`` before it works, ``done DATA`` after.

It leaves when its input ends, with ``stats DONE REPEATS``, the counters of its queue.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading

import meshmq

NEVER = threading.Event()


def tell(*words: object) -> None:
    """Write one line at once; its full stop says that no kill has cut it."""
    os.write(1, (" ".join(map(str, words)) + " .\n").encode())


def tell_events(node: meshmq.Node) -> None:
    for event in node.events():
        tell("event", event.kind, event.name)


def close_at_the_end(receiver: meshmq.Receiver[meshmq.Message]) -> None:
    sys.stdin.read()
    receiver.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("queue")
    parser.add_argument("--name")
    parser.add_argument("--seconds", type=float, default=0.0, help="of work for each job")
    parser.add_argument("--prefetch", type=int)
    parser.add_argument("--fail", type=int, default=0, help="raise at the first attempt of every n-th job")
    parser.add_argument("--poison", type=int, help="the job that kills its worker")
    parser.add_argument("--silence", type=float, default=4.0)
    parser.add_argument("--insecure", action="store_true")
    arguments = parser.parse_args()
    silence = arguments.silence
    settings = meshmq.Settings(silence=silence, heartbeat=silence / 4)
    with meshmq.Node(arguments.name, insecure=arguments.insecure, settings=settings) as node:
        threading.Thread(target=tell_events, args=(node,), daemon=True).start()
        receiver = node.pull(arguments.queue, prefetch=arguments.prefetch)
        threading.Thread(target=close_at_the_end, args=(receiver,), daemon=True).start()
        inbox = node._participant.inboxes[arguments.queue]  # type: ignore[union-attr]  # it is open
        for message in receiver:
            work(message, arguments)
        tell("stats", inbox.done, inbox.repeats)


def work(message: meshmq.Message, arguments: argparse.Namespace) -> None:
    tell("begun", message.data, message.attempt, message.id)
    if message.data == arguments.poison:
        os.kill(os.getpid(), signal.SIGKILL)
    NEVER.wait(arguments.seconds)
    if arguments.fail and isinstance(message.data, int):
        fails = message.data % arguments.fail == 0 and message.attempt == 1
        try:
            with message:
                if fails:
                    raise RuntimeError("told to fail")
                tell("done", message.data)  # before it is acked: a kill may come between the two
        except RuntimeError:
            tell("failed", message.data)
        return
    tell("done", message.data)


if __name__ == "__main__":
    main()
