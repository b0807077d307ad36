"""What a node shows of itself and its peers: plain values, read under the lock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from heapq import nlargest
from operator import attrgetter
from typing import Any, Final

from meshmq.core.calls.call import Asked
from meshmq.core.calls.calls import Calls
from meshmq.core.calls.incoming import Line
from meshmq.core.feed.feed import Feed
from meshmq.core.feed.subscription import Subscription
from meshmq.core.inbox import Inbox
from meshmq.core.outbox import Outbox
from meshmq.core.participant import Participant
from meshmq.forwarding import forwarding

#: How many topics are told of one by one; the others are summed up, under a name that none of them can have.
LISTED: Final = 1_000
OTHERS: Final = "other topics"
#: How many names of topics are told at once.
NAMED: Final = 10_000


@dataclass(frozen=True, slots=True)
class PeerView:
    """A peer as ``node.peers()`` shows it."""

    id: str
    """Random for every incarnation, in hex."""
    name: str
    addresses: tuple[str, ...]
    """Its control addresses; the one in use comes first."""
    since: float
    """For how many seconds it has been here."""
    state: str
    """``up``, or ``draining`` when it takes no new work."""
    round_trip: float | None
    """Seconds there and back on the control link; ``None`` until it was measured."""
    pulls: tuple[str, ...]
    """The queues it pulls."""
    serves: tuple[str, ...]
    """The services it answers for."""
    publishes: bool
    """Whether it publishes to any topic."""
    subscribes: bool
    """Whether it subscribes to any."""
    found_by: str
    one_way: bool
    """Whether it cannot dial us and uses the session that we opened."""
    stalled: bool
    """Whether work waits there for handlers that make no progress: it lives, and does nothing."""
    forwards: dict[str, tuple[str, ...]]
    """What it is a device for: names by ``queues``, ``topics`` and ``services``; empty where it is none."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        return asdict(self)


def peer_views(participant: Participant, now: float) -> list[PeerView]:
    """Return all peers by name."""
    views = [
        PeerView(
            id=peer.id.hex(),
            name=peer.card.name,
            addresses=tuple(dict.fromkeys((*([peer.address] if peer.address else []), *peer.card.control))),
            since=now - peer.since,
            state=peer.card.state,
            round_trip=peer.round_trip,
            pulls=peer.card.pulls,
            serves=peer.card.serves,
            publishes=peer.card.publishes,
            subscribes=peer.card.subscribes,
            found_by=peer.source,
            one_way=peer.one_way,
            stalled=peer.card.stalled,
            forwards={kind: names for kind, names in asdict(peer.card.forwards).items() if names},
        )
        for peer in participant.roster.values()
    ]
    return sorted(views, key=lambda view: (view.name, view.id))


def statistics(participant: Participant, now: float, dropped: Mapping[str, int]) -> dict[str, Any]:
    """Return the counters of a node; see ``Node.stats``. ``dropped`` is what the links have dropped."""
    elapsed = max(now - participant.opened_at, 1e-9)
    card = participant.presence.card
    queues: dict[str, dict[str, Any]] = {}
    inboxes = {**participant.shut, **participant.inboxes}
    for queue in sorted({*participant.outboxes, *inboxes}):
        entry: dict[str, Any] = {}
        if queue in participant.outboxes:
            entry["push"] = _pushing(participant.outboxes[queue], elapsed, now)
        if queue in inboxes:
            entry["pull"] = _pulling(inboxes[queue], elapsed, now)
        queues[queue] = entry
    return {
        "name": card.name,
        "id": card.node_id.hex(),
        "mesh": card.mesh,
        "state": card.state,
        "uptime": elapsed,
        "queues": queues,
        "topics": _topics(participant.feed, elapsed),
        "groups": _groups(participant),
        "services": _services(participant.calls, elapsed, now),
        "forwards": forwarding(participant.relay, elapsed),
        "tap": participant.copies.told(card),
        "peers": len(participant.roster),
        "sessions": sum(session.live for session in participant.sessions.values()),
        "replayed_frames": sum(session.replayed for session in participant.sessions.values()),
        "dropped": {**dropped, **participant.counts},
    }


def topic_names(feed: Feed) -> dict[str, dict[str, int]]:
    """Return what a node publishes, with how much, and the patterns it subscribes to, with how often.

    Of very many the busiest; ``more`` says how many names there are beside them.
    """
    series = feed.topics
    subscribed = Counter(
        pattern for subscription in feed.subscriber.subscriptions.values() for pattern in subscription.patterns
    )
    return {
        "publishes": {one.topic: one.head for one in nlargest(NAMED, series, key=attrgetter("head"))},
        "subscribes": dict(subscribed.most_common(NAMED)),
        "more": {"publishes": max(0, len(series) - NAMED), "subscribes": max(0, len(subscribed) - NAMED)},
    }


def _topics(feed: Feed, elapsed: float) -> dict[str, dict[str, dict[str, Any]]]:
    publisher, topics = feed.publisher, dict[str, dict[str, dict[str, Any]]]()
    listed = nlargest(LISTED, feed.topics, key=attrgetter("head"))
    for series in listed:
        subscribers = len(feed.followed_by(series.topic))
        topics[series.topic] = {"publish": _publishing(series.head, series.bytes, elapsed, subscribers=subscribers)}
    published = publisher.published - sum(series.head for series in listed)
    if published:
        size = publisher.bytes - sum(series.bytes for series in listed)
        topics[OTHERS] = {"publish": _publishing(published, size, elapsed)}
    subscriptions = [one for one in feed.subscriber.subscriptions.values() if one.group is None]
    subscriptions.sort(key=attrgetter("received"), reverse=True)
    for place, subscription in enumerate(subscriptions):
        name = ", ".join(subscription.patterns) if place < LISTED else OTHERS
        entry = topics.setdefault(name, {})
        entry["subscribe"] = _subscribing(subscription, elapsed, entry.get("subscribe"))
    return topics


