"""Be slower than what is published, harm nobody, and know what was missed.

*Problem*: one of ten readers hangs on its disk. The publisher must not wait for it or fill its memory, the other
nine must miss nothing, and the slow one should notice, rather than work off what is stale for an hour.

*How it works*: what waits for a reader waits at the reader, up to its ``capacity``; what becomes of more is its own
choice, and is counted exactly (``message.gap``, ``subscription.missed``)::

    overflow="drop_oldest"   keeps what is new         a display, a control loop
    overflow="drop_newest"   keeps what came first     a log of how it began
    latest=True              keeps one of each topic   a dashboard
    overflow="disconnect"    keeps nothing: it is cut off, told so, and begins anew

``follow`` makes a reader of the last kind: it begins with the last message (where the publisher keeps a history) and
gets all that follow. After a cut it says how many it missed, so that you can reload what you derive from them, and
begins in this way again.

*Limits*: what was dropped by a policy is not fetched again, whatever the history: for that read slowly from a
history (``replayed_history``). From a cut until it is subscribed again what is published is not counted.

*Run*::

    $ meshmq recipe run slow_subscriber
    1,000 published, room for 100
    a quick reader: 1 to 1000, missed 0
    drop_oldest: 901 to 1000, missed 900
    drop_newest: 1 to 100, missed 900
    a stuck reader: cut off, told that it missed some: True, goes on: True
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable

import meshmq


def follow(
    node: meshmq.Node,
    pattern: str,
    do: Callable[[meshmq.Message], object],
    behind: Callable[[int], object],
    *,
    capacity: int = 1_000,
) -> None:
    """Call ``do`` with each message, until the node closes; after a cut ``behind`` with how many were missed.

    Cut off is who has more than ``capacity`` messages waiting; what waited then is still done before.
    Lets through what ``do`` and ``behind`` raise.
    """
    while True:
        with node.subscribe(pattern, overflow="disconnect", capacity=capacity, since="last") as messages:
            try:
                for message in messages:
                    do(message)
                return
            except meshmq.Overflowed as error:
                behind(error.missed)


def demo() -> None:
    """Publish 1,000 messages to readers that have room for 100, and to one that is quick."""
    mesh = f"slow-{secrets.token_hex(4)}"
    stuck, free, cut, went_on = threading.Event(), threading.Event(), threading.Event(), threading.Event()
    words: list[int] = []

    def do(message: meshmq.Message) -> None:
        if message.data == 0:
            stuck.set()
            free.wait(20)
        elif message.data > 1_000:
            went_on.set()

    def behind(missed: int) -> None:
        words.append(missed)
        cut.set()

    publisher, node = meshmq.Node("publisher", mesh=mesh), meshmq.Node("readers", mesh=mesh)
    with publisher, node:
        publisher.topic("numbers", history=1)
        publisher.publish("numbers", 0)
        quick = node.subscribe("numbers", since="last")
        oldest = node.subscribe("numbers", since="last", overflow="drop_oldest", capacity=100)
        newest = node.subscribe("numbers", since="last", overflow="drop_newest", capacity=100)
        reader = threading.Thread(target=follow, args=(node, "numbers", do, behind), kwargs={"capacity": 100})
        reader.start()
        for subscription in (quick, oldest, newest):
            subscription.receive(20)
        stuck.wait(20)
        for number in range(1, 1_001):
            publisher.publish("numbers", number)
        print("1,000 published, room for 100")
        print("a quick reader:", _read(quick, 1_000), flush=True)
        while min(oldest.missed, newest.missed) < 900:
            threading.Event().wait(0.01)
        print("drop_oldest:", _read(oldest, 100))
        print("drop_newest:", _read(newest, 100), flush=True)
        free.set()
        cut.wait(20)
        publisher.publish("numbers", 1_001)
        print(f"a stuck reader: cut off, told that it missed some: {words[0] > 0}, goes on: {went_on.wait(20)}")
        node.close()
        reader.join()


def _read(subscription: meshmq.Subscription, count: int) -> str:
    numbers = [subscription.receive(20).data for _ in range(count)]
    return f"{numbers[0]} to {numbers[-1]}, missed {subscription.missed}"


if __name__ == "__main__":
    demo()
