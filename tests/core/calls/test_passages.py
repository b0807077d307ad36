"""Requests through a device, by hand: who gets them, what comes back, and what is told of a server that is lost."""

from __future__ import annotations

import pytest

from meshmq.core.calls.call import Call
from meshmq.errors import ConfigError, PeerLost, RequestRefused
from meshmq.settings import Settings
from meshmq.wire.calls import Status
from meshmq.wire.card import Forwards
from tests.core.calls.hamlet import Hamlet, error, text

HUB = 1


class Through(Hamlet):
    """Node 0 calls, node 1 is a device, the others serve."""

    def __init__(self, nodes: int = 4, **fields: object) -> None:
        super().__init__(nodes, serving=False, **fields)
        self.do(HUB, lambda node, now: node.relay.forward(Forwards(services=("add",)), now))
        for index in range(2, nodes):
            self.serve(index)
        self.run(0.5)

    def asked(self, **options: object) -> Call:
        call = self.ask(**options)  # type: ignore[arg-type]  # what the test gives
        self.run(0.1)
        return call

    def where(self) -> int:
        """Return the server at which a request waits."""
        (index,) = [index for index in range(2, len(self.sim.nodes)) if self.waiting(index)]
        return index

    @property
    def passed(self) -> dict[str, int]:
        return dict(self[HUB].relay.passages.counts["add"])


def test_an_answer_comes_back_and_the_server_knows_who_asks() -> None:
    mesh = Through()
    call = mesh.asked(timeout=5.0)
    incoming = mesh.take(server := mesh.where())
    assert (incoming.caller, incoming.peer, incoming.id) == (mesh.id(0), mesh.id(HUB), call.id)
    assert incoming.span is not None
    assert 4.8 < incoming.span < 5.0
    assert 0 < incoming.held < 0.2
    mesh.answer(server, incoming)
    mesh.run(0.1)
    assert text(call) == "answer"
    assert mesh.passed == {"received": 1, "forwarded": 1, "answered": 1}
    assert {peer.id for peer in mesh[0].roster.values()} >= {mesh.id(2)}
    assert [index for index in (2, 3) if mesh.id(index) in mesh[0].sessions] == []


def test_the_server_with_least_outstanding_of_all_that_pass_gets_the_next() -> None:
    mesh = Through(5)
    for _ in range(2):
        for index in (0, 4):
            mesh.asked(index=index)
    assert sorted(mesh.waiting(index) for index in (2, 3, 4)) == [1, 1, 2]


def test_a_server_that_is_lost_is_told_as_such() -> None:
    mesh = Through()
    call = mesh.asked()
    mesh.take(server := mesh.where())
    mesh.sim.crash(mesh.sim.nodes[server])
    mesh.run(0.5)
    lost = error(call)
    assert isinstance(lost, PeerLost)
    assert lost.may_have_run
    assert f"n{server} behind n1" in str(lost)


def test_what_is_idempotent_moves_to_another_server_with_the_same_id() -> None:
    mesh = Through()
    call = mesh.asked(idempotent=True)
    mesh.take(server := mesh.where())
    mesh.sim.crash(mesh.sim.nodes[server])
    mesh.run(3.0)
    other = 5 - server
    incoming = mesh.take(other)
    assert incoming.id == call.id
    mesh.answer(other, incoming)
    mesh.run(0.2)
    assert text(call) == "answer"
    assert mesh.counts()["moved"] == 1


def test_a_device_that_is_lost_is_the_loss_of_a_server() -> None:
    mesh = Through()
    once, often = mesh.asked(), mesh.asked(idempotent=True)
    for server in (2, 3):
        assert mesh.waiting(server) == 1
    mesh.sim.crash(mesh.sim.nodes[HUB])
    mesh.run(1.0)
    assert isinstance(error(once), PeerLost)
    (server,) = [index for index in (2, 3) if mesh.id(index) in often.asked]
    incoming = mesh.take(server)
    assert incoming.id == often.id
    mesh.answer(server, incoming)
    mesh.run(0.2)
    assert text(often) == "answer"


