"""The books of a participant: what must add up after every event, whatever happened before."""

from __future__ import annotations

from meshmq.core.inbox import Inbox
from meshmq.core.outbox import Outbox
from meshmq.core.participant import Participant
from meshmq.core.relay.transit import Transit
from meshmq.core.runs import Run
from meshmq.core.session import Session
from meshmq.core.throughput import WINDOW_MOST
from meshmq.testing.simulated_node import SimulatedNode


def runs(outbox: Outbox) -> list[Run]:
    """Return all runs an outbox holds, wherever they stand."""
    return [
        *outbox.backlog.runs,
        *(run for route in outbox.routes.values() for run in (*route.flights, *route.held)),
    ]


def audit(node: SimulatedNode) -> None:
    """Check everything of one simulated node.

    Raises:
        AssertionError: something does not add up.
    """
    decider = node.decider
    assert isinstance(decider, Participant)
    # A HELLO that comes twice ends its connection, as a stranger's would.
    assert node.doubled or not decider.counts["foreign frames"], "honest peers' frames were taken for foreign ones"
    for outbox in decider.outboxes.values():
        audit_outbox(outbox)
    for inbox in decider.inboxes.values():
        audit_inbox(inbox)
    for transit in decider.relay.queues.values():
        audit_transit(transit, settled=transit not in decider.relay.busy)
    for session in decider.sessions.values():
        audit_session(session)
    if decider.presence.card.state != "left":  # who leaves lets its goodbyes go out, and closes
        audit_connections(node, decider)


def audit_outbox(outbox: Outbox) -> None:
    """Check that every job stands in one place and is counted there."""
    held = runs(outbox)
    assert all(run.bodies for run in held), "an empty run"
    assert outbox.depth == sum(len(run.bodies) for run in held), "depth"
    numbers = {number for run in held for number in range(run.first, run.last + 1)}
    assert len(numbers) == outbox.depth, "a job stands in two places"
    assert outbox.waiting == sum(len(run.bodies) for run in [*outbox.backlog.levels.runs, *outbox.backlog.alone]), (
        "waiting"
    )
    assert outbox.size == sum(outbox._cargo.weight(run) for run in held), "size"
    assert outbox._cargo.buffers.keys() | outbox._cargo.headers.keys() <= numbers, "cargo of jobs that are gone"
    for route in outbox.routes.values():
        assert route.in_flight == sum(len(run.bodies) for run in route.flights), "in flight"
        assert route.in_flight <= route.jobs_sent, "sent"
        assert not route.alone or route.in_flight == 1 or route.onward, "alone, and not one"
    assert set(outbox._outputs._ids) <= numbers, "an output that is gone"
    keys = outbox.backlog.keys
    assert set(keys.of) <= numbers, "the key of a job that has ended"
    assert set(keys._out) == set(keys.of.values()), "a key of which no job is out, or none is left"
    assert all(number in keys.of for number in keys._out.values()), "a job that is out and has ended"
    assert not outbox.free, "inputs whose outputs are safe wait"
    pushed = outbox.acked + outbox.expired + outbox.died - outbox.retried + outbox.depth
    assert outbox.pushed + outbox.restored == pushed, f"{outbox.pushed} pushed, {pushed} accounted for"


def audit_inbox(inbox: Inbox) -> None:
    """Check that what came and is not answered is here, and nothing else is."""
    waiting = [piece for line in inbox._fetched._lines.values() for piece in line]
    assert inbox.waiting == sum(piece.end - piece.start for piece in waiting), "waiting here"
    for source in inbox.sources.values():
        assert not source.gone
        here = sum(piece.end - piece.start for piece in waiting if piece.source is source)
        for hand in inbox._hands:
            if hand.source is source:
                here += sum(1 for index in range(hand.told, hand.end) if index not in hand.said)
        owed = source.received - source.finished
        assert owed == here, f"{owed} jobs are not answered and {here} are here"
        assert source.finished_bytes <= source.received_bytes
        if inbox.pace.fixed is not None:
            window = max(1, inbox.pace.fixed, len(inbox._askers))
            assert owed <= window, f"{owed} jobs of one pusher are here, and {window} may be"
    kept = inbox.keeping._inputs.values()
    assert inbox.keeping.handled == sum(one.handled for one in kept), "in custody"
    assert all(one.held or not one.handled for one in kept), "in custody, and nothing holds it"
    for piece in waiting:
        assert not piece.source.gone, "a job of a session that is over waits"


def audit_transit(transit: Transit, *, settled: bool) -> None:
    """Check that a device has what came and was not sent on, and grants no more than it was granted."""
    parcels = [*transit.waiting, *transit.alone]
    assert all(len(parcel) > 0 and not parcel.pusher.gone for parcel in parcels), "an empty parcel, or nobody's"
    for pusher in transit.pushers.values():
        here = sum(len(parcel) for parcel in parcels if parcel.pusher is pusher)
        assert pusher.received - pusher.finished == here, "what came was not sent on and is not here"
        assert pusher.finished_bytes <= pusher.received_bytes
    for worker in transit.workers.values():
        flights = [flight for of in worker.flying.values() for flight in of]
        assert all(len(flight) for flight in flights), "an empty flight"
        assert worker.in_flight == sum(len(flight) for flight in flights if not flight.held), "in flight"
        assert not worker.alone or worker.in_flight == 1, "alone, and not one"
    if settled:
        unused = sum(pusher.unused for pusher in transit.pushers.values())
        assert unused <= max(0, transit.free), f"{unused} are granted and {transit.free} free"


def audit_session(session: Session) -> None:
    """Check that what is kept is what is not covered, within its bounds."""
    stream = session._stream
    size = 0
    if stream.kept:  # mostly nothing is, and this is asked after every event
        kept = [number for number, *_ in stream.kept]
        assert kept == list(range(stream.sent - len(kept) + 1, stream.sent + 1)), "a hole in what is kept"
        size = sum(item[3] for item in stream.kept)
        assert size <= WINDOW_MOST + max(item[3] for item in stream.kept), f"{size} bytes are kept"
        assert session.live, "kept without a session"
    assert size == stream.kept_bytes
    assert session.connection is None or session.live, "a connection without a session"
    assert session.connection is None or session.connection != session.dialling


def audit_connections(node: SimulatedNode, decider: Participant) -> None:
    """Check that every connection has an owner and every owner his connection."""
    for connection, session in decider.connections.items():
        assert connection in (session.connection, session.dialling), f"c{connection} is nobody's"
    for peer in decider.roster.values():
        assert peer.connection is None or decider.presence.roster.of(peer.connection) is peer
    owned = set(decider.connections)
    owned |= set(decider.feed.subscriber.by_connection) | set(decider.feed.subscriber.detours.by_connection)
    owned |= set(decider.relay.topics._by_connection)
    owned |= set(decider.presence.roster._by_connection) | set(decider.presence.rumours._by_connection)
    lost = {connection for connection in node.connections if connection % 2 == 0} - owned
    assert not lost, f"nobody hung up {lost}"
