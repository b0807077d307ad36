"""Simulated users of a queue, who do with their jobs everything that users do."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from meshmq.core.hands import Hand
from meshmq.core.participant import Participant
from meshmq.errors import WouldBlock
from meshmq.links.base import Decider
from meshmq.testing import SimulatedNode, Simulation
from meshmq.testing.simulation import Handing
from meshmq.wire.verdicts import Verdict

if TYPE_CHECKING:
    from tests.core.bustle import Bustle


class Worker:
    """One user of one queue on one incarnation, as ``Consumer`` drives its participant."""

    def __init__(self, bustle: Bustle, sim: Simulation, node: SimulatedNode, queue: str) -> None:
        self.bustle, self.sim, self.node, self.queue = bustle, sim, node, queue
        assert isinstance(node.decider, Participant)
        self.participant = node.decider
        self.hand: Hand | None = None
        self.busy = False
        self.asking = self.stopped = False
        self.consumer = object()
        #: Of every job begun, who pushed it and its number.
        self.begun: list[tuple[bytes, int]] = []
        self.prefetch = sim.random.choice((None, None, 1, 7, 50))

    def open(self) -> None:
        """Pull the queue and ask for a first job."""
        if self.stopped:
            return
        self.sim.call(self.node, f"pull {self.queue}", self._open)

    def _open(self, decider: Decider, now: float) -> None:
        self.consumer = object()
        self.participant.open_queue(self.queue, self.prefetch, now)
        self.asking = self.busy = True
        self._advance(decider, now)  # here, for a stalled node opens when it goes on

    @property
    def waits(self) -> bool:
        """Whether it has no job, and its inbox knows that it wants one; or it left for good."""
        inbox = self.participant.inboxes.get(self.queue)
        asks = not self.busy and inbox is not None and self.consumer in inbox._askers._until
        return asks or self.stopped or self.node.state == "dead"

    def stop(self) -> None:
        """Leave for good."""
        self.asking, self.stopped = False, True
        self.sim.call(self.node, f"stop {self.queue}", lambda _, now: self._leave(now))

    def ask(self) -> None:
        """Ask for the next job, unless one is in hand."""
        if self.asking and not self.busy:
            self.busy = True
            self.sim.call(self.node, f"ask {self.queue}", self._advance)

    def _advance(self, _: Decider, now: float) -> None:
        if not self.asking:
            self.busy = False
            return
        hand = self.hand
        if hand is not None and (index := hand.step()) >= 0:
            self._begin(hand, index)
            return
        if hand is not None:
            self.hand = None
            self.participant.finish(self.queue, hand, now)
        try:
            limit = 5 if self._chance(0.1) else None
            hand = self.hand = self.participant.take(self.queue, self.consumer, now, limit)
        except WouldBlock:
            self.busy = False
            return
        for index in range(hand.floor, hand.position + 1):
            self._begin(hand, index)

    def _begin(self, hand: Hand, index: int) -> None:
        name = bytes(hand.batch.body(index)).partition(b";")[0].decode()
        job = self.bustle.witnessed[name]
        attempt = hand.batch.attempt
        self.sim.note(f"{self.node.name} begins {name} attempt {attempt}")
        job.unflagged += attempt == 1
        self.begun.append((hand.batch.origin, hand.batch.first + index))
        assert job.unflagged <= 1, f"{name} was executed twice without a flag"
        assert attempt <= job.deliveries, f"{name} is at attempt {attempt} and was delivered {job.deliveries} times"
        if index < hand.position:
            job.finished += 1  # all of a handful are done together, at its end
            return
        work = 0.0001 if self._chance(0.5) else self.sim.random.uniform(0.001, 0.06 if self._chance(0.95) else 2)
        self._after(work, f"ends {name}", partial(self._end, hand, index, name))

    def _chance(self, share: float) -> bool:
        return self.sim.random.random() < share

    def _end(self, hand: Hand, index: int, name: str, decider: Decider, now: float) -> None:
        job = self.bustle.witnessed[name]
        deed = self.sim.random.random() / max(self.bustle.trouble, 1e-9)
        if deed < 0.3:
            self._judge(hand, index, Verdict.REFUSED, now)
        elif deed < 0.5:
            job.finished += 1
            self._judge(hand, index, None, now)
        elif deed < 0.7:
            self._leave(now)
            return
        elif deed < 0.8:
            job.finished += 1
            hand.floor = hand.position  # what is in hand stays unanswered until somebody asks again
            self.participant.rest(self.queue, self.consumer, now)
            self._later(self.sim.random.uniform(0, 3), decider)
            return
        elif deed < 0.85:
            self._leave(now)
            self.participant.close_queue(self.queue, now)
            self.asking = False
            self.sim.after(self.sim.random.uniform(0, 2), self.open)
            return
        else:
            job.finished += 1
        if deed < 0.5 and self._chance(0.5):
            self._later(self.sim.random.uniform(0, 4), decider)
            return
        self._advance(decider, now)

    def _judge(self, hand: Hand, index: int, verdict: Verdict | None, now: float) -> None:
        hand.said[index] = verdict
        delay = 0.05 if verdict is not None and self._chance(0.5) else None
        self.participant.judge(self.queue, hand, index, verdict, delay, now)

    def _leave(self, now: float) -> None:
        """Break out of the loop; a fresh loop begins soon."""
        self.hand = None
        self.busy = False
        self.participant.leave(self.queue, self.consumer, now)
        self.consumer = object()
        self.sim.after(self.sim.random.uniform(0, 0.5), self.ask)

    def _later(self, seconds: float, decider: Decider) -> None:
        self._after(seconds, f"goes on with {self.queue}", self._advance)

    def _after(self, seconds: float, what: str, handing: Handing) -> None:
        def call() -> None:
            if not self.stopped:
                self.sim.call(self.node, what, handing)

        self.sim.after(seconds, call)
