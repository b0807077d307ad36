"""The side of those who serve: requests that wait, run, and are answered, each exactly once.

::

               room                 ``take``                ``answer`` · ``fail`` · ``end``
    REQUEST ---------> waiting ---------------> running ------------------------------------> over
       |                  | CANCEL · too late      | CANCEL · too late · caller lost            ^
       | no room,         v                        v                                            |
       | not served,    over (DROPPED, never run)  cancelled -------- the same verbs -----------+
       v draining                                              (answered DROPPED, without a value)
    over (REFUSED, never run)

A request is known by who asked and the id that he gave it. One that comes again with the same id
while it waits or runs is the same request; an idempotent one that is done is answered from memory.

**For who handles requests** (all calls are made under the engine's lock, and none waits): ``serve``
a name, ``take`` requests (where none is here, wait for the wake ``("service", name)``), decode
``incoming.value`` outside the lock, and end each by ``answer``, ``fail`` or, for a stream, ``item``
as long as there is credit (wake: ``("demand", incoming.id)``) and then ``end``. Only the first end
counts. Look at ``incoming.cancelled`` now and then, or have ``watch`` call you.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from meshmq.core.calls.ends import ALL, Ends
from meshmq.core.calls.incoming import Incoming, Line
from meshmq.core.moments import earliest
from meshmq.errors import ConfigError, ProtocolError, WouldBlock
from meshmq.names import short
from meshmq.wire.calls import Request, Status, Value, pack_answer
from meshmq.wire.card import NAMES_LIMIT
from meshmq.wire.frames import Kind

#: What a caller leaves unread, in parts of ``settings.request_bytes``: more ends its session.
UNREAD: Final = 2
#: Seconds between two looks for answers to be forgotten.
FORGET_EVERY: Final = 1.0
_NOTHING: Final = Value(b"")


class Server(Ends):
    """What this node serves; see the module's docstring for who calls what."""

    def __repr__(self) -> str:
        return f"<Server of {short(self._ground.node_id)}: {', '.join(self.served) or 'nothing'}>"

    # -- for who handles requests --------------------------------------------------------------------

    def serve(
        self,
        service: str,
        now: float,
        *,
        shown: bool = True,
        idempotent: bool = False,
        asked: Callable[[], object] | None = None,
    ) -> None:
        """Serve a name from now on; again is no more than once.

        With ``shown=False`` it does not stand on our card, and is served while we drain, too: for what every
        node answers. With ``idempotent`` a request goes on when its caller is lost, whatever that said of it.
        ``asked`` is called, under the lock, when one comes, for who does not wait for the wake.

        Raises:
            ConfigError: there is no room for one more on the card, or this node is a device for it.
        """
        line = self.lines.get(service)
        self._ground.refuse_service(service)
        if shown and service not in self.served:
            if self._ground.names_shown() >= NAMES_LIMIT:
                raise ConfigError(f"a node pulls and serves at most {NAMES_LIMIT:,} names, and {service!r} is one more")
            self.served[service] = None
            self._ground.change_card(now)
            self._ground.woken.append((("roster",), ALL))
        if line is None:
            line = self.lines[service] = Line(service, shown=shown)
        line.open, line.idempotent, line.asked = True, line.idempotent or idempotent, asked
        self._ground.work(now)

    def unserve(self, service: str, now: float) -> None:
        """Serve a name no more: what waits is refused, so that it runs elsewhere; what runs goes on."""
        line = self.lines.get(service)
        if line is not None and line.open:
            line.open = False
            self._refuse_waiting(line, "unserved")
            if self.served.pop(service, self) is None:
                self._ground.change_card(now)
            self._ground.woken.append((("service", service), ALL))
            self._ground.work(now)

    def take(self, service: str, now: float) -> Incoming:
        """Return the request of a service that waited longest; it is running now, and its taker's to answer.

        Raises:
            WouldBlock: none is here; one will wake ``("service", service)``.
        """
        line = self.lines.get(service)
        while line is not None and line.waiting:
            incoming = next(iter(line.waiting))
            if incoming.deadline is not None and incoming.deadline <= now:
                self._drop(incoming, "expired")
                continue
            line.remove(incoming)
            line.running += 1
            line.busy.note(now, busy=True)
            incoming.running, incoming.began = True, now
            if incoming.stream:
                incoming.deadline = None
                self._alarms.set(incoming, None)
            return incoming
        raise WouldBlock

    def serves(self, service: str) -> bool:
        """Whether a request that comes now would be taken."""
        line = self.lines.get(service)
        return line is not None and line.open and not (self.draining and line.shown)

    def waiting(self, service: str) -> int:
        """Return how many requests of a service wait."""
        line = self.lines.get(service)
        return len(line.waiting) if line is not None else 0

    def watch(self, incoming: Incoming, hook: Callable[[], object]) -> None:
        """Call ``hook`` once when the request is cancelled, at once if it is.

        It is called under the lock: it leaves a note for somebody else and neither waits nor raises.
        """
        incoming.on_cancel = hook
        if incoming.cancelled:
            hook()

    def answer(self, incoming: Incoming, value: Value, now: float) -> bool:
        """End a request with its answer; a second end is ignored. Whether somebody is told."""
        return self._finish(incoming, Status.DONE, value, now)

    def fail(self, incoming: Incoming, failure: Value, now: float) -> bool:
        """End a request with a failure, as ``wire.calls.pack_failure`` packs it (outside the lock); see ``answer``."""
        return self._finish(incoming, Status.FAILED, failure, now)

    def item(self, incoming: Incoming, value: Value, now: float) -> bool:
        """Send the next item of a stream; ``False`` where nobody takes it any more.

        Raises:
            WouldBlock: the caller takes no more just now; ``("demand", incoming.id)`` is woken when it does.
        """
        if incoming.cancelled or incoming.over or not incoming.stream:
            return False
        if incoming.sent >= incoming.demand:
            raise WouldBlock
        incoming.sent += 1
        self._post(incoming, pack_answer(incoming.id, Status.ITEM, value, number=incoming.sent))
        self._ground.deliver(now)
        return True

    def end(self, incoming: Incoming, now: float) -> bool:
        """End a stream after its last item; see ``answer``."""
        return self._finish(incoming, Status.END, _NOTHING, now)

    # -- what sessions bring -------------------------------------------------------------------------

    def requested(self, peer: bytes, request: Request, now: float) -> None:
        """Take a request.

        Raises:
            ProtocolError: this caller leaves more answers unread than anybody keeps for it.
        """
        unread = self._ground.unread(peer)
        most, room = self._ground.settings.request_backlog, self._ground.settings.request_bytes
        if unread > UNREAD * room:
            raise ProtocolError("it asks and does not read the answers")
        key = (request.caller or peer, request.id)
        line = self.lines.get(request.service)
        known = self._known.get(key)
        answered = self._remembered.get(key, now) if known is None else None
        if known is not None or answered is not None:
            if line is not None:
                line.counts["repeats"] += 1
            if answered is not None:
                self._ground.post(peer, Kind.ANSWER, answered, request.id)
            elif known is not None and known.peer != peer:  # it comes by another way now
                self._depart(known)
                self._arrive(known, peer)
            return
        incoming = Incoming(request, peer, now)
        if line is not None:
            line.counts["received"] += 1
        word = ""
        if line is None or not line.open:
            word = "unserved"
        elif self.draining and line.shown:
            word = "draining"
        elif unread > room or line.full(incoming.size, most, room):
            word = "overloaded"
        if word or line is None:
            self._refuse(incoming, word)
        elif incoming.deadline is not None and incoming.deadline <= now:
            line.counts["expired"] += 1
            self._post(incoming, pack_answer(incoming.id, Status.DROPPED, word="expired"))
        else:
            incoming.idempotent = incoming.idempotent or line.idempotent
            self._known[key] = incoming
            self._arrive(incoming, peer)
            line.add(incoming)
            if incoming.deadline is not None:
                self._alarms.set(incoming, incoming.deadline)
                self._ground.soon(incoming.deadline)
            self._ground.woken.append((("service", request.service), 1))
            if line.asked is not None:
                line.asked()

    def cancel(self, peer: bytes, call: bytes) -> None:
        """Learn that a caller does not wait any more."""
        incoming = self._known.get((peer, call)) or self._through.get((peer, call))
        if incoming is not None and incoming.peer == peer:
            self._drop(incoming, "cancelled")

    def demand(self, peer: bytes, call: bytes, items: int) -> None:
        """Learn how many items of a stream the caller takes, counted from its beginning."""
        incoming = self._known.get((peer, call)) or self._through.get((peer, call))
        if incoming is not None and items > incoming.demand:
            incoming.demand = items
            self._ground.woken.append((("demand", call), 1))

    def lost(self, peer: bytes) -> None:
        """Leave off what was asked by a peer whose session is over, except what may be asked again."""
        for incoming in list(self._of_peer.get(peer, ())):
            if not incoming.idempotent or incoming.stream:
                self._drop(incoming, "cancelled")

    def drain(self) -> None:
        """Take nothing new: what waits is refused, so that it runs elsewhere."""
        self.draining = True
        for line in self.lines.values():
            if line.shown:
                self._refuse_waiting(line, "draining")

    def owes(self) -> bool:
        """Whether somebody waits for an answer of something that runs here."""
        return any(
            incoming.running and not incoming.cancelled and self.lines[incoming.service].shown
            for incoming in self._known.values()
        )

    def takes_large(self) -> bool:
        """Whether a peer may send us a large request, or may have begun to when we served it."""
        return bool(self.lines)

    # -- time ----------------------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        """The next moment at which ``tick`` has something to do."""
        return earliest(self._alarms.deadline, self._forget_at)

    def tick(self, now: float) -> None:
        """Drop what is too late, forget answers that nobody asks for again."""
        for incoming in self._alarms.due(now):
            self._drop(incoming, "expired")
        if self._forget_at is not None and now >= self._forget_at:
            upcoming = self._remembered.forget(now)
            self._forget_at = None if upcoming is None else max(upcoming, now + FORGET_EVERY)