def _publishing(published: int, size: int, elapsed: float, **more: int) -> dict[str, Any]:
    return {"published": published, "bytes": size, **more, "λ": published / elapsed}


def _subscribing(subscription: Subscription, elapsed: float, before: Mapping[str, Any] | None) -> dict[str, Any]:
    counted = Counter[str](before["missed"] if before else ())
    for reason in ("lost", "overflowed", "superseded", "unreadable"):
        counted[reason] += getattr(subscription, reason)
    received = subscription.received + (before["received"] if before else 0)
    return {
        "received": received,
        "in_hand": subscription.in_hand + (before["in_hand"] if before else 0),
        "waiting": subscription.waiting + (before["waiting"] if before else 0),
        "missed": dict(counted),
        "λ": received / elapsed,
    }


def _groups(participant: Participant) -> dict[str, dict[str, Any]]:
    groups, outboxes = participant.feed.audience.groups, participant.outboxes
    return {
        queue: {
            "topics": list(patterns),
            "members": members,
            "depth": outboxes[queue].depth if queue in outboxes else 0,
            "dropped": groups.dropped[queue],
        }
        for queue, patterns, members in groups.all()
    }


def _services(calls: Calls, elapsed: float, now: float) -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = {}
    for service in sorted({*calls.caller.counts, *calls.server.lines}):
        entry: dict[str, Any] = {}
        if service in calls.caller.counts:
            entry["request"] = _asking(calls.caller.counts[service], elapsed)
        if service in calls.server.lines:
            entry["reply"] = _serving(calls.server.lines[service], elapsed, now)
        services[service] = entry
    return services


def _asking(asked: Asked, elapsed: float) -> dict[str, Any]:
    counts, answered = asked.counts, asked.answered
    return {
        "asked": counts["asked"],
        "outstanding": asked.outstanding,
        "answered": counts["answered"],
        "failed": counts["failed"],
        "timed_out": counts["timed_out"],
        "cancelled": counts["cancelled"],
        "retried": counts["retried"],
        "moved": counts["moved"],
        "refused": counts["refused"],
        "dropped": {"late": counts["late"]},
        "λ": counts["asked"] / elapsed,
        "L": asked.waited / elapsed,
        "W": asked.waited / answered if answered else 0.0,
    }


def _serving(line: Line, elapsed: float, now: float) -> dict[str, Any]:
    counts, busy = line.counts, line.busy.until(now)
    ended = line.ended
    return {
        "received": counts["received"],
        "waiting": len(line.waiting),
        "running": line.running,
        "done": counts["done"],
        "failed": counts["failed"],
        "cancelled": counts["cancelled"],
        "expired": counts["expired"],
        "refused": counts["refused"],
        "repeats": counts["repeats"],
        "λ": counts["received"] / elapsed,
        "μ": ended / busy if busy else 0.0,
        "ρ": busy / elapsed,
        "L": line.stayed / elapsed,
        "W": line.stayed / ended if ended else 0.0,
    }


def _pushing(outbox: Outbox, elapsed: float, now: float) -> dict[str, Any]:
    busy = outbox.busy.until(now)
    waited = outbox.waited / outbox.acked if outbox.acked else 0.0
    return {
        "pushed": outbox.pushed,
        "acked": outbox.acked,
        "depth": outbox.depth,
        "bytes": outbox.size,
        "waiting": outbox.backlog.idle,
        "in_flight": outbox.depth - outbox.backlog.idle,
        "redelivered": outbox.redelivered,
        "returned": outbox.returned,
        "refused": outbox.refused,
        "overdue": outbox.overdue,
        "dead": len(outbox.dead),
        "died": outbox.died,
        "dropped": {"expired": outbox.expired, "dead": outbox.dead.dropped},
        "priorities": {
            priority: {"waiting": count, "oldest": max(0.0, now - since)}
            for priority, (count, since) in outbox.backlog.levels.waiting.items()
        },
        "λ": outbox.pushed / elapsed,
        "μ": outbox.acked / busy if busy else 0.0,
        "ρ": busy / elapsed,
        "L": waited * outbox.acked / elapsed,
        "W": waited,
    }


def _pulling(inbox: Inbox, elapsed: float, now: float) -> dict[str, Any]:
    busy = inbox.pace.busy.until(now)
    return {
        "received": inbox.received,
        "done": inbox.done,
        "waiting": inbox.waiting,
        "in_custody": inbox.keeping.handled,
        "repeats": inbox.repeats,
        "returned": inbox.returned,
        "refused": inbox.refused,
        "overdue": inbox.overdue,
        "dropped": {"expired": inbox.expired, "rejected": inbox.rejected},
        "λ": inbox.received / elapsed,
        "μ": inbox.done / busy if busy else 0.0,
        "ρ": busy / elapsed,
        "L": inbox.stayed / elapsed,
        "W": inbox.stayed / inbox.done if inbox.done else 0.0,
    }
