"""Rumours: addresses where a peer might be, each dialled until a card answers or it is forgotten.

Discovery, claims and other peers only ever start a rumour; the roster takes nothing but what the
dialled peer's own card says.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

#: How many are dialled at once: as many as answer in time. Who dials more than that has each time out, and dials
#: it again, and so do the others: a hundred nodes that meet on a busy machine never come to an end.
AT_ONCE_LEAST: Final = 4
AT_ONCE_FIRST: Final = 16
AT_ONCE: Final = 64
MOST: Final = 10_000
FORGET_AFTER: Final = 300.0
FIRST_PAUSE: Final = 0.1
#: The longest pause where there is news of it.
NEWS_PAUSE: Final = 0.8
LONGEST_PAUSE: Final = 60.0
LONGEST_PAUSE_GIVEN: Final = 2.0
LONGEST_PAUSE_LOST: Final = 5.0
ANSWER_LIMIT: Final = 5.0
#: Whose sockets answer is alive, though its program, or we, may be too busy for the rest: where many meet at
#: once, to give up is to begin again, for both, and they never meet.
ANSWER_LIMIT_REACHED: Final = 30.0


@dataclass(slots=True)
class Rumour:
    """One peer's control addresses, heard of and not proved."""

    addresses: tuple[str, ...]
    source: str
    node_id: bytes | None
    given: bool
    longest: float
    since: float
    next_at: float
    failures: int = 0
    connection: int | None = None
    dialled_at: float = 0.0
    reason: str = ""
    reached: str = ""
    late: bool = False

    @property
    def answer_by(self) -> float:
        """The moment to look at it again while it is being dialled."""
        return self.dialled_at + (ANSWER_LIMIT_REACHED if self.late else ANSWER_LIMIT)


class Rumours:
    """All rumours of a node; tells which to dial now, few enough at a time."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._by_address: dict[str, Rumour] = {}
        self._by_connection: dict[int, Rumour] = {}
        self._given: dict[tuple[str, ...], str] = {}
        self._at_once: float = AT_ONCE_FIRST
        self._slowed_at = float("-inf")
        self.dropped = 0

    def __len__(self) -> int:
        return len({id(rumour) for rumour in self._by_address.values()})

    def add(
        self,
        addresses: tuple[str, ...],
        source: str,
        node_id: bytes | None,
        now: float,
        *,
        given: bool = False,
        longest: float = LONGEST_PAUSE,
    ) -> None:
        """Take a rumour; one that is known already is tried again soon."""
        if given:
            self.remember(addresses, source)
        for address in addresses:
            known = self._by_address.get(address)
            if known is not None:
                if known.connection is None:
                    pause = min(NEWS_PAUSE, FIRST_PAUSE * 2 ** min(known.failures, 12))
                    known.next_at = min(known.next_at, now + pause)
                known.given = known.given or given
                known.longest = min(known.longest, LONGEST_PAUSE_GIVEN if given else longest)
                return
        if len(self._by_address) >= MOST:
            self.dropped += 1
            return
        rumour = Rumour(addresses, source, node_id, given, LONGEST_PAUSE_GIVEN if given else longest, now, now)
        for address in addresses:
            self._by_address[address] = rumour

    def remember(self, addresses: tuple[str, ...], source: str) -> None:
        """Note addresses that were given: they are tried again whenever a peer is gone."""
        self._given[addresses] = source

    def revive(self, now: float) -> None:
        """Try the given addresses again that led to a peer which is gone."""
        for addresses, source in self._given.items():
            if not any(address in self._by_address for address in addresses):
                self.add(addresses, source, None, now, given=True)

    @property
    def unanswered(self) -> int:
        """How many rumours have neither been answered nor failed once, nor kept us waiting for too long."""
        return sum(1 for rumour in self._unique() if not rumour.failures and not rumour.late)

    def due(self, now: float) -> list[Rumour]:
        """Return the rumours to dial now."""
        room = int(self._at_once) - len(self._by_connection)
        if not self._by_address or room <= 0:
            return []
        ready = [rumour for rumour in self._unique() if rumour.connection is None and rumour.next_at <= now]
        ready.sort(key=lambda rumour: (rumour.failures > 0, rumour.next_at))
        return ready[:room]

    def dialled(self, rumour: Rumour, connection: int, now: float) -> None:
        """Note that a rumour is being dialled."""
        rumour.connection, rumour.dialled_at, rumour.reached, rumour.late = connection, now, "", False
        self._by_connection[connection] = rumour

    def of(self, connection: int) -> Rumour | None:
        """Return the rumour behind a connection that has not yet been answered."""
        return self._by_connection.get(connection)

    def failed(self, connection: int, reason: str, now: float) -> Rumour | None:
        """Note that a dial failed; it is tried again later, or forgotten."""
        rumour = self._by_connection.pop(connection, None)
        if rumour is None:
            return None
        rumour.connection, rumour.reason = None, reason
        rumour.failures += 1
        if reason == "unreachable" and rumour.dialled_at >= self._slowed_at:  # once for all that were under way
            self._at_once, self._slowed_at = max(AT_ONCE_LEAST, self._at_once / 2), now
        if not rumour.given and now - rumour.since > FORGET_AFTER:
            self._drop(rumour)
            return rumour
        pause = min(rumour.longest, FIRST_PAUSE * 2 ** min(rumour.failures - 1, 12))
        rumour.next_at = now + pause * (0.7 + 0.6 * self._random.random())
        return rumour

    def proved(self, connection: int) -> Rumour | None:
        """Note that a card answered; the rumour has done its work."""
        rumour = self._by_connection.pop(connection, None)
        if rumour is not None:
            rumour.connection = None
            self._drop(rumour)
            self._at_once = min(AT_ONCE, self._at_once + 1)
        return rumour

    def forget(self, addresses: tuple[str, ...]) -> list[int]:
        """Drop what is known of these addresses; returns the dials to hang up."""
        hung: list[int] = []
        for address in addresses:
            rumour = self._by_address.get(address)
            if rumour is not None:
                if rumour.connection is not None:
                    self._by_connection.pop(rumour.connection, None)
                    hung.append(rumour.connection)
                self._drop(rumour)
        return hung

    def silent(self, now: float) -> list[int]:
        """Return the dials that have had no answer for too long."""
        late = [pair for pair in self._by_connection.items() if now >= pair[1].answer_by]
        for _, rumour in late:
            rumour.late = True
        return [connection for connection, rumour in late if not rumour.reached or now >= rumour.answer_by]

    @property
    def deadline(self) -> float | None:
        """The next moment at which a rumour is due or silent."""
        moments = [rumour.answer_by for rumour in self._by_connection.values()]
        if len(self._by_connection) < int(self._at_once):
            moments += [rumour.next_at for rumour in self._by_address.values() if rumour.connection is None]
        return min(moments, default=None)

    def _unique(self) -> list[Rumour]:
        return list({id(rumour): rumour for rumour in self._by_address.values()}.values())

    def _drop(self, rumour: Rumour) -> None:
        for address in rumour.addresses:
            if self._by_address.get(address) is rumour:
                del self._by_address[address]
