"""Have one of several nodes lead, replace it when it dies or stands still, and let no former leader do harm.

*Problem*: one of several processes is to write, or to hand out work: never two, never none for long. One that is
killed, frozen or cut off has to be replaced, and must not go on where it stopped when it wakes.

*How it works*: who would lead asks all for their votes, in a new term. A vote binds for the span of a ``lease``; a
leader asks again in time. Its own span counts from before it asked, and so ends first::

    leader   asks |<---------- leads ---------->|                 killed, stopped or cut off: it has not asked again
    voters           yes |<---------- bound ------------>|        another may ask

``term`` looks at the clock: after a stop it is 0 before anything is done. A process may be stopped between this look
and what it does, too: send the term along, and have who gets orders refuse a term older than the newest it has seen.
That alone helps where a whole machine was suspended, with its clock.

*Limits*: a leader is replaced within 2 leases or so. Without ``quorum`` all who are in contact have to agree: a network
that parts has a leader in each part, of different terms (who hears both refuses the older); when the parts meet, both
stop and one is elected. With ``quorum``, more than half of all there will ever be, a smaller part has none and there
are never two. Terms begin with the clock's time and outgrow all that were seen; nothing is kept on disk.

*Run*::

    $ meshmq recipe run leader_election
    the leader is killed: another leads, in a newer term: True
    the leader is stopped: another leads, in a newer term: True
    it wakes, and leads: False
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
import time
from contextlib import suppress

import meshmq


class LeaderElection:
    """Contends until its node is closed: ``if term := election.term: do(step, term)``, before each step."""

    def __init__(self, node: meshmq.Node, name: str, *, quorum: int | None = None, lease: float = 1.0) -> None:
        self._node, self._votes = node, node.service(f"{name}.vote", timeout=lease / 4)
        self._quorum, self._lease = quorum, lease
        self._promise = (0, "", 0.0)  # the newest term we voted in, for whom, and until when for nobody else
        self._won = (0, 0.0)  # our own term, and until when we lead; one thread replaces it whole, another the promise
        node.settle()
        self._counts_from = time.monotonic() + lease  # until then we may be bound by what we forgot when we died
        self._votes.reply(concurrency=1)(self._vote)
        threading.Thread(target=self._contend, daemon=True).start()

    @property
    def term(self) -> int:
        """The term in which this node leads at this moment, 0 where it does not."""
        term, until = self._won
        return term if time.monotonic() < until else 0

    @property
    def leader(self) -> str:
        """The id of who leads as far as is known here, as for ``to=``; "" for nobody."""
        return self._promise[1] if time.monotonic() < self._promise[2] else ""

    def _vote(self, ballot: tuple[int, str, bool]) -> tuple[str, int]:
        (term, who, binding), now, (newest, voted, until) = ballot, time.monotonic(), self._promise
        if not (term >= newest if who == voted else term > newest and now >= until):
            return "no", newest
        if binding:
            self._promise = term, who, now + self._lease
        return "yes" if now >= self._counts_from else "later", newest

    def _contend(self) -> None:
        newest, me = 1, self._node.stats()["id"]
        with suppress(meshmq.ClosedError):
            while not threading.Event().wait(self._lease / 4):
                leads = self.term
                if not leads and (time.monotonic() < self._promise[2] or random.random() < 0.5):
                    continue  # bound; or of several that could ask one is to be quicker
                term = leads if leads >= newest else max(newest, time.time_ns()) + random.randrange(1, 1 << 20)
                for binding in (True,) if leads else (False, True):  # would they? for who asks in vain must bind nobody
                    asked, answers = time.monotonic(), self._votes.survey((term, me, binding))
                    votes = [answer.data for answer in answers if answer.data]
                    newest = max([newest, *(seen for _, seen in votes)])
                    yes, no = (sum(vote == word for vote, _ in votes) for word in ("yes", "no"))
                    if yes < (self._quorum or 1) or (no and not self._quorum):
                        break
                else:
                    self._won = term, asked + self._lease


def demo() -> None:
    """Kill one leader and stop the next."""
    mesh = f"election-{os.urandom(4).hex()}"
    with meshmq.Node("store", mesh=mesh) as store:
        orders = store.subscribe("orders")
        for _ in range(3):
            multiprocessing.get_context("spawn").Process(target=_work, args=(mesh,), daemon=True).start()
        old = orders.receive(20).data
        for act, number in (("killed", signal.SIGKILL), ("stopped", signal.SIGSTOP)):
            os.kill(old[1], number)
            new = next(order for order in iter(lambda: orders.receive(20).data, None) if order[0] > old[0])
            print(f"the leader is {act}: another leads, in a newer term:", new[1] != old[1], flush=True)
            stopped, old = old[1], new
        os.kill(stopped, signal.SIGCONT)
        print("it wakes, and leads:", store.request("term", to=str(stopped), timeout=20) > 0)


def _work(mesh: str) -> None:
    with meshmq.Node(str(os.getpid()), mesh=mesh) as node:
        election = LeaderElection(node, "writer", lease=0.5)
        node.reply("term")(lambda data: election.term)
        while not threading.Event().wait(0.02):
            if term := election.term:
                node.publish("orders", [term, os.getpid()])


if __name__ == "__main__":
    demo()
