"""What a request or an answer leaves to do: where nothing else is open all others need not be asked.

A full tick and ``work`` ask all sessions, queues, topics and devices; that was half of what a round trip cost.
"""

from __future__ import annotations

from meshmq.core.calls.calls import Calls
from meshmq.core.copies import Copies
from meshmq.core.footing import Footing
from meshmq.core.relay.relay import Relay


class Quiet(Footing):
    """A node that knows whether anything is open."""

    calls: Calls
    relay: Relay
    copies: Copies
    _roster_seen = -1

    #: Whether who drives has turns, and calls ``end_turn`` where something has ``gathered``: what is asked and answered
    #: in one turn goes together.
    gathers = gathered = False
    #: Whether calls were sent since the last step.
    sent_in_turn = False

    def deliver(self, now: float) -> None:
        """Have calls placed, and requests and answers sent: of ``work`` what is to do where nothing else is open."""
        if self.sent_in_turn:  # the first leaves at once: who waits for one alone is not to wait for the turn's end
            self.gathered = True
            return
        self.sent_in_turn = self.gathers
        self._deliver(now)

    def end_turn(self, now: float) -> None:
        """Send what has gathered."""
        gathered, self.gathered, self.sent_in_turn = self.gathered, False, False
        if gathered:
            self._deliver(now)

    def _deliver(self, now: float) -> None:
        if self._stirred():
            self.work(now)
            return
        if self.calls.caller.fresh:
            self.calls.caller.work(now)
        if self._send_pending(now):
            self.work(now)

    def _stirred(self) -> bool:
        return bool(
            self._seeking
            or self._busy_inboxes
            or self._busy_outboxes
            or self._local
            or self._staged
            or self._working
            or self._roster_seen != self.presence.roster.version
        )

    def _at_rest(self) -> bool:
        passed = self.relay.passages.services or self.copies.tappers  # what came may have to go on, or to be shown
        return not (self.laden or self.calls.caller.fresh or passed or self._stirred())
