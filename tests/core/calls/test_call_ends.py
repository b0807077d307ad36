"""How calls end: late, cancelled, lost, refused, asked again; each exactly once."""

from __future__ import annotations

import pytest

from meshmq.errors import PeerLost, RemoteError, RequestRefused, TimedOut, WouldBlock
from meshmq.settings import Settings
from tests.core.calls.hamlet import Hamlet, error, text


def test_failure_of_a_handler_arrives() -> None:
    hamlet = Hamlet()
    call = hamlet.ask()
    hamlet.run(0.1)
    hamlet.fail(1, hamlet.take(1), "KeyError")
    hamlet.run(0.1)
    failure = error(call)
    assert isinstance(failure, RemoteError)
    assert (failure.kind, failure.message, failure.traceback, failure.node) == ("KeyError", "no", "Traceback", "n1")
    assert hamlet.counts() == {"asked": 1, "failed": 1}


def test_late_answers_are_dropped_and_counted_and_the_next_call_gets_its_own() -> None:
    hamlet = Hamlet()
    calls = [hamlet.ask(timeout=0.1) for _ in range(50)]
    hamlet.run(0.05)
    taken = [hamlet.take(1) for _ in calls]
    hamlet.run(0.25)
    assert all(isinstance(error(call), TimedOut) for call in calls)
    assert all(incoming.cancelled for incoming in taken)
    for incoming in taken:
        assert not hamlet.answer(1, incoming, "late")
    call = hamlet.ask(timeout=1.0)
    hamlet.run(0.1)
    hamlet.answer(1, hamlet.take(1), "its own")
    hamlet.run(0.1)
    assert text(call) == "its own"
    assert hamlet.counts() == {"asked": 51, "timed_out": 50, "late": 50, "answered": 1}
    assert hamlet.served(1) == {"received": 51, "cancelled": 50, "done": 1}


def test_what_was_cancelled_before_it_began_never_runs() -> None:
    hamlet = Hamlet()
    call = hamlet.ask()
    hamlet.run(0.1)
    hamlet.cancel(call)
    hamlet.run(0.1)
    with pytest.raises(WouldBlock):
        hamlet.take(1)
    assert hamlet.served(1) == {"received": 1, "cancelled": 1}


def test_cancel_never_overtakes_its_request() -> None:
    hamlet = Hamlet()
    hamlet.ask()
    hamlet.run(0.2)
    call = hamlet.ask(text="x" * 3_000_000)  # it takes a while
    hamlet.cancel(call)
    hamlet.run(1.0)
    assert hamlet.served(1) == {"received": 2, "cancelled": 1}


def test_lost_server_fails_its_calls_at_once() -> None:
    hamlet = Hamlet()
    call = hamlet.ask(timeout=60.0)
    hamlet.run(0.2)
    hamlet.sim.crash(hamlet.sim.nodes[1])
    hamlet.run(3.0)
    lost = error(call)
    assert isinstance(lost, PeerLost)
    assert lost.may_have_run
    assert hamlet.counts() == {"asked": 1, "failed": 1}


def test_lost_server_that_was_never_asked_cannot_have_run_it() -> None:
    hamlet = Hamlet()
    hamlet.sim.crash(hamlet.sim.nodes[1])
    call = hamlet.ask(timeout=60.0, to=hamlet.id(1).hex())
    hamlet.run(5.0)
    lost = error(call)
    assert isinstance(lost, PeerLost)
    assert not lost.may_have_run


def test_idempotent_calls_of_a_lost_server_move_on() -> None:
    hamlet = Hamlet(3)
    calls = [hamlet.ask(idempotent=True) for _ in range(4)]
    hamlet.run(0.2)
    ids = {hamlet.take(1).id for _ in range(2)}
    hamlet.sim.crash(hamlet.sim.nodes[1])
    hamlet.run(3.0)
    taken = [hamlet.take(2) for _ in range(4)]
    assert ids < {incoming.id for incoming in taken}
    for incoming in taken:
        hamlet.answer(2, incoming)
    hamlet.run(0.2)
    assert [text(call) for call in calls] == ["answer"] * 4
    assert hamlet.counts() == {"asked": 4, "moved": 2, "answered": 4}


def test_idempotent_call_that_finds_no_other_server_says_so_in_the_end() -> None:
    hamlet = Hamlet()
    call = hamlet.ask(idempotent=True, timeout=6.0)
    hamlet.run(0.2)
    hamlet.sim.crash(hamlet.sim.nodes[1])
    hamlet.run(5.0)
    assert call.outcome is None
    hamlet.run(1.0)
    assert isinstance(error(call), PeerLost)
    assert "no other came within 6 s" in str(error(call))


def test_retry_asks_another_server_when_the_share_of_an_attempt_is_over() -> None:
    hamlet = Hamlet(3)
    call = hamlet.ask(timeout=2.0, retries=1, idempotent=True)
    hamlet.run(0.9)
    first = next(index for index in (1, 2) if hamlet.waiting(index))
    slow = hamlet.take(first)
    hamlet.run(0.2)
    again = hamlet.take(3 - first)
    assert (again.id, again.attempt) == (slow.id, 2)
    hamlet.answer(3 - first, again, "second")
    hamlet.run(0.1)
    assert text(call) == "second"
    assert slow.cancelled
    assert not hamlet.answer(first, slow, "first")


