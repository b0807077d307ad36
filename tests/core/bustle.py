"""A simulated mesh in which everybody uses queues in every way users do, and a witness who counts.

Nodes push and pull two queues, one of them their own, too. Workers ack by asking for more, ack and
nack by word, leave in the middle of a hand, take many at once, rest, close the queue and open it
again. After every event the books of the node it happened to must balance.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, Final

from meshmq.core.exchange import QUEUE_SHIFT
from meshmq.core.outbox import Outbox
from meshmq.core.participant import Participant
from meshmq.core.routes import Route
from meshmq.core.runs import Run
from meshmq.core.tray import TRAY_BYTES
from meshmq.errors import WouldBlock
from meshmq.links.base import Decider
from meshmq.settings import Settings
from meshmq.testing import Mesh, SimulatedNode, Simulation
from meshmq.testing.books import audit, runs
from tests.core.workers import Worker

#: Who pulls what; everybody pushes to any queue.
PULLS: Final = {"red": (2, 3, 4), "blue": (0, 3, 4)}


@dataclass(slots=True, eq=False)
class Job:
    """What became of one job, and who pushed it."""

    name: str
    queue: str
    pusher: SimulatedNode
    number: int
    deliveries: int = 0
    unflagged: int = 0
    finished: int = 0


class WatchedOutbox(Outbox):
    """An outbox that tells the witness of every delivery."""

    bustle: Bustle

    def _send(self, route: Route, run: Run, backlog: int, now: float) -> list[bytes]:
        assert route.bytes_sent < route.bytes_limit, "sent beyond the bytes granted"
        frames = super()._send(route, run, backlog, now)
        assert route.jobs_sent <= route.jobs_limit, "sent beyond the jobs granted"
        for number in range(run.first, run.last + 1):
            self.bustle.by_number[self.origin, number].deliveries += 1
        return frames


class WatchedParticipant(Participant):
    """A participant whose outboxes are watched."""

    bustle: Bustle
    outbox_kind: type[WatchedOutbox] = WatchedOutbox

    def _open_outbox(self, queue: str) -> Outbox:
        base = (len(self.outboxes) << QUEUE_SHIFT) + 1
        outbox = self.outbox_kind(queue, self._origin, base, self.settings, self.random)
        outbox.bustle = self.bustle
        self.outboxes[queue] = outbox
        self._seeking = True
        return outbox


@dataclass
class Bustle(Mesh):
    """``jobs`` are pushed within ``seconds``; ``trouble`` is how often workers do anything but ack.

    Of ``leaves`` nodes each second one says goodbye, and a new one comes to its place.

    The books are audited after every event, or every so many (``thrift``), for they take half the time.
    """

    settings: ClassVar[Settings] = Settings(outbox_jobs=30)
    kind: ClassVar[type[Participant]] = WatchedParticipant
    jobs: int = 200
    seconds: float = 12.0
    trouble: float = 0.3
    leaves: float = 0.1
    large: float = 0.02
    thrift: int = 8
    witnessed: dict[str, Job] = field(default_factory=dict)
    by_number: dict[tuple[bytes, int], Job] = field(default_factory=dict)
    workers: dict[tuple[int, str], Worker] = field(default_factory=dict)
    backlog: dict[str, deque[tuple[str, str]]] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)

    def make(self, sim: Simulation, node: SimulatedNode) -> Participant:
        participant = super().make(sim, node)
        assert isinstance(participant, WatchedParticipant)
        participant.bustle = self
        return participant

    def joined(self, sim: Simulation, node: SimulatedNode) -> None:
        self.backlog[node.name] = deque()
        super().joined(sim, node)
        for queue, pullers in PULLS.items():
            if node.index in pullers:
                worker = self.workers[node.index, queue] = Worker(self, sim, node, queue)
                sim.after(sim.random.uniform(0, 0.1), worker.open)

    def start(self, sim: Simulation) -> None:
        for number in range(self.jobs):
            sim.after(sim.random.uniform(0, self.seconds), partial(self._push, sim, f"job-{number}"))
        super().start(sim)
        moment = 0.0
        while self.leaves and (moment := moment + sim.random.expovariate(self.leaves)) < sim.faults.until:
            sim.at(moment, partial(self._leave, sim))

    def _leave(self, sim: Simulation) -> None:
        """Let a node drain, say goodbye, and be followed by another."""
        node = sim.random.choice(sim.nodes)
        if node.state != "up" or participant(node).presence.card.state != "up":
            return

        def drain(_: Decider, now: float) -> None:
            if participant(node).presence.card.state == "up":  # it may have been told before, and have gone since
                participant(node).drain(now)

        sim.call(node, "drain", drain)
        sim.after(sim.random.uniform(0.01, 0.5), partial(self._farewell, sim, node))

    def _farewell(self, sim: Simulation, node: SimulatedNode) -> None:
        if node.state == "stalled":
            sim.after(0.1, partial(self._farewell, sim, node))  # it leaves when it goes on
        if node.state != "up":
            return
        for worker in self.workers.values():
            if worker.node is node:
                worker.stop()
        self.backlog[node.name].clear()
        sim.call(node, "farewell", lambda _, now: participant(node).farewell(now))
        sim.after(0.05, partial(self._follow, sim, node))

    def _follow(self, sim: Simulation, node: SimulatedNode) -> None:
        if node.state != "dead":
            sim.crash(node)
            sim.restart(node, same_address=sim.random.random() < 0.5)

    def pushers(self, sim: Simulation) -> list[SimulatedNode]:
        """Return who pushes."""
        return sim.nodes

    def _push(self, sim: Simulation, name: str) -> None:
        node = sim.random.choice(self.pushers(sim))
        if node.state != "dead" and participant(node).presence.card.state == "up":
            self.backlog[node.name].append((name, sim.random.choice(sorted(PULLS))))
            self._push_waiting(sim, node)

    def _push_waiting(self, sim: Simulation, node: SimulatedNode) -> None:
        """Push what waits, as a user does who is woken when there is room."""

        def push(_: Decider, now: float) -> None:
            decider = participant(node)
            waiting = self.backlog[node.name]
            while waiting:
                name, queue = waiting[0]
                body, buffers = self._value(name)
                outbox = decider.outboxes.get(queue)
                before = outbox.pushed + len(outbox.tray.jobs) if outbox is not None else 0
                known = len(decider.outboxes) if outbox is None else list(decider.outboxes).index(queue)
                # Entered before the call: the job may be on its way when push returns.
                job = Job(name, queue, node, (known << QUEUE_SHIFT) + 1 + before)
                self.by_number[decider._origin, job.number] = job
                self.witnessed[name] = job
                try:
                    if outbox is not None and not buffers and self._lay(outbox, body):
                        waiting.popleft()
                        continue
                    decider.push(queue, body, buffers, None, now)
                except WouldBlock:
                    del self.by_number[decider._origin, job.number], self.witnessed[name]
                    return
                waiting.popleft()

        sim.call(node, "push", push)

    def _lay(self, outbox: Outbox, body: bytes) -> bool:
        """Lay a small job on the tray as faces do, without a word to the participant."""
        if len(outbox.tray.jobs) >= outbox.tray.room or len(body) > TRAY_BYTES:
            return False
        outbox.tray.jobs.append(body)
        return True

    def _value(self, name: str) -> tuple[bytes, tuple[bytes, ...]]:
        number = int(name.partition("-")[2])
        body = f"{name};".encode()
        if self.large and number % (period := int(1 / self.large)) == 7 % period:
            return body + bytes(700_000), ()
        if number % 40 == 11:
            return body, (bytes(300_000), bytes(20))
        return body, ()

    def on_event(self, sim: Simulation, node: SimulatedNode, woken: Sequence[tuple[Hashable, int]]) -> None:
        if not sim.events % self.thrift:
            audit(node)
        for key in dict.fromkeys(key for key, _ in woken):
            if isinstance(key, tuple) and key[0] == "inbox":
                worker = self.workers.get((node.index, key[1]))
                if worker is not None and worker.node is node:
                    worker.ask()
            elif isinstance(key, tuple) and key[0] == "outbox" and self.backlog[node.name]:
                self._push_waiting(sim, node)
        for queue, outbox in participant(node).outboxes.items():
            self._nothing_is_forgotten(sim, node, queue, outbox)

    def _nothing_is_forgotten(self, sim: Simulation, node: SimulatedNode, queue: str, outbox: Outbox) -> None:
        if self.done[f"{node.name} {queue}"] == outbox.acked:
            return
        self.done[f"{node.name} {queue}"] = outbox.acked
        kept = {number for run in runs(outbox) for number in range(run.first, run.last + 1)}
        kept.update(range(outbox._next, outbox._next + len(outbox.tray.jobs)))
        for job in self.witnessed.values():
            if job.pusher is node and job.queue == queue:
                assert job.finished or job.number in kept, f"{job.name} was forgotten before it was done"

    def finished(self, sim: Simulation) -> bool:
        if any(self.backlog[node.name] for node in sim.nodes):
            return False
        if any(
            outbox.depth or outbox.tray.jobs for node in sim.nodes for outbox in participant(node).outboxes.values()
        ):
            return False
        ids = {participant(node).node_id for node in sim.nodes}
        return all(set(participant(node).roster) == ids - {participant(node).node_id} for node in sim.nodes)

    def check(self, sim: Simulation) -> None:
        assert self.finished(sim)
        for job in self.witnessed.values():
            assert job.finished or job.pusher.state == "dead", f"{job.name} was lost: {job}"
        for node in sim.nodes:
            decider = participant(node)
            assert decider.presence.card.state == "up", f"{node.name} drains for ever"
            for session in decider.sessions.values():
                assert session.live or session.peer in decider.roster, f"{node.name} dials a peer that is gone"
        everybody = self.workers.values()
        asks = sim.run(until=sim.now + 30, stop=lambda: all(worker.waits for worker in everybody))
        assert asks, f"{[(w.node.name, w.queue) for w in everybody if not w.waits]} never ask again"
        before = sim.events
        sim.run(until=sim.now + 5)
        # A mesh at rest only beats and pings.
        assert sim.events - before < 100 * len(sim.nodes), f"{sim.events - before} events in 5 s of rest"


def participant(node: SimulatedNode) -> WatchedParticipant:
    """Return the participant of a node of this scenario."""
    assert isinstance(node.decider, WatchedParticipant)
    return node.decider
