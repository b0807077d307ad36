"""A peer whose sockets answer is alive: its card may come late, from a busy program or to a busy one."""

from __future__ import annotations

from collections.abc import Callable

from meshmq.core.participant import Participant
from meshmq.core.presence import LAST_WORDS
from meshmq.core.rumours import ANSWER_LIMIT, ANSWER_LIMIT_REACHED
from meshmq.wire.card import CARD_TOPIC, Card, own_string, pack_card
from tests.core.stranger import dialled, participant

PEER = b"P" * 16
ADDRESS = "memory://peer/control"
STRING = own_string(PEER, (ADDRESS,))
CARD = pack_card(Card(PEER, "peer", "m", 1, "up", (ADDRESS,), ("memory://peer/direct",), ()))


def met() -> tuple[Participant, int]:
    """Return a node, and its control connection to the one peer that is here."""
    node, connection = dialling()
    node.reached(connection, ADDRESS, 0.0)
    node.hear(connection, [CARD_TOPIC, CARD], 0.0)
    node.claim(STRING, True, 0.0)
    node.outputs.clear()
    return node, connection


def dialling() -> tuple[Participant, int]:
    node = participant()
    node.found((ADDRESS,), "same host", PEER, 0.0)
    node.tick(0.0)
    return node, dialled(node)


def doubt(node: Participant) -> None:
    """Let the peer's subscription end, and nothing be heard of it."""
    node.claim(STRING, False, 0.0)
    node.tick(LAST_WORDS)


def until(node: Participant, end: float, over: Callable[[], bool]) -> float:
    """Let time pass until ``over`` or ``end``, and return the moment."""
    now = 0.0
    while not over():
        assert node.deadline is not None
        assert node.deadline > now or now == 0.0, "a deadline that has passed would never let the driver sleep"
        now = node.deadline
        if now >= end:
            return end
        node.tick(now)
    return now


def hung_up(node: Participant, connection: int) -> Callable[[], bool]:
    return lambda: ("hang_up", connection) in node.outputs


def test_dial_that_nobody_answers_is_given_up() -> None:
    node, connection = dialling()
    assert until(node, 60.0, hung_up(node, connection)) == ANSWER_LIMIT


def test_dial_that_sockets_answer_waits_longer_for_the_card() -> None:
    node, connection = dialling()
    node.reached(connection, ADDRESS, 0.5)
    assert until(node, 60.0, hung_up(node, connection)) == ANSWER_LIMIT_REACHED


def test_card_that_comes_late_is_taken() -> None:
    node, connection = dialling()
    node.reached(connection, ADDRESS, 0.5)
    assert until(node, 20.0, hung_up(node, connection)) == 20.0
    node.hear(connection, [CARD_TOPIC, CARD], 20.0)
    assert PEER in node.roster


def test_peer_that_keeps_us_waiting_is_not_waited_for_at_the_start() -> None:
    node, connection = dialling()
    node.reached(connection, ADDRESS, 0.5)
    assert node.presence.rumours.unanswered == 1
    until(node, 60.0, lambda: node.presence.rumours.unanswered == 0)
    assert not hung_up(node, connection)()


def test_doubted_peer_whose_sockets_answer_stays_here() -> None:
    node, _ = met()
    doubt(node)
    node.reached(dialled(node), ADDRESS, 0.5)
    assert until(node, 10.0, lambda: PEER not in node.roster) == 10.0
    node.hear(dialled(node), [CARD_TOPIC, CARD], 10.0)
    assert until(node, 20.0, lambda: PEER not in node.roster) == 20.0  # for ever, if its beats came


def test_doubted_peer_that_is_silent_is_lost_after_grace() -> None:
    node, _ = met()
    doubt(node)
    assert until(node, 60.0, lambda: PEER not in node.roster) == node.settings.grace + LAST_WORDS


def test_doubted_peer_that_refuses_is_lost_at_once() -> None:
    node, _ = met()
    doubt(node)
    node.reached(dialled(node), ADDRESS, 0.1)
    node.refused(dialled(node), "refused", ADDRESS, 0.2)
    assert PEER not in node.roster


def test_who_stood_still_itself_gives_a_doubted_peer_another_while() -> None:
    node, _ = met()
    node.claim(STRING, False, 0.0)
    until(node, 0.5, lambda: False)
    node.tick(5.0)
    assert PEER in node.roster
    assert until(node, 60.0, lambda: PEER not in node.roster) == 5.0 + node.settings.grace
