"""A tap: our way to what one publisher publishes, by its topics link and over its session."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from meshmq.core.feed.flow import Flow
from meshmq.core.feed.subscription import Subscription
from meshmq.core.part import Ground
from meshmq.wire.frames import Kind
from meshmq.wire.subscribing import Wanted, marker, pack_number, pack_subscribe

#: How many subscriptions are asked for at a time before one is answered.
ASKED_MOST: Final = 1_000
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 2.0
#: What has not come for so long on a topics link that is silent is lost.
SILENT_AFTER: Final = 0.2
#: Strings that were added, and strings that were dropped.
Change = tuple[Sequence[bytes], Sequence[bytes]]


class Tap:
    """One publisher, as all our subscriptions see it."""

    def __init__(self, publisher: bytes, ground: Ground) -> None:
        self.publisher, self._ground = publisher, ground
        self.connection: int | None = None
        self.answered: dict[int, None] = {}
        #: Flows that miss something, each with whom it is for.
        self.behind: dict[Flow, Subscription] = {}
        #: The confirmation that the publisher waits for, 0 where it waits for none.
        self.stamp = 0
        #: Flows whose heads are not believed yet, for what is missing may be on its way; since when, at the latest.
        self.doubts: dict[Flow, Subscription] = {}
        self.doubted_at = 0.0
        self.heard_at = 0.0
        self.turn = 0
        self._version = -1
        self._asked: dict[int, None] = {}
        self._to_ask: deque[Subscription] = deque()
        self._strings: dict[bytes, None] = {}
        self._mark = 0
        self._failures = 0
        self.dial_at = 0.0
        #: Since when the publisher is here, and since when it publishes; the latter where it was silent before.
        self.here_at, self.publishes_at = 0.0, float("-inf")
        #: Where its topics link is; and whether we cannot dial it: then everything comes over the session it opened.
        self.addresses: tuple[str, ...] = ()
        self.unreachable = False
        #: Whether the publisher is not here any more: nothing can be asked of it.
        self.gone = False

    def __repr__(self) -> str:
        state = "connected" if self.connection is not None else "not connected"
        return f"<Tap of {self.publisher[:4].hex()} {state}, {len(self.answered)} answered, {len(self.behind)} behind>"

    @property
    def own(self) -> bool:
        """Whether it is of what we publish ourselves."""
        return self.publisher == self._ground.node_id

    # -- the topics link ---------------------------------------------------------------------------

    def stale(self, version: int, now: float) -> bool:
        """Whether what is subscribed at the topics link is not what is wanted in this version."""
        return version != self._version or (self._to_dial and now >= self.dial_at)

    @property
    def _to_dial(self) -> bool:
        may = bool(self.addresses) and not (self.own or self.unreachable)
        return may and self.connection is None and bool(self._strings)

    def sync(self, prefixes: Iterable[bytes], version: int, now: float, last: Change | None = None) -> None:
        """Subscribe at the topics link to what is wanted now, and to nothing else; a new marker says so.

        ``last`` is what the last version added and dropped: of thousands of subscriptions each would else be compared
        with all that are there.
        """
        before, self._version = self._version, version
        if last is None or version != before + 1:
            last = self._compared(prefixes)
        added, dropped = last
        self._strings.update(dict.fromkeys(added))
        for string in dropped:
            self._strings.pop(string, None)
        if self.own or self.unreachable:
            return
        me, outputs = self._ground.node_id, self._ground.outputs
        if self.connection is None:
            if self._to_dial and now >= self.dial_at:
                self._mark += 1
                self.connection = self._ground.next_connection()
                strings = (*self._strings, marker(me, self._mark))
                outputs.append(("dial", self.connection, "topics", self.addresses, strings))
        elif not self._strings:
            self.hang_up()
        elif added or dropped:
            self._mark += 1
            marks = marker(me, self._mark), marker(me, self._mark - 1)
            outputs.append(("tune", self.connection, [*added, marks[0]], [*dropped, marks[1]]))

    def _compared(self, prefixes: Iterable[bytes]) -> Change:
        wanted = dict.fromkeys(prefixes)
        added = [string for string in wanted if string not in self._strings]
        return added, [string for string in self._strings if string not in wanted]

    def hang_up(self) -> None:
        """Hear nothing more on the topics link."""
        if self.connection is not None:
            self._ground.outputs.append(("hang_up", self.connection))
            self.connection = None

    def failed(self, now: float) -> None:
        """Note that the connection could not be made, or is gone; it is dialled again after a pause."""
        self.connection = None
        self.dial_at = now + min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._failures, 8))
        self._failures += 1

    def heard(self, turn: int, now: float) -> None:
        """Note that something came over the topics link."""
        self.heard_at, self._failures = now, 0
        self.turn = max(self.turn, turn)

    # -- the session -------------------------------------------------------------------------------

    def ask(self, subscription: Subscription) -> None:
        """Ask the publisher for what a subscription wants, as soon as there is a session and a place."""
        self._to_ask.append(subscription)

    def restart(self, subscriptions: Iterable[Subscription]) -> None:
        """Ask for everything anew: the session is a new one, and knows nothing."""
        self.answered.clear()
        self._asked.clear()
        self.stamp = 0
        self.doubts.clear()
        self._to_ask = deque(subscriptions)

    def send(self, now: float) -> None:
        """Send what is to be asked and confirmed, over a session that stands."""
        while self._to_ask and len(self._asked) < ASKED_MOST:
            subscription = self._to_ask.popleft()
            if subscription.closed:
                continue
            self._asked[subscription.number] = None
            over_topics = bool(subscription.prefixes) and not self.own
            direct = over_topics and self.unreachable
            wanted = Wanted(
                subscription.number,
                subscription.patterns,
                subscription.since,
                max(0.0, now - self._began(subscription)),
                "latest" if subscription.latest else "direct" if direct else "topics",
                self._mark if over_topics and not direct else 0,
                subscription.group,
            )
            for body in pack_subscribe(wanted):
                self._ground.put(self.publisher, Kind.SUBSCRIBE, body)
        if self.stamp and not self.behind:
            self._ground.put(self.publisher, Kind.SEEN, pack_number(self.stamp))
            self.stamp = 0

    def _began(self, subscription: Subscription) -> float:
        """Return from when on what is published is a subscription's.

        One that was there before the publisher was known to publish may have been ``ready`` without it. Nothing of
        it may be missed then, however long the question is under way; and there was nothing before.
        """
        opened = subscription.opened_at
        return min(opened, self.here_at) if opened < self.publishes_at else opened

    def answers(self, number: int) -> None:
        """Note that a subscription was answered."""
        self._asked.pop(number, None)
        self.answered[number] = None

    def forget(self, subscription: Subscription) -> None:
        """Ask for a subscription no more."""
        number = subscription.number
        for flow in [flow for flow, owner in self.behind.items() if owner is subscription]:
            del self.behind[flow]
            self.doubts.pop(flow, None)
        if number in self._asked or number in self.answered:
            self._ground.put(self.publisher, Kind.UNSUBSCRIBE, pack_number(number))
        self._asked.pop(number, None)
        self.answered.pop(number, None)

    # -- time --------------------------------------------------------------------------------------

    def silent(self, now: float) -> bool:
        """Whether nothing has come for so long that what is missing will not come any more."""
        return self.connection is None or now >= max(self.heard_at, self.doubted_at) + SILENT_AFTER

    def deadline(self) -> float | None:
        """The next moment at which something is due."""
        moments = []
        if self.doubts:
            moments.append(max(self.heard_at, self.doubted_at) + SILENT_AFTER)
        if self._to_dial:
            moments.append(self.dial_at)
        return min(moments, default=None)
