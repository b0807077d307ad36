"""Real participants on real engines over in-memory links, with time in the test's hand."""

from __future__ import annotations

import select
from collections.abc import Callable
from random import Random

from meshmq.core.participant import Participant
from meshmq.discovery.base import Announcement
from meshmq.errors import WouldBlock
from meshmq.links.engine import Engine
from meshmq.settings import Settings
from meshmq.testing import HandClock, Network

QUEUE = "jobs"
STEPS = 2_000


class Member:
    """One node without a face."""

    def __init__(self, network: Network, name: str) -> None:
        self.random = Random(name)
        node_id = self.random.randbytes(16)
        place = network.open_place(node_id, name)
        self.participant = Participant(
            node_id=node_id,
            name=name,
            mesh=network.mesh,
            settings=Settings(),
            random=self.random,
            control=place.links.bound.control,
            topics=place.links.bound.topics,
            direct=place.links.bound.direct,
            now=place.clock(),
        )
        self.engine = Engine(self.participant, place.links, clock=place.clock, name=name)
        network.at_close(lambda: self.engine.close(0))
        place.discoveries[0].start(
            Announcement(node_id, name, network.mesh, b"", None, ()),
            lambda found: self.does(
                lambda now: self.participant.found(found.addresses, found.source, found.node_id, now)
            ),
        )

    def does(self, act: Callable[[float], object]) -> None:
        with self.engine.gate:
            act(self.engine.now())
            self.engine.flush()


def settle(clock: HandClock, condition: Callable[[], object], *members: Member) -> None:
    """Step whoever has something to do; move the clock to the next deadline where nobody has."""
    for _ in range(STEPS):
        if condition():
            return
        ready, _, _ = select.select([member.engine for member in members], [], [], 0)
        due = [member for member in members if (member.engine.deadline or clock() + 60) <= clock()]
        for engine in {*ready, *(member.engine for member in due)}:
            engine.step()
        if not ready and not due:
            clock.advance_to(min(member.engine.deadline or clock() + 60 for member in members))
    raise AssertionError(f"not settled at {clock()}")


def taken(worker: Member) -> list[bytes]:
    bodies: list[bytes] = []

    def take(now: float) -> None:
        try:
            hand = worker.participant.take(QUEUE, "consumer", now, limit=100)
        except WouldBlock:
            return
        bodies.extend(bytes(hand.batch.body(index)) for index in range(hand.floor, hand.end))
        worker.participant.finish(QUEUE, hand, now)

    worker.does(take)
    return bodies


def test_a_job_crosses_an_in_memory_network_also_after_a_cut() -> None:
    clock = HandClock()
    with Network(clock=clock) as network:
        pusher, worker = Member(network, "pusher"), Member(network, "worker")
        worker.does(lambda now: worker.participant.open_queue(QUEUE, None, now))
        taken(worker)
        got: list[bytes] = []

        def arrived() -> bool:
            got.extend(taken(worker))
            return bool(got) and not pusher.participant.outboxes[QUEUE].depth

        pusher.does(lambda now: pusher.participant.push(QUEUE, b"first", (), None, now))
        settle(clock, arrived, pusher, worker)
        assert got == [b"first"]

        got.clear()
        network.memory.cut("pusher", "worker")
        pusher.does(lambda now: pusher.participant.push(QUEUE, b"second", (), None, now))
        assert taken(worker) == []
        network.memory.heal("pusher", "worker")
        settle(clock, arrived, pusher, worker)
        assert got == [b"second"]
