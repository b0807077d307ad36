"""A tuner: our connection to one topics link, and the strings that it is tuned to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from meshmq.core.part import Ground
from meshmq.wire.subscribing import marker

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 2.0
#: A probe that has no echo for so long is sent anew; one that has, so much later: a word to the contrary may be lost.
ECHO_WAIT: Final = 5.0
CONFIRM_EVERY: Final = 30.0


class Tuner:
    """What is subscribed to at the topics link of one peer; after every change a new marker says so.

    With ``ask`` the markers are probes, and that is who answers them.
    """

    def __init__(self, ground: Ground, ask: bytes = b"") -> None:
        self._ground, self.ask = ground, ask
        self.connection: int | None = None
        #: Where the topics link is; nothing where we cannot dial it.
        self.addresses: tuple[str, ...] = ()
        #: Each with the number of the marker that came after it.
        self.strings: dict[bytes, int] = {}
        #: The number of the marker that stands.
        self.mark = 0
        self.dial_at = 0.0
        #: When to see whether the probe that stands had its echoes.
        self.overdue_at: float | None = None
        self._confirmed = False
        self._marker = b""
        self._failures = 0

    def __repr__(self) -> str:
        state = "connected" if self.connection is not None else "not connected"
        return f"<Tuner {state}, {len(self.strings)} strings at mark {self.mark}>"

    @property
    def to_dial(self) -> bool:
        """Whether there is something to hear and no connection."""
        return bool(self.addresses) and self.connection is None and bool(self.strings)

    def due(self, now: float) -> bool:
        """Whether it is to be dialled now."""
        return self.to_dial and now >= self.dial_at

    def overdue(self, now: float) -> bool:
        """Whether to see if a probe had its echoes, and to send it anew where it had not."""
        return self.overdue_at is not None and now >= self.overdue_at and self.connection is not None

    def check(self, brought: Iterable[bool], now: float) -> None:
        """See whether all had its echo; asks anew where it had not, or where that is long ago."""
        if self._confirmed or not all(brought):
            self.renew(now)
        else:
            self._confirmed, self.overdue_at = True, now + CONFIRM_EVERY

    @property
    def moments(self) -> list[float]:
        """The next moments at which something may be due."""
        if self.connection is None:
            return [self.dial_at] if self.to_dial else []
        return [] if self.overdue_at is None else [self.overdue_at]

    def tune(self, added: Sequence[bytes], dropped: Iterable[bytes], now: float) -> None:
        """Subscribe to some strings, and to others no more; dials where that is due."""
        if self.connection is None:
            for string in dropped:
                self.strings.pop(string, None)
            self.strings.update(dict.fromkeys(added, self.mark + 1))
            if self.due(now):
                self._dial(now)
            return
        gone = [string for string in dropped if self.strings.pop(string, None) is not None]
        if not self.strings and not added:
            self.hang_up()
        elif added or gone:
            self.renew(now, added, gone)

    def renew(self, now: float, added: Sequence[bytes] = (), dropped: Sequence[bytes] = ()) -> None:
        """Put another marker in the place of the one that stands; before it come strings that are new."""
        before = self._next_marker(now)
        self.strings.update(dict.fromkeys(added, self.mark))
        self._ground.outputs.append(("tune", self.connection, [*added, self._marker], [*dropped, before]))

    def _next_marker(self, now: float) -> bytes:
        before = self._marker
        self.mark += 1
        self.overdue_at = now + ECHO_WAIT if self.ask else None
        self._confirmed = False
        self._marker = marker(self._ground.node_id, self.mark) + self.ask
        return before

    def _dial(self, now: float) -> None:
        self._next_marker(now)
        self.connection = self._ground.next_connection()
        self.strings = dict.fromkeys(self.strings, self.mark)
        self._ground.outputs.append(("dial", self.connection, "topics", self.addresses, (*self.strings, self._marker)))

    def hang_up(self) -> None:
        """Hear nothing more."""
        if self.connection is not None:
            self._ground.outputs.append(("hang_up", self.connection))
            self.connection = None

    def failed(self, now: float) -> None:
        """Note that the connection could not be made, or is gone; it is dialled again after a pause."""
        self.connection = None
        self.dial_at = now + min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._failures, 8))
        self._failures += 1

    def heard(self) -> None:
        """Note that something came: the next failure is the first."""
        self._failures = 0
