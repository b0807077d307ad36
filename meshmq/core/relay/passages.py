"""Requests that pass through a device: each goes to the server with least outstanding of all that pass.

To callers a device is a server, to servers a caller. A request keeps its id and what its caller asked for; its
answers, CANCEL and DEMAND go the same way. What a server refuses is asked of others first, what is lost with one
its caller is told, who treats it as if its own session with it had ended. A deadline is for both ends to hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from meshmq.core.alarms import Alarms
from meshmq.core.calls.call import Asking
from meshmq.core.calls.choice import Choice
from meshmq.core.calls.endings import OVERLOADED
from meshmq.core.relay.passage import Passage
from meshmq.core.relay.queues import Place
from meshmq.errors import ProtocolError
from meshmq.wire.calls import (
    Answer,
    Request,
    Status,
    pack_answer,
    pack_cancel,
    pack_demand,
    pack_loss,
    pack_request,
    unpack_answer,
    unpack_cancel,
    unpack_demand,
    unpack_request,
)
from meshmq.wire.frames import Kind

#: What a caller leaves unread, in parts of ``settings.request_bytes``: more ends its session.
UNREAD: Final = 2
UNREACHABLE: Final = "unreachable"


class Passages:
    """All requests that pass through this node."""

    def __init__(self, ground: Place) -> None:
        self._ground = ground
        self.services: dict[str, None] = {}
        self.draining = False
        self._choice = Choice(ground, lambda service: False, directly=True)
        self._passing: dict[bytes, Passage] = {}
        #: To be placed now, and those nobody takes just now.
        self._fresh: dict[Passage, None] = {}
        self._homeless: dict[Passage, None] = {}
        self._waiting_bytes = 0
        self._alarms: Alarms[Passage] = Alarms()
        #: What became of all, by service.
        self.counts: dict[str, Counter[str]] = {}

    def __repr__(self) -> str:
        return f"<Passages of {', '.join(self.services) or 'nothing'}, {len(self._passing)} under way>"

    def forward(self, service: str) -> None:
        """Stand between the callers and the servers of a name from now on."""
        self.services[service] = None
        self.counts.setdefault(service, Counter())

    def outstanding(self, service: str) -> int:
        """Return how many requests of a service are under way."""
        return sum(passage.request.service == service for passage in self._passing.values())

    # -- what sessions bring -----------------------------------------------------------------------

    def took(self, peer: bytes, kind: Kind, frames: Sequence[bytes], now: float) -> bool:
        """Take what a session brought, if it is of a request that passes; whether it is.

        Raises:
            ProtocolError: it is none; the session ends.
        """
        if kind is Kind.REQUEST:
            request = unpack_request(frames)
            if request.service not in self.services:
                return False
            if request.caller:
                raise ProtocolError("a request that another device sends on")
            self._requested(peer, request, now)
            return True
        if kind is Kind.ANSWER:
            answer = unpack_answer(frames)
            passage = self._passing.get(answer.id)
            if passage is None or peer not in passage.asked:
                return False
            self._answered(passage, peer, answer, frames)
            return True
        if kind is Kind.CANCEL:
            passage = self._of(peer, unpack_cancel(frames[0]))
            if passage is not None:
                self._end(passage, "cancelled")
            return passage is not None
        if kind is Kind.DEMAND:
            call, items = unpack_demand(frames[0])
            passage = self._of(peer, call)
            if passage is not None:
                passage.request = replace(passage.request, demand=max(items, passage.request.demand))
                for server in passage.asked:
                    self._ground.put(server, Kind.DEMAND, pack_demand(call, items))
            return passage is not None
        return False

    def _of(self, caller: bytes, call: bytes) -> Passage | None:
        passage = self._passing.get(call)
        return passage if passage is not None and passage.caller == caller else None

    def _requested(self, peer: bytes, request: Request, now: float) -> None:
        room, unread = self._ground.settings.request_bytes, self._ground.unread(peer)
        if unread > UNREAD * room:
            raise ProtocolError("it asks and does not read the answers")
        counts = self.counts[request.service]
        known = self._passing.get(request.id)
        if known is not None and known.caller == peer:
            counts["retried"] += 1
            known.request = replace(request, demand=max(request.demand, known.request.demand))
            known.arrived = now
            if known.asked and known.assigned is None and not self._place(known, now):
                self._post(known, next(reversed(known.asked)), now)
            return
        counts["received"] += 1
        waits = len(self._homeless) >= self._ground.settings.request_backlog
        word = "draining" if self.draining else ""
        if known is not None or unread > room or waits or self._waiting_bytes > room:
            word = word or OVERLOADED
        if word:
            counts["refused"] += 1
            self._ground.post(peer, Kind.ANSWER, pack_answer(request.id, Status.REFUSED, word=word), request.id)
            return
        passage = self._passing[request.id] = Passage(peer, request, now)
        self._waiting_bytes += request.value.size
        self._fresh[passage] = None

    def _answered(self, passage: Passage, server: bytes, answer: Answer, frames: Sequence[bytes]) -> None:
        if answer.status is Status.REFUSED:
            self._unask(passage, server)
            passage.refused[server] = answer.word
            if not passage.asked and passage.assigned is None:
                self._fresh[passage] = None
            return
        self._ground.post(passage.caller, Kind.ANSWER, frames, passage.id)
        if answer.status is not Status.ITEM:
            self._unask(passage, server)
            self._end(passage, "answered")

    def session_up(self, peer: bytes, now: float) -> None:
        """Send what waited for a session."""
        if self.services:
            for passage in [passage for passage in self._passing.values() if passage.assigned == peer]:
                self._send(passage, now)

    def session_ended(self, peer: bytes, reason: str, now: float) -> None:
        """Tell the callers of what was with a server; leave off what a caller asked."""
        for passage in list(self._passing.values()):
            if passage.caller == peer:  # it may ask again, by another way, what is idempotent
                self._end(passage, "cancelled", goes_on=passage.request.idempotent and not passage.request.stream)
            elif peer in passage.asked:
                self._unask(passage, peer)
                if not passage.asked and passage.assigned is None:
                    lost = pack_loss(passage.id, self._ground.name_of(peer), reason)
                    self._ground.post(passage.caller, Kind.ANSWER, lost, passage.id)
                    self._end(passage, "lost")

    def roster_changed(self) -> None:
        """Look anew for servers; who refused because it was closing may serve again."""
        if not self.services:
            return
        self._choice.forget()
        for passage in self._homeless:
            passage.refused = {peer: word for peer, word in passage.refused.items() if word == OVERLOADED}
        self._fresh.update(self._homeless)
        self._homeless.clear()
        for passage in list(self._passing.values()):
            if passage.assigned is not None and passage.assigned not in self._ground.roster:
                self._unassign(passage)
                self._fresh[passage] = None

    # -- where they go -----------------------------------------------------------------------------

    def work(self, now: float) -> None:
        """Give each request that has nobody to a server."""
        while self._fresh:
            passage = next(iter(self._fresh))
            del self._fresh[passage]
            if not self._place(passage, now) and not passage.asked:
                self._no_home(passage)

    def _no_home(self, passage: Passage) -> None:
        words = [word for word in passage.refused.values() if word == OVERLOADED]
        if words:
            refusal = pack_answer(passage.id, Status.REFUSED, word=words[0])
            self._ground.post(passage.caller, Kind.ANSWER, refusal, passage.id)
            self._end(passage, "refused")
        else:
            self._homeless[passage] = None

    def _place(self, passage: Passage, now: float) -> bool:
        asking = Asking(passage.request.service, passage.request.value)
        avoided = {*passage.refused, *passage.asked}
        server = self._choice.choose(asking, avoided)
        room = self._ground.settings.request_bytes
        while server is not None and self._ground.unread(server) > room:
            avoided.add(server)
            passage.refused[server] = OVERLOADED
            server = self._choice.choose(asking, avoided)
        if server is None:
            return False
        passage.assigned, passage.assigned_at = server, now
        self._choice.give(server)
        if self._ground.want(server, now):
            self._send(passage, now)
        else:
            self._arm(passage)
        return True

    def _send(self, passage: Passage, now: float) -> None:
        server, passage.assigned = passage.assigned, None
        assert server is not None
        if not passage.asked:
            self._waiting_bytes -= passage.request.value.size
        passage.asked[server] = None
        self._alarms.set(passage, None)
        self.counts[passage.request.service]["forwarded"] += 1
        self._post(passage, server, now)

    def _post(self, passage: Passage, server: bytes, now: float) -> None:
        request, here = passage.request, max(0.0, now - passage.arrived)
        onward = replace(
            request,
            left=None if request.left is None else max(0.0, request.left - here),
            caller=passage.caller,
            held=here + self._ground.round_trip(passage.caller) / 2,
        )
        frames = pack_request(onward)
        self._ground.copies.passes(server, Kind.REQUEST, frames, now)
        self._ground.post(server, Kind.REQUEST, frames, passage.id)

    def _unassign(self, passage: Passage) -> None:
        server, passage.assigned = passage.assigned, None
        if server is not None:
            self._choice.take_back(server)
            self._alarms.set(passage, None)

    def _unask(self, passage: Passage, server: bytes) -> None:
        del passage.asked[server]
        self._choice.take_back(server)
        if not passage.asked:
            self._waiting_bytes += passage.request.value.size

    def _arm(self, passage: Passage) -> None:
        moment = passage.assigned_at + self._ground.settings.grace
        self._alarms.set(passage, moment)
        self._ground.soon(moment)

    def _end(self, passage: Passage, what: str, *, goes_on: bool = False) -> None:
        """Forget a request; who has it still is told that nobody waits for it, unless it ``goes_on``."""
        del self._passing[passage.id]
        self._fresh.pop(passage, None)
        self._homeless.pop(passage, None)
        self._unassign(passage)
        for server in list(passage.asked):
            self._unask(passage, server)
            if not goes_on:
                self._ground.post(server, Kind.CANCEL, [pack_cancel(passage.id)], passage.id)
        self._waiting_bytes -= passage.request.value.size
        self.counts[passage.request.service][what] += 1

    # -- leaving, and time ---------------------------------------------------------------------------

    def owes(self) -> bool:
        """Whether somebody waits for an answer that would come through here."""
        return any(passage.asked for passage in self._passing.values())

    @property
    def deadline(self) -> float | None:
        """The next moment at which ``tick`` has something to do."""
        return self._alarms.deadline

    def tick(self, now: float) -> None:
        """Look for another server where no session comes about."""
        for passage in self._alarms.due(now):
            server = passage.assigned
            if server is None:
                continue
            self._unassign(passage)
            passage.refused[server] = UNREACHABLE
            if not self._place(passage, now):
                del passage.refused[server]  # better than nobody
                self._place(passage, now)
