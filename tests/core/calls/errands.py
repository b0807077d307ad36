"""A simulated mesh in which everybody calls whoever serves, and a witness who compares what both ends say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

from meshmq.core.calls.call import Asking, Call
from meshmq.core.calls.incoming import Incoming
from meshmq.core.participant import Participant
from meshmq.errors import NoPeersError, PeerLost, RequestRefused, WouldBlock
from meshmq.links.base import Decider
from meshmq.settings import Settings
from meshmq.testing import Mesh, SimulatedNode, Simulation
from meshmq.wire.calls import Status, Value

Handing = Callable[[Decider, float], object]
#: Who serves; everybody calls.
SERVERS = (2, 3, 4)


@dataclass(slots=True, eq=False)
class Errand:
    """One call, who made it, and what it was told by."""

    caller: SimulatedNode
    question: bytes
    call: Call
    ends: int = 0


@dataclass
class Errands(Mesh):
    """``calls`` are made within ``seconds``; a share of them is ``large``, a share is given up."""

    settings: ClassVar[Settings] = Settings(request_backlog=6)
    calls: int = 120
    seconds: float = 15.0
    large: float = 0.03
    given_up: float = 0.1
    errands: dict[bytes, Errand] = field(default_factory=dict)
    #: By the name of an incarnation and the id of a call: how often it was begun.
    runs: Counter[tuple[str, bytes]] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)

    def joined(self, sim: Simulation, node: SimulatedNode) -> None:
        super().joined(sim, node)
        participant(node.decider).gathers = node.index % 2 == 1
        if node.index in SERVERS:
            sim.call(node, "serve", lambda one, now: participant(one).calls.server.serve("add", now))

    def start(self, sim: Simulation) -> None:
        for number in range(self.calls):
            sim.after(sim.random.uniform(0, self.seconds), partial(self._ask, sim, number))
        super().start(sim)

    # -- callers -------------------------------------------------------------------------------------

    def _ask(self, sim: Simulation, number: int) -> None:
        node, draw = sim.random.choice(sim.nodes), sim.random
        question = b"question %d" % number
        size = draw.randrange(300_000, 600_000) if draw.random() < self.large else 0
        idempotent = draw.random() < 0.5
        asking = Asking(
            "add",
            Value(question, (b"x" * size,) if size else ()),
            timeout=draw.choice([0.1, 0.5, 2.0, 8.0]),
            idempotent=idempotent,
            retries=draw.choice([0, 0, 2]) if idempotent else 0,
            key=draw.choice([None, None, b"key"]),
        )

        def ask(one: Decider, now: float) -> None:
            call = participant(one).calls.caller.begin(asking, now)
            self.errands[call.id] = Errand(node, question, call)
            if draw.random() < self.given_up:
                sim.after(draw.uniform(0, 1.0), partial(self._give_up, sim, node, call))

        self._call(sim, node, f"ask {number}", ask)

    def _call(self, sim: Simulation, node: SimulatedNode, what: str, handing: Handing) -> None:
        """Make a call; some nodes have turns, long ones, at the end of which what gathered goes."""

        def end_turn(one: Decider, now: float) -> None:
            one.end_turn(now)

        def call(one: Decider, now: float) -> None:
            within = one.gathered
            handing(one, now)
            if one.gathered and not within:
                sim.after(sim.random.uniform(0, 0.3), partial(sim.call, node, "end its turn", end_turn))

        sim.call(node, what, call)

    def _give_up(self, sim: Simulation, node: SimulatedNode, call: Call) -> None:
        sim.call(node, "cancel", lambda one, now: participant(one).calls.caller.cancel(call, now))

    def _count(self, errand: Errand) -> None:
        errand.ends += 1
        outcome = errand.call.outcome
        assert outcome is not None
        assert errand.ends == 1, "it was told twice"
        self.told["answered" if outcome.answer else type(outcome.error).__name__] += 1
        if outcome.answer is not None and outcome.answer.status is Status.DONE:
            assert bytes(outcome.answer.value.body) == b"answer to " + errand.question

    # -- servers -------------------------------------------------------------------------------------

    def on_event(self, sim: Simulation, node: SimulatedNode, woken: Sequence[tuple[Hashable, int]]) -> None:
        for key, _ in woken:
            if isinstance(key, tuple) and key[0] == "call" and key[1] in self.errands:
                self._count(self.errands[key[1]])
            if key == ("service", "add"):
                sim.after(sim.random.choice([0.0, 0.0, 0.05]), partial(self._take, sim, node))

    def _take(self, sim: Simulation, node: SimulatedNode) -> None:
        def take(one: Decider, now: float) -> None:
            with suppress(WouldBlock):
                while True:
                    incoming = participant(one).calls.server.take("add", now)
                    self._begun(sim, node, incoming)

        if node is sim.nodes[node.index]:
            sim.call(node, "take", take)

    def _begun(self, sim: Simulation, node: SimulatedNode, incoming: Incoming) -> None:
        run = (node.name, incoming.id)
        again = self.runs[run]
        self.runs[run] += 1
        assert not again or not incoming.idempotent, "an idempotent request was run twice on one server"
        sim.after(sim.random.choice([0.0, 0.02, 0.3, 1.0]), partial(self._answer, sim, node, incoming))

    def _answer(self, sim: Simulation, node: SimulatedNode, incoming: Incoming) -> None:
        value = Value(b"answer to " + bytes(incoming.value.body), incoming.value.buffers)
        self._call(sim, node, "answer", lambda one, now: participant(one).calls.server.answer(incoming, value, now))

    # -- what must come of it --------------------------------------------------------------------------

    def finished(self, sim: Simulation) -> bool:
        return sim.now > self.seconds and all(
            errand.call.outcome is not None or errand.caller.state == "dead" for errand in self.errands.values()
        )

    def check(self, sim: Simulation) -> None:
        ran = {call for _, call in self.runs}
        for errand in self.errands.values():
            outcome = errand.call.outcome
            if outcome is None:
                assert errand.caller.state == "dead"
                continue
            assert errand.ends == 1
            error = outcome.error
            never = isinstance(error, NoPeersError | RequestRefused)
            if never or (isinstance(error, PeerLost) and not error.may_have_run):
                assert errand.call.id not in ran, f"it ran, and the caller was told {error}"
            if outcome.answer is not None and outcome.answer.status is Status.DONE:
                assert errand.call.id in ran


def participant(decider: Decider) -> Participant:
    assert isinstance(decider, Participant)
    return decider