def test_retry_of_the_only_server_does_not_run_twice() -> None:
    hamlet = Hamlet()
    call = hamlet.ask(timeout=3.0, retries=2, idempotent=True)
    hamlet.run(0.1)
    incoming = hamlet.take(1)
    hamlet.run(2.3)
    assert hamlet.waiting(1) == 0
    assert hamlet.served(1) == {"received": 1, "repeats": 2}
    hamlet.answer(1, incoming)
    hamlet.run(0.1)
    assert text(call) == "answer"


def test_expired_requests_never_run() -> None:
    hamlet = Hamlet()
    call = hamlet.ask(timeout=0.5)
    hamlet.run(0.1)
    assert hamlet.waiting(1) == 1
    hamlet.sim.crash(hamlet.sim.nodes[0], power_cut=True)  # so that no CANCEL comes
    hamlet.run(0.6)
    assert call.outcome is None
    with pytest.raises(WouldBlock):
        hamlet.take(1)
    assert hamlet.served(1) == {"received": 1, "expired": 1}


def test_overloaded_server_refuses_and_another_is_asked() -> None:
    hamlet = Hamlet(3, settings=Settings(request_backlog=2))
    calls = [hamlet.ask() for _ in range(6)]
    hamlet.run(0.5)
    refused = [call for call in calls if call.outcome is not None]
    assert len(refused) == 2
    assert hamlet.waiting(1) == hamlet.waiting(2) == 2
    for call in refused:
        assert isinstance(error(call), RequestRefused)
        assert str(error(call)) == "'add' was not run, refused by n1 (overloaded), n2 (overloaded)"


def test_bytes_that_wait_are_bounded_and_one_large_request_is_let_in_alone() -> None:
    hamlet = Hamlet(2, settings=Settings(request_bytes=1_000))
    large = hamlet.ask(text="x" * 5_000)
    more = hamlet.ask(text="x")
    hamlet.run(0.5)
    assert large.outcome is None
    assert isinstance(error(more), RequestRefused)
    hamlet.answer(1, hamlet.take(1), "y" * 500_000)
    hamlet.run(0.5)
    assert text(large) == "y" * 500_000


def test_what_a_service_that_is_closed_had_waiting_runs_elsewhere() -> None:
    hamlet = Hamlet(3)
    calls = [hamlet.ask() for _ in range(4)]
    hamlet.run(0.2)
    running = hamlet.take(1)
    hamlet.unserve(1)
    hamlet.run(0.5)
    assert hamlet.waiting(2) == 3
    hamlet.answer(1, running)
    for _ in range(3):
        hamlet.answer(2, hamlet.take(2))
    hamlet.run(0.2)
    assert [text(call) for call in calls] == ["answer"] * 4


def test_draining_refuses_what_waits_and_owes_what_runs() -> None:
    hamlet = Hamlet(3)
    calls = [hamlet.ask() for _ in range(4)]
    hamlet.run(0.2)
    running = hamlet.take(1)
    hamlet.do(1, lambda node, now: node.drain(now))
    hamlet.run(0.5)
    assert hamlet.waiting(2) == 3
    assert hamlet.do(1, lambda node, now: node.owes(now))
    hamlet.answer(1, running)
    hamlet.run(0.2)
    assert not hamlet.do(1, lambda node, now: node.owes(now))
    assert sum(call.outcome is not None for call in calls) == 1


def test_second_answer_is_ignored() -> None:
    hamlet = Hamlet()
    call = hamlet.ask()
    hamlet.run(0.1)
    incoming = hamlet.take(1)
    assert hamlet.answer(1, incoming, "first")
    assert not hamlet.answer(1, incoming, "second")
    assert not hamlet.fail(1, incoming)
    hamlet.run(0.1)
    assert text(call) == "first"


def test_lost_caller_cancels_what_runs_for_it_once() -> None:
    hamlet = Hamlet()
    hamlet.ask()
    hamlet.run(0.1)
    incoming = hamlet.take(1)
    told: list[str] = []
    hamlet.do(1, lambda node, now: node.calls.server.watch(incoming, lambda: told.append("cancelled")))
    hamlet.sim.crash(hamlet.sim.nodes[0])
    hamlet.run(3.0)
    assert incoming.cancelled
    assert told == ["cancelled"]
    hamlet.answer(1, incoming)


def test_large_late_answer_does_not_end_the_session() -> None:
    hamlet = Hamlet()
    call = hamlet.ask(timeout=0.2)
    hamlet.run(0.1)
    hamlet.answer(1, hamlet.take(1), "x" * 3_000_000)
    hamlet.cancel(call)
    hamlet.run(2.0)
    assert hamlet.counts() == {"asked": 1, "cancelled": 1, "late": 1}
    assert all(session.live for session in hamlet[0].sessions.values())


def test_one_who_is_gone_before_the_session_stands_is_replaced() -> None:
    hamlet = Hamlet(3)
    hamlet.sim.crash(hamlet.sim.nodes[1])
    calls = [hamlet.ask() for _ in range(4)]
    hamlet.run(3.0)
    for _ in calls:
        hamlet.answer(2, hamlet.take(2))
    hamlet.run(0.2)
    assert [text(call) for call in calls] == ["answer"] * 4
