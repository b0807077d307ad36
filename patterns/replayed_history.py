"""Read what was published while nobody read, from where reading stopped, in order and once.

*Problem*: a reader is restarted, or cut off for a minute. What was published meanwhile must not be lost,
nothing may come twice, and what cannot be had any more must be told and not passed over.

*How it works*: the publisher keeps a history; each message bears its number. ``Replay`` begins after the
position that an earlier reader has reached, and goes on with what comes::

    publisher   [ 1 ... 40  41 ... 100 ] 101 102        history: the last 1,000
    reader one    1 ... 40                              position: 40
    reader two              41 ... 100   101 102        missing: 0

A message is done when the next is asked for; only then does the position move. Keep it where your results
are, in the same transaction, and each message counts exactly once. ``missing`` counts what was older than
the history, exactly; a cut between two reads is mended without a word.

*Limits*: a history is in its publisher's memory. Numbers are the publisher's own and begin at 1 with it: have one
publisher for each topic, and give a new one another topic (``log.<date>``), or read it from position 0. A reader
that is slower than its publisher for long misses some, too: ``missing`` counts them.

*Run*::

    $ meshmq recipe run replayed_history
    one read 1 to 40
    60 more are published, and nobody reads
    two read 41 to 100, missing 0
    two goes on with 101
    of the last 20 alone a third one, from 40, read 82 to 101, missing 41
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import meshmq


class Replay:
    """Iterates what is published to ``topic``, from after ``position``; ends after ``idle`` seconds without any.

    ::

        replay = Replay(node, "orders", position=saved)
        for message in replay:
            handle(message.data)
            save(message.seq)
    """

    def __init__(self, node: meshmq.Node, topic: str, position: int = 0, *, idle: float | None = None) -> None:
        #: The number of the last message that is done, and how many before it could not be had.
        self.position, self.missing = position, 0
        self._messages = node.subscribe(topic, since=position + 1, idle=idle)

    @staticmethod
    def keep(node: meshmq.Node, topic: str, history: int | meshmq.History) -> None:
        """Have ``node`` keep so much of what it publishes to ``topic`` from now on."""
        node.topic(topic, history=history)

    def __iter__(self) -> Iterator[meshmq.Message]:
        for message in self._messages:
            self.missing += message.gap
            yield message
            self.position = message.seq

    def close(self) -> None:
        """Read nothing more; twice is once."""
        self._messages.close()


def demo() -> None:
    """Have a second reader go on where the first one stopped."""
    mesh = f"replay-{secrets.token_hex(4)}"
    with meshmq.Node("writer", mesh=mesh) as writer, meshmq.Node("readers", mesh=mesh) as node:
        Replay.keep(writer, "log", 1_000)
        Replay.keep(writer, "short", 20)
        _write(writer, 1, 40)
        one = Replay(node, "log", idle=20)
        print("one read", _read(one, 40), flush=True)
        one.close()

        _write(writer, 41, 100)
        print("60 more are published, and nobody reads")
        two = Replay(node, "log", one.position, idle=20)
        print(f"two read {_read(two, 100)}, missing {two.missing}", flush=True)
        _write(writer, 101, 101)
        for message in two:
            print("two goes on with", message.data, flush=True)
            break
        two.close()

        three = Replay(node, "short", one.position, idle=20)
        span = _read(three, 101)
        print(f"of the last 20 alone a third one, from 40, read {span}, missing {three.missing}")
        three.close()


def _write(node: meshmq.Node, first: int, last: int) -> None:
    for number in range(first, last + 1):
        node.publish("log", number)
        node.publish("short", number)


def _read(replay: Replay, last: int) -> str:
    read: list[int] = []
    for message in replay:
        read.append(message.data)
        if message.data == last:
            break
    replay.position = last
    return f"{read[0]} to {read[-1]}" if read == list(range(read[0], last + 1)) else f"out of order: {read}"


if __name__ == "__main__":
    demo()