def test_one_that_comes_again_by_another_way_is_the_same_and_answered_there() -> None:
    mesh = Through(3)
    call = mesh.asked(idempotent=True)
    incoming = mesh.take(2)
    mesh.sim.crash(mesh.sim.nodes[HUB])
    mesh.run(1.0)
    assert not mesh.waiting(2)
    assert mesh.served(2)["repeats"] == 1
    mesh.answer(2, incoming)
    mesh.run(0.2)
    assert text(call) == "answer"


def test_a_cancel_arrives() -> None:
    mesh = Through()
    call = mesh.asked()
    incoming = mesh.take(mesh.where())
    mesh.cancel(call)
    mesh.run(0.1)
    assert incoming.cancelled
    assert mesh.passed["cancelled"] == 1
    assert not mesh[HUB].relay.owes(0.0)


def test_a_deadline_holds_at_the_server() -> None:
    mesh = Through()
    mesh.asked(timeout=1.0)
    server = mesh.where()
    mesh.run(2.0)
    assert not mesh.waiting(server)


def test_when_a_caller_goes_what_it_asked_is_cancelled() -> None:
    mesh = Through()
    mesh.asked()
    incoming = mesh.take(mesh.where())
    mesh.sim.crash(mesh.sim.nodes[0])
    mesh.run(1.0)
    assert incoming.cancelled


def test_a_stream_flows_through_with_its_demand() -> None:
    mesh = Through()
    call = mesh.asked(stream=True)
    incoming = mesh.take(server := mesh.where())
    got = []
    for number in range(20):
        assert mesh.item(server, incoming, str(number))
        mesh.run(0.05)
        got.append(mesh.next_item(call))
        mesh.run(0.05)
    mesh.end(server, incoming)
    mesh.run(0.1)
    assert got == [str(number) for number in range(20)]
    assert call.outcome is not None
    assert call.outcome.answer is not None
    assert call.outcome.answer.status is Status.END


def test_what_one_server_refuses_another_is_asked_and_the_last_refusal_is_told() -> None:
    mesh = Through(4, settings=Settings(request_backlog=1))
    calls = [mesh.asked() for _ in range(3)]
    assert [mesh.waiting(index) for index in (2, 3)] == [1, 1]
    refused = error(calls[2])
    assert isinstance(refused, RequestRefused)
    assert "overloaded" in str(refused)


def test_one_that_nobody_serves_waits_at_the_device() -> None:
    mesh = Through(4)
    for index in (2, 3):
        mesh.unserve(index)
    call = mesh.ask()
    mesh.run(1.0)
    mesh.serve(3)
    mesh.run(0.5)
    mesh.answer(3, mesh.take(3))
    mesh.run(0.2)
    assert text(call) == "answer"


def test_a_key_and_a_name_go_to_their_server_directly() -> None:
    mesh = Through()
    for options in ({"key": b"k"}, {"to": "n2"}):
        mesh.asked(**options)
    assert mesh.passed == {}
    assert mesh.waiting(2) + mesh.waiting(3) == 2


def test_a_device_that_drains_takes_nothing_and_awaits_what_it_has() -> None:
    mesh = Through()
    call = mesh.asked()
    incoming = mesh.take(server := mesh.where())
    mesh.do(HUB, lambda node, now: node.drain(now))
    mesh.run(0.5)
    assert mesh[HUB].owes(mesh.sim.now)
    direct = mesh.asked()
    assert mesh.passed["received"] == 1
    mesh.answer(server, incoming)
    mesh.run(0.2)
    assert text(call) == "answer"
    assert direct.asked.keys() <= {mesh.id(2), mesh.id(3)}


def test_what_a_node_serves_it_does_not_forward() -> None:
    mesh = Through()
    with pytest.raises(ConfigError, match="is a device for 'add'"):
        mesh[HUB].calls.server.serve("add", 0.0)
    with pytest.raises(ConfigError, match="serves 'add' itself"):
        mesh[2].relay.forward(Forwards(services=("add",)), 0.0)
