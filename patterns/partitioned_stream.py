"""Keep a log whose readers share it in groups, key by key in order, and read again what was before.

*Problem*: all that happens is appended to one log: orders, readings, clicks. Several kinds of readers take it in,
each kind as several processes that share the work; what belongs to one customer comes in order and never at two at
once. A new kind begins at the beginning, and so does one whose results were wrong. The log outlives its publisher.

*How it works*: the log is a durable topic: each event has a number, and is in the publisher's journal. For each group
the publisher reads its own log and pushes every event as a durable job with its ``key=``, once, for the number is its
``unique=`` id; so it can begin with the oldest one whenever it starts, and nothing is left out or comes twice::

    append --> shop.events  1 2 3 4 5 6 ...  [journal] ---------------------> replay(since=4), replay(since=3600.0)
                    |
                    +--> shop.events.bills  Ann: 1 3 6  Bob: 2 4 5  --> reader one: Ann    reader two: Bob
                    +--> shop.events.audit

*Limits*: one publisher for each log. ``keep`` bounds the log, and what a group has not done by then it does all the
same; a group that is added later begins with the oldest event kept. ``append`` does not wait for the disk: what was
appended in the moment before a crash may be missing, and then nobody has seen it. One thread feeds the groups, some
1,000 events a second. A reader's job may come again, flagged, and holds up its key until then. A replay acks nothing
and shares nothing.

*Run*::

    $ meshmq recipe run partitioned_stream
    two readers share 40 events of 4 customers; each one's are in order: True
    the shop goes and comes again: 8 more events, none of the 40 again: True
    a replay from number 41 has 8; one of the last hour has 48
"""

from __future__ import annotations

import secrets
import tempfile
import threading
from collections.abc import Collection
from contextlib import suppress
from typing import Any

import meshmq


class PartitionedStream:
    """``PartitionedStream(node, log, groups).append(key, data)`` at the publisher, which has a journal."""

    def __init__(self, node: meshmq.Node, log: str, groups: Collection[str], *, keep: float = 7 * 86_400) -> None:
        self._node, self._log, self._groups, self._keep = node, log, groups, keep
        node.topic(log, history=meshmq.History(size=2**40, seconds=keep), durable=True)
        threading.Thread(target=self._feed, daemon=True).start()

    def append(self, key: str, data: Any) -> None:
        """Append an event. Never waits."""
        self._node.publish(self._log, (key, data))

    @staticmethod
    def read(node: meshmq.Node, log: str, group: str) -> meshmq.Receiver[meshmq.Message]:
        """Take this reader's share of a group: jobs whose data are number, key and data, to iterate or to decorate."""
        return node.pull(f"{log}.{group}")

    @staticmethod
    def replay(node: meshmq.Node, log: str, since: float, idle: float) -> list[tuple[int, str, Any]]:
        """Return all from a number (``int``), or of the last seconds (``float``), until none came for ``idle``."""
        return [(message.seq, *message.data) for message in node.subscribe(log, since=since, idle=idle)]

    def _feed(self) -> None:
        position, pause = 0, threading.Event()
        while not (self._node.closed or pause.wait(0.05)):
            # A group is full and nobody reads, or the disk is full: it begins again where it was.
            with suppress(meshmq.MeshError), self._node.subscribe(self._log, since=position + 1) as events:
                began = position
                for event in events:
                    if event.gap and position > began:  # more came than waits here: the log has it
                        break
                    for group in self._groups:
                        self._push(group, event.seq, *event.data)
                    position = event.seq

    def _push(self, group: str, number: int, key: str, data: Any) -> None:
        options: dict[str, Any] = {"durable": True, "unique": str(number), "unique_window": 2 * self._keep}
        with suppress(meshmq.NotUnique):  # it was pushed before this node came again
            self._node.push(f"{self._log}.{group}", (number, key, data), key=key, **options)


def demo() -> None:
    """Have two readers share a log, and its publisher go and come."""
    mesh, seen = f"stream-{secrets.token_hex(4)}", list[tuple[int, str, int]]()
    customers = ("Ann", "Bob", "Cyd", "Dan")
    one, two = (meshmq.Node(name, mesh=mesh) for name in ("one", "two"))

    def sell(rounds: range) -> meshmq.Node:
        shop = meshmq.Node("shop", mesh=mesh, journal=f"{place}/shop.db").open()
        stream = PartitionedStream(shop, "sold", ["bills"])
        for number in rounds:
            for customer in customers:
                stream.append(customer, number)
        while len(seen) < 4 * rounds.stop:
            threading.Event().wait(0.01)
        shop.flush(timeout=20)
        return shop

    for node in (one, two):
        PartitionedStream.read(node, "sold", "bills")(lambda job: seen.append(tuple(job)))
    with tempfile.TemporaryDirectory() as place, one, two:
        sell(range(10)).close()
        ordered = all([n for _, who, n in seen if who == customer] == list(range(10)) for customer in customers)
        print(f"two readers share 40 events of 4 customers; each one's are in order: {ordered}", flush=True)
        with sell(range(10, 12)):
            once = sorted(number for number, _, _ in seen) == list(range(1, 49))
            print(f"the shop goes and comes again: 8 more events, none of the 40 again: {once}", flush=True)
            since_41, hour = (len(PartitionedStream.replay(one, "sold", since, 0.5)) for since in (41, 3600.0))
            print(f"a replay from number 41 has {since_41}; one of the last hour has {hour}")


if __name__ == "__main__":
    demo()
