"""Watch the dead letters of all nodes: sort them by reason, be alarmed, retry what was mended, drop what is hopeless.

*Problem*: jobs that failed too often lie with whoever pushed them, on twenty nodes, each with a reason of its own
words. Somebody has to see in time that there are many, and of what; and when the cause is mended, have those tried
again that died of it, and not the others.

*How it works*: every node answers ``meshmq.dead`` for what it pushed. The office asks all of them at once and sorts
what they have by queue and kind: the name of the exception, or the first words of another reason::

    shop: mails  3 --+                        ConnectionRefusedError  14   alarm, at 10, at 20, at 40 ...
    till: mails 13 --+--> DeadLetterOffice    ValueError               2   hopeless: dropped
    desk: (stands still)                      silent: desk

When it is mended, ``retry(queue, kind, most=1)`` tries one, and ``retry(queue, kind)`` the rest. Each goes out from
the node that pushed it, with its old id and flagged. In a shell: ``meshmq dead mails list``.

*Limits*: a node that is away takes its dead letters with it, and brings them again only if it has a journal. A node
keeps ``Settings(dead_jobs=10_000)`` of a queue, the newest. Who does not answer within ``patience`` is in ``silent``,
and what it has is not counted. Anybody in the mesh may do what the office does; two of them only alarm twice.

*Run*::

    $ meshmq recipe run dead_letters
    ALARM: 10 of 'mails' died of: the mail server is away
    what has no address is dropped; left are 10
    it is back: 1 is tried again, and then 9; left are 0
"""

from __future__ import annotations

import secrets
import threading
from collections import defaultdict
from collections.abc import Callable, Collection
from typing import Any

import meshmq

_Alarm = Callable[[str, str, int], object]


class DeadLetterOffice:
    """Looks after the dead letters of queues; calls ``alarm(queue, kind, count)`` at ``at``, and when they double."""

    def __init__(
        self, node: meshmq.Node, queues: Collection[str], alarm: _Alarm, at: int = 10, hopeless: Collection[str] = ()
    ) -> None:
        self._node, self._queues, self._alarm, self._at, self._hopeless = node, queues, alarm, at, hopeless
        #: Seconds that nodes have to answer, and the names of those that did not when they were last asked.
        self.patience, self.silent, self._alarmed = 3.0, set[str](), dict[tuple[str, str], int]()

    def look(self) -> dict[tuple[str, str], list[dict[str, Any]]]:
        """Drop what is hopeless, alarm, and return the rest by queue and kind: id, reason, node, died and more."""
        letters, self.silent = defaultdict[tuple[str, str], list[Any]](list), {peer.name for peer in self._node.peers()}
        for queue in self._queues:
            for sender, answer in self._ask(queue, "list"):
                self.silent.discard(sender)
                for letter in answer["letters"]:
                    letters[queue, _kind(letter["reason"])].append({**letter, "node": sender})
        for queue, kind in [one for one in letters if one[1] in self._hopeless]:
            self._act(queue, "drop", letters.pop((queue, kind)))
        self._alarmed = {one: count for one, count in self._alarmed.items() if len(letters.get(one, ())) >= self._at}
        for one, found in letters.items():
            if len(found) >= max(self._at, 2 * self._alarmed.get(one, 0)):
                self._alarmed[one] = len(found)
                self._alarm(*one, len(found))
        return dict(letters)

    def retry(self, queue: str, kind: str, most: int | None = None) -> int:
        """Have those of a kind tried again, the oldest first, at most so many; returns how many."""
        found = sorted(self.look().get((queue, kind), ()), key=lambda letter: letter["died"])
        return self._act(queue, "retry", found[:most])

    def watch(self, over: threading.Event, every: float = 10.0) -> None:
        """Look again and again, until it is over or the node is closed."""
        while not (over.wait(every) or self._node.closed):
            self.look()

    def _act(self, queue: str, do: str, letters: list[dict[str, Any]]) -> int:
        return sum(answer["done"] for _, answer in self._ask(queue, do, letters)) if letters else 0

    def _ask(self, queue: str, do: str, letters: Collection[dict[str, Any]] = ()) -> list[tuple[str, Any]]:
        asked = {"queue": queue, "do": do, "ids": [letter["id"] for letter in letters]}
        answers = self._node.survey("meshmq.dead", asked, timeout=self.patience)
        return [(answer.sender, answer.data) for answer in answers if answer.error is None]


def _kind(reason: str) -> str:
    return (reason.partition("the last: ")[2] or reason).partition(":")[0]


def demo() -> None:
    """Send mails while the mail server is away, some of them to nobody."""
    mesh, away = f"dead-letters-{secrets.token_hex(4)}", [True]
    shop, mailer, desk = (meshmq.Node(name, mesh=mesh) for name in ("shop", "mailer", "desk"))

    @mailer.pull("mails")
    def send(address: str, message: meshmq.Message) -> None:
        if "@" not in address:
            message.nack(reason=f"no address: {address!r}")
        elif away[0]:
            message.nack(reason="the mail server is away")

    with shop, mailer, desk:
        mails = shop.queue("mails", max_attempts=1)
        mails.push_many(["nobody", "somebody", *(f"{number}@example.org" for number in range(10))])
        shop.flush(timeout=20)
        desk.settle(timeout=20)
        alarm = "ALARM: {2} of {0!r} died of: {1}"
        office = DeadLetterOffice(desk, ["mails"], lambda *said: print(alarm.format(*said)), hopeless=["no address"])
        print("what has no address is dropped; left are", *(len(found) for found in office.look().values()), flush=True)
        away[0] = False
        tried = [office.retry("mails", "the mail server is away", most) for most in (1, None)]
        shop.flush(timeout=20)
        print("it is back: {} is tried again, and then {}; left are".format(*tried), len(mails.dead))


if __name__ == "__main__":
    demo()
