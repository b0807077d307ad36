"""What can be waited for, each as a ``Wish``; both faces wait for the same."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from meshmq.core.inbox import IDLE_AFTER
from meshmq.core.outbox import Outbox
from meshmq.core.participant import Participant
from meshmq.core.roster import Event
from meshmq.core.wants import Awaited, Outcome, Wants
from meshmq.errors import ClosedError, NoPeersError, WouldBlock
from meshmq.handling import Crew
from meshmq.names import counted
from meshmq.seeing import PeerView, peer_views
from meshmq.waiting import Wish


def pushed(participant: Participant, queue: str, push: Callable[[float], int], patience: float) -> Wish[int]:
    """Wish for room in an outbox that is full; ``push(now)`` tries."""
    pulled_at = 0.0

    def attempt(now: float, since: float) -> int:
        nonlocal pulled_at
        try:
            return push(now)
        except WouldBlock:
            if participant.presence.roster.pullers(queue) or queue in participant.inboxes:
                pulled_at = now
            elif now - max(since, pulled_at) >= patience:
                raise NoPeersError(
                    f"nobody has pulled {queue!r} for {patience:g} s and its outbox is full: "
                    f"start a node that pulls it; {_pulled(participant)}"
                ) from None
            raise

    def words() -> str:
        outbox = participant.outboxes.get(queue)
        depth = outbox.depth if outbox is not None else 0
        pullers = [peer.card.name for peer in participant.presence.roster.pullers(queue)]
        who = f"pulled by {', '.join(sorted(pullers))}" if pullers else f"nobody pulls it; {_pulled(participant)}"
        return f"queue {queue!r} is full at {depth:,}; {who}"

    return Wish(("outbox", queue), attempt, words, retry=min(1.0, patience / 4))


def recorded(participant: Participant, queue: str, wants: Wants) -> Wish[None]:
    """Wish that a durable job is on disk."""
    entry = wants.entry
    assert entry is not None

    def attempt(now: float, since: float) -> None:
        if entry.error is not None:
            raise entry.error
        if not entry.safe:
            raise WouldBlock

    return Wish(("recorded", queue), attempt, lambda: f"the disk to take a job of {queue!r}")


def ended(participant: Participant, queue: str, awaited: Awaited) -> Wish[Outcome]:
    """Wish that a job has ended; returns how."""

    def attempt(now: float, since: float) -> Outcome:
        if awaited.outcome is None:
            raise WouldBlock
        return awaited.outcome

    return Wish(("ended", queue), attempt, lambda: f"the end of a job of {queue!r}; {_pulled(participant)}")


def flushed(participant: Participant, queue: str | None) -> Wish[None]:
    """Wish that every job pushed into ``queue``, or into any, is confirmed."""

    def attempt(now: float, since: float) -> None:
        participant.clear_trays(now)
        participant.work(now)
        if any(outbox.depth for outbox in _outboxes(participant, queue)):
            raise WouldBlock

    def words() -> str:
        left = Counter({outbox.queue: outbox.depth for outbox in _outboxes(participant, queue) if outbox.depth})
        left.update({name: away for name, away in participant.relay.away.items() if away and queue is None})
        listed = ", ".join(f"{counted(depth, 'job')} of {name!r}" for name, depth in left.items())
        return f"acks of {listed}; {_pulled(participant)}"

    return Wish(("progress",), attempt, words)


def left(participant: Participant, hard: float | None, drain: float) -> Wish[None]:
    """Wish to have left: nothing is owed, or the time for it is over.

    That is ``hard`` seconds from now, else ``drain`` seconds from the last progress: an ack, or a job
    in the hands of a living worker.
    """
    latest = 0.0

    def attempt(now: float, since: float) -> None:
        nonlocal latest
        latest = max(latest, since, participant.progress_at, now if participant.at_work() else 0.0)
        participant.work(now)
        if not participant.owes(now):
            return
        limit = since + hard if hard is not None else latest + drain
        if now < limit:
            raise WouldBlock

    return Wish(("progress",), attempt, flushed(participant, None).words, retry=0.05)


def handled(at_work: Callable[[], Sequence[Crew[Any, Any]]], hard: float | None, drain: float) -> Wish[None]:
    """Wish that handlers, which take nothing new, are done with what they run, or the time for it is over.

    That is ``hard`` seconds from now, else ``drain`` seconds after the last was done with something.
    """
    done, latest = -1, 0.0

    def attempt(now: float, since: float) -> None:
        nonlocal done, latest
        crews = at_work()
        if not crews:
            return
        count = sum(crew.handled for crew in crews)
        if count != done:
            done, latest = count, now
        limit = since + hard if hard is not None else latest + drain
        if now < limit:
            raise WouldBlock

    def words() -> str:
        return f"handlers to finish: {', '.join(f'{crew.handler.name} of {crew.supply.title}' for crew in at_work())}"

    return Wish(("progress",), attempt, words, retry=0.05)


def drain_begun(is_draining: Callable[[], bool]) -> Wish[None]:
    """Wish that somebody has the node drained."""

    def attempt(now: float, since: float) -> None:
        if not is_draining():
            raise WouldBlock

    return Wish(("drain",), attempt, lambda: "SIGINT, SIGTERM or drain()", level=logging.DEBUG)


def pullers(participant: Participant, queue: str, count: int) -> Wish[list[PeerView]]:
    """Wish for ``count`` nodes that pull a queue, this one included."""

    def attempt(now: float, since: float) -> list[PeerView]:
        here = [view for view in peer_views(participant, now) if queue in view.pulls and view.state == "up"]
        if len(here) + (queue in participant.inboxes) < count:
            raise WouldBlock
        return here

    return Wish(("roster",), attempt, lambda: f"{count} to pull {queue!r}; {_pulled(participant)}")


def servers(participant: Participant, service: str, count: int) -> Wish[list[PeerView]]:
    """Wish for ``count`` nodes that serve a name, this one included."""

    def attempt(now: float, since: float) -> list[PeerView]:
        here = [view for view in peer_views(participant, now) if service in view.serves and view.state == "up"]
        if len(here) + (service in participant.calls.served) < count:
            raise WouldBlock
        return here

    def words() -> str:
        names = sorted({name for peer in list(participant.roster.values()) for name in peer.card.serves})
        return f"{count} to serve {service!r}; peers serve: {', '.join(names[:10]) or 'nothing'}"

    return Wish(("roster",), attempt, words)


def subscribers(participant: Participant, topic: str, count: int) -> Wish[list[PeerView]]:
    """Wish for ``count`` nodes that get what this one publishes to a topic, itself included.

    A node that has published nothing yet says that it will: else nobody would tell it of their subscriptions.
    """

    def attempt(now: float, since: float) -> list[PeerView]:
        participant.feed.announce(now)
        ids = participant.feed.followed_by(topic)
        if len(ids) < count:
            raise WouldBlock
        return [view for view in peer_views(participant, now) if bytes.fromhex(view.id) in ids]

    return Wish(("followers",), attempt, lambda: f"{count} to subscribe to {topic!r}", retry=0.5)


def event(participant: Participant, seen: list[int]) -> Wish[Event]:
    """Wish for the next event of the roster; ``seen`` holds how many the caller has had."""
    roster = participant.presence.roster

    def attempt(now: float, since: float) -> Event:
        behind = roster.happened - seen[0]
        if behind <= 0:
            raise WouldBlock
        kept = min(behind, len(roster.events))
        seen[0] = roster.happened - kept + 1
        return roster.events[-kept]

    return Wish(("roster",), attempt, lambda: "an event of the roster", level=logging.INFO)


def settled(participant: Participant) -> Wish[None]:
    """Wish that discovery has had its first answers."""

    def attempt(now: float, since: float) -> None:
        if not participant.settled(now):
            raise WouldBlock

    return Wish(("roster",), attempt, lambda: "discovery to settle", retry=0.05)


def job_here(
    participant: Participant, queue: str, words: Callable[[], str], is_closed: Callable[[], bool]
) -> Wish[None]:
    """Wish that a job of a queue is here, without taking it."""

    def attempt(now: float, since: float) -> None:
        inbox = participant.inboxes.get(queue)
        if inbox is None or is_closed():
            raise ClosedError(f"the receiver of {queue!r} is closed")
        if not inbox.waiting:
            participant.look(queue, now)
            raise WouldBlock

    # Whoever looks counts as asking for IDLE_AFTER: it looks again before that is over.
    return Wish(("inbox", queue), attempt, words, retry=IDLE_AFTER / 2, level=logging.INFO, takes=False)


def _outboxes(participant: Participant, queue: str | None) -> Sequence[Outbox]:
    return [outbox for outbox in participant.outboxes.values() if queue in (None, outbox.queue)]


def _pulled(participant: Participant) -> str:
    names = sorted({queue for peer in participant.roster.values() for queue in peer.card.pulls})
    if not participant.roster:
        return "no peers are here"
    return f"peers pull: {', '.join(names[:10]) or 'nothing'}"
