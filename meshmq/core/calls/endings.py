"""Why a call ended without its answer: the errors, each one sentence with the next step in it."""

from __future__ import annotations

from typing import Final

from meshmq.core.calls.call import Call
from meshmq.core.calls.choice import Choice
from meshmq.core.part import Ground
from meshmq.errors import AmbiguousPeer, MeshError, NoPeersError, PeerLost, RemoteError, RequestRefused, TimedOut
from meshmq.wire.calls import Answer, Status

OVERLOADED: Final = "overloaded"
NAMES_SHOWN: Final = 10


def told(ground: Ground, call: Call, peer: bytes, answer: Answer) -> MeshError | None:
    """Return the error that an answer is, if it is one."""
    if answer.failure is not None:
        failure = answer.failure
        return RemoteError(failure.kind, failure.message, failure.traceback, failure.node or ground.name_of(peer))
    if answer.status is Status.DROPPED:
        return TimedOut(f"{ground.name_of(peer)} left off {call.asking.service!r}: {answer.word or 'cancelled'}")
    return None


def lost(call: Call) -> PeerLost:
    """Return the error of a call whose server is gone and that may not go elsewhere."""
    return PeerLost(f"{call.asking.service!r} may have run, its server is lost ({call.lost})")


def gone(ground: Ground, call: Call, peer: bytes) -> PeerLost:
    """Return the error of a call that was for one node alone, and never got there."""
    return PeerLost(f"{call.asking.service!r} was not asked: {ground.name_of(peer)} is gone", may_have_run=call.handed)


def nowhere(ground: Ground, call: Call) -> MeshError | None:
    """Return the error of a call that all who are here have refused; ``None`` where it pays to wait for others."""
    full = [peer for peer, word in call.refused.items() if word == OVERLOADED]
    return _refused(ground, call) if full else None


def too_late(ground: Ground, choice: Choice, call: Call) -> MeshError:
    """Return the error of a call whose time is over."""
    service, span = call.asking.service, _span(call)
    if call.asked:
        names = ", ".join(sorted(ground.name_of(peer) for peer in list(call.asked)))
        return TimedOut(f"no {'item' if call.asking.stream else 'answer'} of {service!r} from {names}{span}")
    if call.lost:
        return PeerLost(f"{service!r} may have run, its server is lost ({call.lost}), and no other came{span}")
    if call.refused:
        return _refused(ground, call)
    try:
        server = call.assigned or choice.choose(call.asking, ())
    except AmbiguousPeer as error:
        return error
    if server is not None:
        why = f"no session with {ground.name_of(server)}{span}" if call.asking.timeout else "there was no time left"
        return TimedOut(f"{service!r} was not asked: {why}")
    if call.asking.to is not None:
        names = ", ".join(sorted(map(ground.name_of, choice.servers(service)))[:NAMES_SHOWN])
        return NoPeersError(f"nobody{_named(call)} serves {service!r}{span}; it is served by: {names or 'nobody'}")
    return NoPeersError(f"nobody serves {service!r}{span}: start a node that does; {_served(ground)}")


def awaited(ground: Ground, call: Call) -> str:
    """Return in words what a call waits for."""
    service = call.asking.service
    if call.asked:
        return f"the answer of {service!r} from {', '.join(sorted(ground.name_of(peer) for peer in list(call.asked)))}"
    return f"a server of {service!r}{_named(call)}; {_served(ground)}"


def _refused(ground: Ground, call: Call) -> RequestRefused:
    words = {ground.name_of(peer): word for peer, word in call.refused.items()}
    listed = ", ".join(f"{name} ({word})" for name, word in sorted(words.items())[:NAMES_SHOWN])
    reason = next(reversed(call.refused.values()))
    return RequestRefused(f"{call.asking.service!r} was not run, refused by {listed}", reason)


def _named(call: Call) -> str:
    return f" named {call.asking.to!r}" if call.asking.to is not None else ""


def _span(call: Call) -> str:
    return "" if not call.asking.timeout else f" within {call.asking.timeout:g} s"


def _served(ground: Ground) -> str:
    names = sorted({service for peer in list(ground.roster.values()) for service in peer.card.serves})
    if not ground.roster:
        return "no peers are here"
    return f"peers serve: {', '.join(names[:NAMES_SHOWN]) or 'nothing'}"
