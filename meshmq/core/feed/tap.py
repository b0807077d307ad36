"""A tap: our way to what one publisher publishes, by its topics link, through devices, and over its session."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from meshmq.core.feed.flow import Flow
from meshmq.core.feed.path import SILENT_AFTER, Path
from meshmq.core.feed.subscription import Subscription
from meshmq.core.feed.tuner import Tuner
from meshmq.core.part import Ground
from meshmq.wire.frames import Kind
from meshmq.wire.subscribing import Wanted, pack_number, pack_subscribe

#: How many subscriptions are asked for at a time before one is answered.
ASKED_MOST: Final = 1_000
#: Strings that were added, and strings that were dropped.
Change = tuple[Sequence[bytes], Sequence[bytes]]


class Tap:
    """One publisher, as all our subscriptions see it."""

    def __init__(self, publisher: bytes, ground: Ground) -> None:
        self.publisher, self._ground = publisher, ground
        self.tuner = Tuner(ground)
        #: By its own topics link, and by device.
        self.direct = Path(self.tuner)
        self.detours: dict[bytes, Path] = {}
        #: Whether paths are to be chosen anew, and when to look whether one is exhausted.
        self.astray = False
        self.look_at: float | None = None
        self.answered: dict[int, None] = {}
        #: Flows that miss something, each with whom it is for.
        self.behind: dict[Flow, Subscription] = {}
        #: The confirmation that the publisher waits for, 0 where it waits for none.
        self.stamp = 0
        #: Flows of which what is missing may be on its way, the one that was doubted first in front; since when.
        self.doubts: dict[Flow, tuple[Subscription, float]] = {}
        #: Which of the versions of what is wanted it was tuned to.
        self.version = -1
        self._asked: dict[int, None] = {}
        self._to_ask: deque[Subscription] = deque()
        #: Since when the publisher is known to publish, where it was silent when we met.
        self.publishes_at = float("-inf")
        #: Where its topics link is; and whether we cannot dial it: then everything comes over the session it opened.
        self.addresses: tuple[str, ...] = ()
        self.unreachable = False
        #: Whether the publisher is not here any more: nothing can be asked of it.
        self.gone = False

    def __repr__(self) -> str:
        state = "connected" if self.connection is not None else "not connected"
        return f"<Tap of {self.publisher[:4].hex()} {state}, {len(self.answered)} answered, {len(self.behind)} behind>"

    @property
    def connection(self) -> int | None:
        """Its topics link, where we have dialled it."""
        return self.tuner.connection

    @property
    def own(self) -> bool:
        """Whether it is of what we publish ourselves."""
        return self.publisher == self._ground.node_id

    # -- the topics link ---------------------------------------------------------------------------

    def stale(self, version: int, now: float) -> bool:
        """Whether what is subscribed at topics links is not what is wanted in this version."""
        late = self.look_at is not None and now >= self.look_at
        return version != self.version or self.astray or late or self._aim().due(now)

    def _aim(self) -> Tuner:
        self.tuner.addresses = () if self.own or self.unreachable else self.addresses
        return self.tuner

    def sync(self, prefixes: Iterable[bytes], version: int, now: float, last: Change | None = None) -> None:
        """Subscribe at the topics link to what is wanted now, and to nothing else; a new marker says so.

        ``last`` is what the last version added and dropped: of thousands of subscriptions each would else be compared
        with all that are there.
        """
        before, self.version = self.version, version
        if last is None or version != before + 1:
            last = self._compared(prefixes)
        self._aim().tune(*last, now)

    def _compared(self, prefixes: Iterable[bytes]) -> Change:
        wanted = dict.fromkeys(prefixes)
        added = [string for string in wanted if string not in self.tuner.strings]
        return added, [string for string in self.tuner.strings if string not in wanted]

    def hang_up(self) -> None:
        """Hear nothing more on the topics link."""
        self.tuner.hang_up()

    def failed(self, now: float) -> None:
        """Note that the connection could not be made, or is gone; it is dialled again after a pause."""
        self.tuner.failed(now)

    # -- all paths ---------------------------------------------------------------------------------

    @property
    def paths(self) -> list[Path]:
        """The paths by which news may come."""
        if not self.detours:
            return [self.direct] if self.direct.live else []
        return [path for path in (self.direct, *self.detours.values()) if path.live]

    @property
    def several(self) -> bool:
        """Whether news come by several paths: a hole in what one brings may be filled by another."""
        return bool(self.detours) and len(self.paths) > 1

    def passed(self, turn: int) -> bool:
        """Whether all that was published before a turn has come, as far as it will."""
        return all(path.turn >= turn for path in self.paths)

    def settled(self, turn: int, since: float, now: float) -> bool:
        """Whether the same holds, also because paths are silent, from a moment on at least."""
        return all(path.turn >= turn or path.silent(now, since) for path in self.paths)

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
                max(0.0, now - subscription.opened_at),
                "latest" if subscription.latest else "direct" if direct else "topics",
                self._mark(subscription) if over_topics and not direct else 0,
                subscription.group,
                early=self._early(subscription),
            )
            for body in pack_subscribe(wanted):
                self._ground.put(self.publisher, Kind.SUBSCRIBE, body)
        if self.stamp and not self.behind:
            self._ground.put(self.publisher, Kind.SEEN, pack_number(self.stamp))
            self.stamp = 0

    def _early(self, subscription: Subscription) -> bool:
        """Whether a subscription was there before the publisher was known to publish.

        It may have been ``ready`` without it. Nothing of it may be missed then, however long the question is under way,
        which no span can tell; and there was nothing before.
        """
        return subscription.opened_at < self.publishes_at

    def _mark(self, subscription: Subscription) -> int:
        """Return the marker with which it all comes by the topics link, 0 where it all comes through devices."""
        detoured = self.detours and not any(string in self.tuner.strings for string in subscription.prefixes)
        return 0 if detoured else self.tuner.mark

    @property
    def waits(self) -> bool:
        """Whether the publisher has yet to answer a subscription, for which its topics link has to stand."""
        return bool(self._asked or self._to_ask)

    def answers(self, number: int) -> None:
        """Note that a subscription was answered."""
        self._asked.pop(number, None)
        self.answered[number] = None
        self.astray = self.astray or bool(self.detours)

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

    def deadline(self) -> float | None:
        """The next moment at which something is due."""
        moments = [] if self.look_at is None else [self.look_at]
        if self.doubts:
            _, since = next(iter(self.doubts.values()))
            moments.append(max([since, *(path.heard_at for path in self.paths)]) + SILENT_AFTER)
        if self.detours or self._aim().to_dial:
            moments += self._aim().moments
        return min(moments, default=None)
