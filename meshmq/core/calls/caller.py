"""The side of those who call: each call goes to one server and ends exactly once.

::

                choose           the session stands        DONE · FAILED · END
    asked for --------> assigned ------------------> asked ---------------------> over
        ^                  | gone · too slow           | REFUSED · lost and idempotent
        +------------------+---------------------------+
    from anywhere: its deadline, a cancel -> over, and CANCEL to whoever has it

Where the session stands already it is asked at once. An attempt whose share of the time is over stays
where it is; the same id is asked again, of another server if there is one. The first answer counts;
what comes after is late: counted and dropped.
"""

from __future__ import annotations

from collections.abc import Hashable

from meshmq.core.calls import endings
from meshmq.core.calls.call import Asked, Asking, Call, Outcome
from meshmq.core.calls.placing import Placing
from meshmq.errors import ProtocolError, WouldBlock
from meshmq.wire.calls import ID_BYTES, Answer, Status, Value, pack_demand
from meshmq.wire.frames import Kind


class Caller(Placing):
    """The calls of this node; see the module's docstring. All is called under the engine's lock."""

    def __repr__(self) -> str:
        return f"<Caller of {len(self._calls)}, {len(self._homeless)} with nobody to take them>"

    # -- for who calls -------------------------------------------------------------------------------

    def begin(self, asking: Asking, now: float, wake: Hashable = None) -> Call:
        """Ask; the call is over when it has an ``outcome``, which wakes ``call.wake``."""
        call = self.add(asking, now, wake)
        self._ground.deliver(now)
        if call.deadline is not None and call.deadline <= now:
            self.expire(call, now)
        return call

    def add(self, asking: Asking, now: float, wake: Hashable = None) -> Call:
        """Take a call that is placed with the next work; see ``begin``."""
        call_id = self._ground.random.randbytes(ID_BYTES)
        deadline = None if asking.timeout is None else now + asking.timeout
        call = Call(call_id, asking, now, deadline, ("call", call_id) if wake is None else wake)
        if asking.retries and asking.timeout is not None:
            call.share = asking.timeout / (asking.retries + 1)
            call.retry_at = now + call.share
        counts = self.counts.get(asking.service)
        if counts is None:
            counts = self.counts[asking.service] = Asked()
        counts.counts["asked"] += 1
        counts.outstanding += 1
        self._calls[call.id] = call
        self.fresh[call] = None
        self._arm(call)
        return call

    def expire(self, call: Call, now: float) -> None:
        """End a call whose time is over, with the error that says what it lacked. Nothing where it is over."""
        if call.outcome is None:
            self._fail(call, endings.too_late(self._ground, self._choice, call), now, "timed_out")

    def cancel(self, call: Call, now: float) -> None:
        """Give up a call; whoever has it is told. Nothing where it is over."""
        if call.outcome is None:
            self._end(call, Outcome(), "cancelled", now)
            self._ground.work(now)

    def next_item(self, call: Call, since: float, now: float) -> Value | None:
        """Return the next item of a stream, ``None`` after the last; somebody waits for it since ``since``.

        Raises:
            WouldBlock: it is not here yet.
            MeshError: what the stream ended by.
        """
        if call.items:
            value = call.items.popleft()
            call.taken += 1
            window = call.window(self._ground.settings.prefetch_bytes)
            if call.outcome is None:
                self._set_deadline(call, None)
                if call.granted - call.taken <= window // 2:
                    call.granted = max(call.granted, call.taken + window)
                    for peer in call.asked:
                        self._ground.put(peer, Kind.DEMAND, pack_demand(call.id, call.granted))
                    self._ground.work(now)
            return value
        if call.outcome is None:
            timeout = call.asking.timeout
            self._set_deadline(call, None if timeout is None else since + timeout)
            raise WouldBlock
        if call.outcome.error is not None:
            raise call.outcome.error
        return None

    # -- what sessions and the roster bring ------------------------------------------------------------

    def answered(self, peer: bytes, answer: Answer, now: float) -> None:
        """Take an answer.

        Raises:
            ProtocolError: it is none to what was asked.
        """
        call = self._calls.get(answer.id)
        if call is None or peer not in call.asked:
            if answer.status is not Status.ITEM:
                self._late(peer, answer)
        elif answer.status is Status.ITEM:
            self._item(call, answer)
        elif answer.status is Status.REFUSED:
            self._unask(call, peer)
            call.refused[peer] = answer.word
            self.counts[call.asking.service].counts["refused"] += 1
            if not call.asked and call.assigned is None:
                self.fresh[call] = None
        elif answer.loss is not None:  # as if our own session with that server had ended
            server, reason = answer.loss
            self._lose(call, peer, f"{server} behind {self._ground.name_of(peer)}: {reason}", now)
        else:
            self._unask(call, peer)
            if call.asking.stream and answer.status is Status.DONE:
                call.items.append(answer.value)  # a handler that returns instead of yielding
            error = endings.told(self._ground, call, peer, answer)
            what = "timed_out" if answer.status is Status.DROPPED else "failed" if error is not None else "answered"
            self._end(call, Outcome(peer, answer, error), what, now)

    def _item(self, call: Call, answer: Answer) -> None:
        if not call.asking.stream or answer.number != call.came + 1 or answer.number > call.granted:
            raise ProtocolError("an item of a stream that nobody asked for")
        call.came += 1
        call.largest = max(call.largest, answer.value.size)
        call.items.append(answer.value)
        self._set_deadline(call, None)
        self._ground.woken.append((call.wake, 1))

    def _late(self, peer: bytes, answer: Answer) -> None:
        owed = self._owed.get(peer)
        service = owed.pop(answer.id, None) if owed is not None else None
        if service is not None:
            self.counts[service].counts["late"] += 1
        if not owed:
            self._owed.pop(peer, None)

    def awaits(self, peer: bytes) -> bool:
        """Whether an answer of a peer may come, late ones included."""
        return peer in self._asked or peer in self._owed

    def session_up(self, peer: bytes, now: float) -> None:
        """Hand over what waited for a session."""
        for call in self._assigned.pop(peer, {}):
            call.assigned = None
            self._hand(call, peer, now)
            self._arm(call)

    def lost(self, peer: bytes, reason: str, now: float) -> None:
        """Move or fail what a peer had, whose session is over."""
        self._owed.pop(peer, None)
        for call in list(self._asked.get(peer, ())):
            self._lose(call, peer, f"{self._ground.name_of(peer)}: {reason}", now)

    def _lose(self, call: Call, peer: bytes, words: str, now: float) -> None:
        self._unask(call, peer)
        call.lost = words
        asking = call.asking
        if asking.idempotent and not asking.stream:
            self.counts[asking.service].counts["moved"] += 1
            if not call.asked and call.assigned is None:
                self.fresh[call] = None
        else:
            self._fail(call, endings.lost(call), now)

    def roster_changed(self, now: float) -> None:
        """Look anew for servers; who refused because it was closing may serve again."""
        self._choice.forget()
        for call in self._homeless:
            call.refused = {peer: word for peer, word in call.refused.items() if word == endings.OVERLOADED}
        self.fresh.update(self._homeless)
        self._homeless.clear()
        for peer in [peer for peer in self._assigned if peer not in self._ground.roster]:
            for call in list(self._assigned[peer]):
                self._unassign(call)
                if call.asking.to == peer.hex():
                    self._fail(call, endings.gone(self._ground, call, peer), now)
                elif not call.asked:
                    self.fresh[call] = None

    # -- time, and the end of a call -------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        """The next moment at which ``tick`` has something to do."""
        return self._alarms.deadline

    def tick(self, now: float) -> None:
        """End what is too late, ask again, look for another server where no session comes about."""
        for call in self._alarms.due(now):
            if call.deadline is not None and now >= call.deadline:
                self.expire(call, now)
                continue
            if call.retry_at is not None and now >= call.retry_at:
                self._retry(call, now)
            if call.assigned is not None and now >= call.assigned_at + self._ground.settings.grace:
                self._reassign(call, now)
            self._arm(call)
