"""How requests end at a server: answered, refused, cancelled, too late; each exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from meshmq.core.alarms import Alarms
from meshmq.core.calls.incoming import Incoming, Key, Line, Remembered
from meshmq.core.part import Ground
from meshmq.wire.calls import Status, Value, pack_answer
from meshmq.wire.frames import Kind

#: Woken with so many, all who wait are.
ALL: Final = 1_000_000
#: For how many seconds a session may hold a repeat back before it is given up, with room to spare.
HELD_BACK: Final = 10.0


class Ends:
    """The requests that came to a node, and the ways in which they go; see ``Server``."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        settings = ground.settings
        #: The services on our card, in the order in which they were opened.
        self.served: dict[str, None] = {}
        #: All services there ever were, closed ones too: what was counted of them.
        self.lines: dict[str, Line] = {}
        self.draining = False
        self._known: dict[Key, Incoming] = {}
        self._of_peer: dict[bytes, dict[Incoming, None]] = {}
        #: What devices sent on, by device and id.
        self._through: dict[Key, Incoming] = {}
        self._remembered = Remembered(settings.reply_cache, settings.request_bytes)
        self._alarms: Alarms[Incoming] = Alarms()
        self._forget_at: float | None = None

    def _finish(self, incoming: Incoming, status: Status, value: Value, now: float) -> bool:
        if incoming.over:
            return False
        line = self._forget(incoming)
        line.running -= 1
        line.busy.note(now, busy=line.running > 0)
        line.ended += 1
        line.stayed += now - incoming.arrived
        if incoming.cancelled:
            line.counts["cancelled"] += 1
            frames = pack_answer(incoming.id, Status.DROPPED, word="cancelled")
        else:
            line.counts["failed" if status is Status.FAILED else "done"] += 1
            frames = pack_answer(incoming.id, status, value, number=incoming.sent)
        if incoming.idempotent and not incoming.stream:
            self._remember(incoming, frames, now)
        self._post(incoming, frames)
        self._ground.woken.append((("progress",), ALL))
        self._ground.deliver(now)
        return not incoming.cancelled

    def _remember(self, incoming: Incoming, frames: Sequence[bytes], now: float) -> None:
        """Keep an answer for repeats: one that was cancelled, too, for its repeat may be on its way still."""
        span = incoming.span if incoming.span is not None else self._ground.settings.request_timeout
        until = now + 2 * span + HELD_BACK
        self._remembered.put(incoming.key, frames, until)
        if self._forget_at is None or until < self._forget_at:
            self._forget_at = until
            self._ground.soon(until)

    def _drop(self, incoming: Incoming, word: str) -> None:
        """Leave off: before it has begun it is over; after that whoever runs it is told."""
        if not incoming.running:
            line = self._forget(incoming)
            line.remove(incoming)
            line.counts[word] += 1
            self._post(incoming, pack_answer(incoming.id, Status.DROPPED, word=word))
        elif not incoming.cancelled:
            incoming.cancelled = True
            self._ground.woken.append((("demand", incoming.id), ALL))
            self._ground.woken.append((("progress",), ALL))
            if incoming.on_cancel is not None:
                incoming.on_cancel()

    def _refuse_waiting(self, line: Line, word: str) -> None:
        for incoming in list(line.waiting):
            self._forget(incoming)
            line.remove(incoming)
            self._refuse(incoming, word)

    def _refuse(self, incoming: Incoming, word: str) -> None:
        incoming.over = True
        line = self.lines.get(incoming.service)
        if line is not None:
            line.counts["refused"] += 1
        self._post(incoming, pack_answer(incoming.id, Status.REFUSED, word=word))

    def _forget(self, incoming: Incoming) -> Line:
        incoming.over = True
        incoming.on_cancel = None
        del self._known[incoming.key]
        self._depart(incoming)
        self._alarms.set(incoming, None)
        return self.lines[incoming.service]

    def _arrive(self, incoming: Incoming, peer: bytes) -> None:
        """Note by whom a request came last: it is answered there."""
        incoming.peer = peer
        self._of_peer.setdefault(peer, {})[incoming] = None
        if incoming.caller != peer:
            self._through[peer, incoming.id] = incoming

    def _depart(self, incoming: Incoming) -> None:
        if incoming.caller != incoming.peer:
            self._through.pop((incoming.peer, incoming.id), None)
        others = self._of_peer[incoming.peer]
        del others[incoming]
        if not others:
            del self._of_peer[incoming.peer]

    def _post(self, incoming: Incoming, frames: Sequence[bytes]) -> None:
        self._ground.post(incoming.peer, Kind.ANSWER, frames, incoming.id)
