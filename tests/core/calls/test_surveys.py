"""Surveys: everybody who serves is asked once, whoever comes meanwhile too, and each one's answer is told."""

from __future__ import annotations

from meshmq.errors import PeerLost, RemoteError, TimedOut
from tests.core.calls.hamlet import Hamlet, text


def test_all_servers_are_asked_and_it_ends_when_all_have_answered() -> None:
    hamlet = Hamlet(4)
    hamlet.settle_discovery()
    survey = hamlet.survey()
    hamlet.run(0.2)
    assert not hamlet.over(survey)
    for index in (1, 2, 3):
        hamlet.answer(index, hamlet.take(index), f"n{index}")
    hamlet.run(0.1)
    assert hamlet.over(survey)
    assert {peer: text(call) for peer, call in survey.calls.items()} == {
        hamlet.id(index): f"n{index}" for index in (1, 2, 3)
    }


def test_it_waits_for_discovery_and_asks_who_comes_meanwhile() -> None:
    hamlet = Hamlet(3, serving=False)
    hamlet.serve(1)
    hamlet.run(0.5)
    survey = hamlet.survey()
    hamlet.run(0.2)
    hamlet.answer(1, hamlet.take(1))
    hamlet.serve(2)
    hamlet.run(0.5)
    assert not hamlet.over(survey)
    hamlet.answer(2, hamlet.take(2))
    hamlet.run(0.1)
    assert not hamlet.over(survey), "discovery has not looked yet"
    hamlet.settle_discovery()
    assert hamlet.over(survey)
    assert len(survey.calls) == 2


def test_who_has_not_answered_in_time_is_told_apart() -> None:
    hamlet = Hamlet(4)
    hamlet.settle_discovery()
    survey = hamlet.survey(timeout=1.0)
    hamlet.run(0.2)
    hamlet.answer(1, hamlet.take(1))
    hamlet.fail(2, hamlet.take(2))
    hamlet.run(0.2)
    assert not hamlet.over(survey)
    hamlet.run(0.7)
    assert hamlet.over(survey)
    errors = [call.outcome.error for call in survey.calls.values() if call.outcome is not None]
    assert {type(error) for error in errors} == {type(None), RemoteError, TimedOut}


def test_loss_of_one_server_is_its_own_affair() -> None:
    hamlet = Hamlet(3)
    hamlet.settle_discovery()
    survey = hamlet.survey(timeout=20.0)
    hamlet.run(0.2)
    hamlet.answer(1, hamlet.take(1))
    hamlet.sim.crash(hamlet.sim.nodes[2])
    hamlet.run(3.0)
    assert hamlet.over(survey)
    outcome = survey.calls[hamlet.id(2)].outcome
    assert outcome is not None
    assert isinstance(outcome.error, PeerLost)


def test_nobody_to_ask_is_an_empty_answer() -> None:
    hamlet = Hamlet(serving=False)
    survey = hamlet.survey()
    assert not hamlet.over(survey)
    hamlet.settle_discovery()
    assert hamlet.over(survey)
    assert survey.calls == {}


def test_survey_that_is_left_cancels_what_runs_for_it() -> None:
    hamlet = Hamlet()
    survey = hamlet.survey()
    hamlet.run(0.2)
    incoming = hamlet.take(1)
    hamlet.do(0, lambda node, now: node.calls.surveys.end(survey, now))
    hamlet.run(0.1)
    assert incoming.cancelled


def test_own_service_is_asked_too() -> None:
    hamlet = Hamlet(2)
    hamlet.serve(0)
    hamlet.settle_discovery()
    survey = hamlet.survey()
    hamlet.run(0.2)
    for index in (0, 1):
        hamlet.answer(index, hamlet.take(index))
    hamlet.run(0.1)
    assert hamlet.over(survey)
    assert set(survey.calls) == {hamlet.id(0), hamlet.id(1)}
