"""Where a call of ours is: to be placed, assigned, asked, with nobody to take it; and how it goes on from there."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from meshmq.core.alarms import Alarms
from meshmq.core.calls import endings
from meshmq.core.calls.call import Asked, Call, Outcome
from meshmq.core.calls.choice import Choice
from meshmq.core.part import Ground
from meshmq.errors import AmbiguousPeer, MeshError
from meshmq.wire.calls import Request, pack_cancel, pack_request
from meshmq.wire.frames import Kind

#: Of each peer, so many calls that are over here and were not answered there are known when the answer comes.
LATE_KEPT: Final = 10_000
#: What we say of a server whose session does not come about.
UNREACHABLE: Final = "unreachable"


class Placing:
    """The calls of a node that are not over, by where they are; see ``Caller``."""

    def __init__(self, ground: Ground, choice: Choice) -> None:
        self._ground, self._choice = ground, choice
        self._calls: dict[bytes, Call] = {}
        #: To be given to a server now; and those nobody takes just now.
        self.fresh: dict[Call, None] = {}
        self._homeless: dict[Call, None] = {}
        self._assigned: dict[bytes, dict[Call, None]] = {}
        self._asked: dict[bytes, dict[Call, None]] = {}
        #: By peer, calls that ended before its answer: their services.
        self._owed: dict[bytes, OrderedDict[bytes, str]] = {}
        self._alarms: Alarms[Call] = Alarms()
        #: What became of all calls, by service.
        self.counts: dict[str, Asked] = {}

    def work(self, now: float) -> None:
        """Give each call that has nobody to a server."""
        while self.fresh:
            call = next(iter(self.fresh))
            del self.fresh[call]
            if call.deadline is None or call.deadline > now:
                self._place(call, now)

    def _place(self, call: Call, now: float) -> bool:
        """Find a call a server; whether there was one."""
        try:
            avoided = {*call.refused, *call.asked} if call.refused or call.asked else ()
            peer = self._choice.choose(call.asking, avoided)
            if peer is None and (given := [peer for peer, word in call.refused.items() if word == UNREACHABLE]):
                for unreachable in given:  # better than nobody
                    del call.refused[unreachable]
                peer = self._choice.choose(call.asking, {*call.refused, *call.asked})
        except AmbiguousPeer as ambiguous:
            self._fail(call, ambiguous, now)
            return False
        if peer is None:
            if not call.asked:
                self._homeless[call] = None
                error = endings.nowhere(self._ground, call)
                if error is not None:
                    self._fail(call, error, now)
            return False
        self._choice.give(peer)
        if self._ground.want(peer, now):
            self._hand(call, peer, now)
        else:
            call.assigned, call.assigned_at = peer, now
            self._assigned.setdefault(peer, {})[call] = None
            self._arm(call)
        return True

    def _hand(self, call: Call, peer: bytes, now: float) -> None:
        """Send a call to the server it is given to, whose session stands."""
        call.attempt += 1
        call.asked[peer] = None
        call.handed = True
        self._asked.setdefault(peer, {})[call] = None
        self._post(call, peer, now)

    def _post(self, call: Call, peer: bytes, now: float) -> None:
        asking = call.asking
        left = None if call.deadline is None else call.deadline - now
        demand = call.granted if asking.stream else 0
        request = Request(
            call.id, asking.service, asking.value, left, asking.idempotent, asking.stream, call.attempt, demand,
            asking.headers,
        )  # fmt: skip
        self._ground.post(peer, Kind.REQUEST, pack_request(request), call.id)

    def _unassign(self, call: Call) -> None:
        peer, call.assigned = call.assigned, None
        if peer is not None:
            self._choice.take_back(peer)
            _discard(self._assigned, peer, call)

    def _unask(self, call: Call, peer: bytes) -> None:
        del call.asked[peer]
        self._choice.take_back(peer)
        _discard(self._asked, peer, call)

    def _retry(self, call: Call, now: float) -> None:
        """Ask again where a share of the time is over: another server, or the same if there is none."""
        assert call.retry_at is not None
        call.retry_at += call.share
        if call.deadline is None or call.retry_at > call.deadline - call.share / 2:
            call.retry_at = None
        self.counts[call.asking.service].counts["retried"] += 1
        if call.asked and call.assigned is None and not self._place(call, now) and call.outcome is None:
            call.attempt += 1
            self._post(call, next(reversed(call.asked)), now)
        self._arm(call)

    def _reassign(self, call: Call, now: float) -> None:
        """Go to another server, if there is one, where the session with this one does not come about."""
        peer = call.assigned
        assert peer is not None
        call.assigned_at = now
        others = {*call.refused, *call.asked, peer}
        if call.asking.to is None and self._choice.choose(call.asking, others) is not None:
            self._unassign(call)
            call.refused[peer] = UNREACHABLE
            self.fresh[call] = None
        else:
            self._ground.want(peer, now)

    def _set_deadline(self, call: Call, deadline: float | None) -> None:
        if call.deadline != deadline:
            call.deadline = deadline
            self._arm(call)

    def _arm(self, call: Call) -> None:
        moment = call.next_moment(self._ground.settings.grace) if call.outcome is None else None
        self._alarms.set(call, moment)
        if moment is not None:
            self._ground.soon(moment)

    def _fail(self, call: Call, error: MeshError, now: float, what: str = "failed") -> None:
        self._end(call, Outcome(error=error), what, now)

    def _end(self, call: Call, outcome: Outcome, what: str, now: float) -> None:
        call.outcome = outcome
        del self._calls[call.id]
        self.fresh.pop(call, None)
        self._homeless.pop(call, None)
        self._unassign(call)
        for peer in list(call.asked):
            self._unask(call, peer)
            owed = self._owed.setdefault(peer, OrderedDict())
            owed[call.id] = call.asking.service
            if len(owed) > LATE_KEPT:
                owed.popitem(last=False)
            self._ground.post(peer, Kind.CANCEL, [pack_cancel(call.id)], call.id)
        self._alarms.set(call, None)
        counts = self.counts[call.asking.service]
        counts.counts[what] += 1
        counts.outstanding -= 1
        if outcome.answer is not None:
            counts.answered += 1
            counts.waited += now - call.began
        self._ground.woken.append((call.wake, 1_000))


def _discard(index: dict[bytes, dict[Call, None]], peer: bytes, call: Call) -> None:
    calls = index[peer]
    del calls[call]
    if not calls:
        del index[peer]
