"""What a node shows of itself and its peers: plain values, read under the lock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from meshmq.core.inbox import Inbox
from meshmq.core.outbox import Outbox
from meshmq.core.participant import Participant


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
    found_by: str
    one_way: bool
    """Whether it cannot dial us and uses the session that we opened."""

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
            found_by=peer.source,
            one_way=peer.one_way,
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
        "peers": len(participant.roster),
        "sessions": sum(session.live for session in participant.sessions.values()),
        "replayed_frames": sum(session.replayed for session in participant.sessions.values()),
        "dropped": {**dropped, **participant.counts},
    }


def _pushing(outbox: Outbox, elapsed: float, now: float) -> dict[str, Any]:
    busy = outbox.busy.until(now)
    waited = outbox.waited / outbox.acked if outbox.acked else 0.0
    return {
        "pushed": outbox.pushed,
        "acked": outbox.acked,
        "depth": outbox.depth,
        "bytes": outbox.size,
        "waiting": outbox.waiting + outbox.paused,
        "in_flight": outbox.depth - outbox.waiting - outbox.paused,
        "redelivered": outbox.redelivered,
        "returned": outbox.returned,
        "refused": outbox.refused,
        "dropped": {"unreadable": outbox.unreadable},
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
        "repeats": inbox.repeats,
        "returned": inbox.returned,
        "refused": inbox.refused,
        "dropped": {"unreadable": inbox.unreadable},
        "λ": inbox.received / elapsed,
        "μ": inbox.done / busy if busy else 0.0,
        "ρ": busy / elapsed,
        "L": inbox.stayed / elapsed,
        "W": inbox.stayed / inbox.done if inbox.done else 0.0,
    }
