"""Receipts of a device: what its pushers do with what they say when it dies, and which are not worth sending."""

from __future__ import annotations

import pytest

from meshmq.core.hands import Hand
from meshmq.core.routes import Route
from meshmq.wire.card import Forwards
from meshmq.wire.frames import Kind, pack_receipt
from tests.core.village import Village, body, numbered

PUSHER, HUB, *WORKERS = range(4)


class Crossroads(Village):
    """Node 0 pushes, node 1 is a device, nodes 2 and 3 pull."""

    def __init__(self) -> None:
        super().__init__(4)
        self.do(HUB, lambda node, now: node.relay.forward(Forwards(queues=("jobs",)), now))
        for worker in WORKERS:
            self.open(worker)
            self.take(worker)  # so it asks
        self.run(0.5)

    def begun(self, *bodies: bytes) -> dict[int, Hand]:
        """Push two jobs; each worker has begun one, and pusher knows who has which."""
        self.push(PUSHER, *bodies)
        hands = {worker: self.next(worker) for worker in WORKERS}
        self.run(0.1)
        assert {run.at for run in self.route.flights} == {self[worker].node_id for worker in WORKERS}
        return hands

    @property
    def route(self) -> Route:
        return self[PUSHER].outboxes["jobs"].routes[self[HUB].node_id]

    def kill(self, *indices: int) -> None:
        for index in indices:
            self.sim.crash(self.sim.nodes[index])

    @property
    def depth(self) -> int:
        return self[PUSHER].outboxes["jobs"].depth


def test_when_a_device_dies_nobody_does_again_what_a_worker_has() -> None:
    mesh = Crossroads()
    hands = mesh.begun(*numbered(2))
    mesh.kill(HUB)
    mesh.run(0.5)
    assert [mesh.take(worker, "another") for worker in WORKERS] == [None, None]
    for worker, hand in hands.items():
        mesh.finish(worker, hand)
    mesh.run(0.5)
    assert mesh.depth == 0
    assert [mesh[worker].inboxes["jobs"].repeats for worker in WORKERS] == [1, 1]
    assert [mesh.take(worker) for worker in WORKERS] == [None, None]


def test_what_was_done_while_nobody_could_say_so_is_confirmed() -> None:
    mesh = Crossroads()
    hands = mesh.begun(*numbered(2))
    mesh.kill(HUB)
    for worker, hand in hands.items():
        mesh.finish(worker, hand)
    assert mesh.depth == 2
    mesh.run(0.5)
    assert mesh.depth == 0
    assert [mesh.work_off(worker) for worker in WORKERS] == [[], []]


def test_where_the_worker_has_died_too_another_does_it_flagged() -> None:
    mesh = Crossroads()
    hands = mesh.begun(*numbered(2))
    lost, left = WORKERS
    mesh.kill(HUB, lost)
    mesh.run(0.5)
    assert mesh.take(left, "another") is None
    mesh.run(2)
    again = mesh.next(left, "another")
    assert (body(again), again.batch.attempt) == (body(hands[lost]), 2)
    mesh.finish(left, again)
    mesh.finish(left, hands[left])
    mesh.run(0.5)
    assert mesh.depth == 0


def test_what_a_worker_gives_back_after_the_device_has_died_goes_to_anybody() -> None:
    mesh = Crossroads()
    hands = mesh.begun(*numbered(2))
    mesh.kill(HUB)
    mesh.run(0.5)
    leaving, other = WORKERS
    mesh.do(leaving, lambda node, now: node.leave("jobs", "me", now))
    mesh.close(leaving)
    mesh.finish(other, hands[other])
    again = mesh.next(other)
    assert (body(again), again.batch.attempt) == (body(hands[leaving]), 2)


def test_what_is_done_at_once_needs_no_receipt(monkeypatch: pytest.MonkeyPatch) -> None:
    mesh = Crossroads()
    sent: list[Kind] = []
    put = mesh[HUB].put

    def noting(peer: bytes, kind: Kind, frame: bytes) -> bool:
        sent.append(kind)
        return put(peer, kind, frame)

    monkeypatch.setattr(mesh[HUB], "put", noting)
    mesh.push(PUSHER, *numbered(2))
    for worker in WORKERS:
        hand = None
        while hand is None:
            mesh.run(0.0005)
            hand = mesh.take(worker)
        mesh.finish(worker, hand)
    mesh.run(1)
    assert mesh.depth == 0
    assert Kind.RECEIPT not in sent


def test_who_is_no_device_places_nothing() -> None:
    mesh = Village(3)
    mesh.open(2)
    mesh.push(0, b"job")
    hand = mesh.next(2)
    outbox = mesh[0].outboxes["jobs"]
    body_of_frame = pack_receipt("jobs", b"x" * 16, outbox.origin, [(0, 1 << 40)])
    mesh.do(0, lambda node, now: node._read(mesh[2].node_id, Kind.RECEIPT, [body_of_frame], now))
    mesh.do(0, lambda node, now: node._read(mesh[1].node_id, Kind.RECEIPT, [body_of_frame], now))
    assert [run.at for run in outbox.routes[mesh[2].node_id].flights] == [None]
    mesh.finish(2, hand)
    mesh.run(0.5)
    assert outbox.depth == 0
