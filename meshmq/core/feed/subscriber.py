"""What this node subscribes to: its subscriptions, and a tap at every publisher.

News come over the topics link of each publisher, in order but perhaps with holes, or are fetched over its
session; the sorter sets them in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from meshmq.core.feed.detours import Detours
from meshmq.core.feed.patterns import Patterns, weight
from meshmq.core.feed.sorter import Sorter
from meshmq.core.feed.subscription import Subscription
from meshmq.core.feed.tap import Change, Tap
from meshmq.core.moments import earliest
from meshmq.core.part import Ground
from meshmq.errors import ConfigError
from meshmq.wire.news import News, unpack_news
from meshmq.wire.subscribing import Heads

TOPICS_KNOWN: Final = 100_000
#: The most patterns, by weight, and the most text of them that a node subscribes to. Publishers take twice as much.
PATTERNS_MOST: Final = 50_000
TEXT_MOST: Final = 4 * 1024 * 1024
#: For so long a publisher that is gone may come back with what was missing; then that is told as missed.
GONE_FOR: Final = 10.0
#: For so long, and of so many, it is remembered how far their topics were: who comes back repeats nothing.
REMEMBERED_FOR: Final = 3_600.0
REMEMBERED_MOST: Final = 1_000


class Subscriber:
    """All subscriptions of a node, and its taps."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.subscriptions: dict[int, Subscription] = {}
        self.taps: dict[bytes, Tap] = {}
        self.by_connection: dict[int, Tap] = {}
        self.sorter = Sorter(ground, self._tap_of)
        self.detours = Detours(ground)
        #: The taps of publishers that are gone, and since when.
        self._gone: dict[bytes, tuple[Tap, float]] = {}
        #: When to look at them again.
        self._gone_at = float("inf")
        self._index: Patterns[Subscription] = Patterns()
        self._matched: dict[str, list[Subscription]] = {}
        self._strings: dict[bytes, int] = {}
        self._last: Change = ((), ())
        #: Whom we asked for anything in the session that stands: what they send may be large.
        self.asked: set[bytes] = set()
        self._version = self._weight = self._text = 0
        self._last_number = 0

    # -- subscriptions -----------------------------------------------------------------------------

    def next_number(self) -> int:
        """Return a number for a subscription."""
        self._last_number += 1
        return self._last_number

    def check(self, patterns: Sequence[str]) -> None:
        """See whether there is room for more patterns: publishers cut us off where we had too many.

        Raises:
            ConfigError: there is none.
        """
        several = dict.fromkeys(patterns)
        most = self._weight + 1 + sum(map(weight, several)), self._text + sum(len(text.encode()) for text in several)
        if most[0] > PATTERNS_MOST or most[1] > TEXT_MOST:
            raise ConfigError(
                f"a node subscribes to at most {PATTERNS_MOST:,} patterns, of {TEXT_MOST:,} bytes together; of one "
                "with wildcards each segment counts: subscribe to fewer patterns that match more"
            )

    def _weigh(self, subscription: Subscription, sign: int) -> None:
        self._weight += sign * (1 + sum(map(weight, subscription.patterns)))
        self._text += sign * sum(len(text.encode()) for text in subscription.patterns)

    def open(self, subscription: Subscription) -> None:
        """Ask all publishers for what a subscription wants."""
        self.subscriptions[subscription.number] = subscription
        self._weigh(subscription, 1)
        for pattern in subscription.patterns if subscription.group is None else ():
            self._index.add(pattern, subscription)
        self._last = [string for string in subscription.prefixes if string not in self._strings], ()
        for string in subscription.prefixes:
            self._strings[string] = self._strings.get(string, 0) + 1
        self._version += 1
        self._matched.clear()
        for tap in self.taps.values():
            tap.ask(subscription)

    def close(self, subscription: Subscription) -> None:
        """End a subscription."""
        if self.subscriptions.pop(subscription.number, None) is None:
            return
        self._weigh(subscription, -1)
        for pattern in subscription.patterns:
            self._index.remove(pattern, subscription)
        for string in subscription.prefixes:
            self._strings[string] -= 1
            if not self._strings[string]:
                del self._strings[string]
        self._last = (), [string for string in subscription.prefixes if string not in self._strings]
        self._version += 1
        self._matched.clear()
        for tap in self.taps.values():
            tap.forget(subscription)
        subscription.close()

    def matching(self, topic: str) -> list[Subscription]:
        """Return the subscriptions of which a pattern matches a topic."""
        found = self._matched.get(topic)
        if found is None:
            if len(self._matched) >= TOPICS_KNOWN:
                self._matched.clear()
            found = self._matched[topic] = self._index.matching(topic)
        return found

    # -- publishers --------------------------------------------------------------------------------

    def tap(self, publisher: bytes) -> Tap:
        """Return the tap at a publisher, made where there is none."""
        tap = self.taps.get(publisher)
        if tap is None:
            tap = self.taps[publisher] = self._gone.pop(publisher, (Tap(publisher, self._ground), 0.0))[0]
            tap.gone = False
            tap.restart(self.subscriptions.values())
        return tap

    def _tap_of(self, publisher: bytes) -> Tap | None:
        """Return the tap at a publisher, also at one that is gone."""
        return self.taps.get(publisher) or self._gone.get(publisher, (None, 0.0))[0]

    def drop(self, publisher: bytes, now: float) -> None:
        """Hear no more of a publisher that is gone; should it come back, its topics go on where they were."""
        self.cut(publisher)
        tap = self.taps.pop(publisher, None)
        if tap is not None:
            tap.gone = True
            self._gone[publisher] = (tap, now)
            self._gone_at = min(self._gone_at, now + GONE_FOR)
            if len(self._gone) > REMEMBERED_MOST:
                self._forget(next(iter(self._gone)))

    def _forget(self, publisher: bytes) -> None:
        del self._gone[publisher]
        for subscription in self.subscriptions.values():
            subscription.flows.pop(publisher, None)

    def _look_at_gone(self, now: float) -> None:
        for publisher, (tap, since) in list(self._gone.items()):
            if now >= since + GONE_FOR and tap.behind:
                for flow, subscription in tap.behind.items():
                    if not flow.based:
                        flow.rebase(flow.head)
                    self.sorter.go_on(flow, subscription, None)
                tap.behind.clear()
            if now >= since + REMEMBERED_FOR:
                self._forget(publisher)
        moments = [since + (GONE_FOR if tap.behind else REMEMBERED_FOR) for tap, since in self._gone.values()]
        self._gone_at = min(moments, default=float("inf"))

    def sync(self, now: float) -> None:
        """Have every topics link bring what is wanted now, and send what is to be asked."""
        for tap in self.taps.values():
            if tap.stale(self._version, now):
                before = tap.connection
                if self.detours.concern(tap):
                    tap.version = self._version
                    self.detours.route(tap, self.subscriptions.values(), len(self._strings), now)
                else:
                    tap.astray, tap.look_at = False, None
                    tap.sync(self._strings, self._version, now, self._last)
                self._connect(tap, before)
        if self.detours.tuners:
            self.detours.tune(self.taps.values(), now)
        for publisher, tap in self.taps.items():
            if self._ground.want(publisher, now):
                self.asked.add(publisher)
                tap.send(now)

    def _connect(self, tap: Tap, before: int | None) -> None:
        if tap.connection != before:
            if before is not None:
                self.by_connection.pop(before, None)
            if tap.connection is not None:
                self.by_connection[tap.connection] = tap

    def cut(self, publisher: bytes) -> None:
        """Begin anew with a publisher whose session has ended; what came stays, what is missing is asked for again."""
        tap = self.taps.get(publisher)
        if tap is None:
            return
        before = tap.connection
        tap.hang_up()
        self.detours.leave(tap)
        self._connect(tap, before)
        for subscription in self.subscriptions.values():
            for flow in subscription.flows.get(publisher, {}).values():
                # Also one that is behind no more may have asked for something.
                self.sorter.coming(flow, subscription, 0)
                flow.doubted = -1
        tap.restart(self.subscriptions.values())

    # -- what comes --------------------------------------------------------------------------------

    def news(self, tap: Tap, news: News, now: float) -> None:
        """Take news of the topics link of a publisher, for all whom they concern."""
        for subscription in self.matching(news.topic):
            if not subscription.latest:
                self.sorter.arrive(tap, subscription, news, now)

    def relayed(self, device: bytes, publisher: bytes, frame: bytes, now: float) -> None:
        """Take news that came through a device.

        Raises:
            ProtocolError: they are none.
        """
        tap = self.taps.get(publisher)
        path = tap.detours.get(device) if tap is not None else None
        if tap is None or path is None:
            return
        news = unpack_news([frame], via=device)
        if news.publisher == publisher and not news.buffers:
            path.heard(news.turn, now)
            self.news(tap, news, now)

    def direct(self, tap: Tap, number: int, news: News, now: float) -> None:
        """Take news that one subscription was sent."""
        subscription = self.subscriptions.get(number)
        if subscription is None:
            return
        if subscription.latest:
            self.sorter.latest(tap, subscription, news, now)
        else:
            self.sorter.arrive(tap, subscription, news, now)

    def fetched(self, tap: Tap, number: int, topic: str, epoch: int, upto: int) -> None:
        """Learn that what a subscription fetched has been sent up to a number."""
        subscription = self.subscriptions.get(number)
        flows = subscription.flows.get(tap.publisher) if subscription is not None else None
        flow = flows.get(topic) if flows is not None else None
        if subscription is not None and flow is not None and flow.epoch == epoch and flow.fetching:
            self.sorter.fetched(tap, subscription, flow, upto)

    def heads(self, tap: Tap, told: Heads, now: float) -> None:
        """Take the heads of topics: of one subscription, which then begins, or of all."""
        only = self.subscriptions.get(told.number)
        if only is not None:
            for head in told.heads:
                self.sorter.head(tap, only, head, told.turn, now, base=True)
        for head in told.heads if not told.number else ():
            for subscription in self.matching(head.topic):
                if subscription.number in tap.answered:
                    self.sorter.head(tap, subscription, head, told.turn, now, base=False)
        if only is not None and told.last:
            tap.answers(only.number)
            for flow in [flow for flow in only.flows.get(tap.publisher, {}).values() if flow.behind]:
                if not flow.based:
                    flow.rebase(0)  # it was not there: it has begun since
                self.sorter.go_on(flow, only, tap)
            self._ground.woken.append((("ready", only.number), 1_000))
        if told.stamp:
            tap.stamp = max(tap.stamp, told.stamp)

    # -- time --------------------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        """The next moment at which ``look_again`` has something to do."""
        moments = [self.detours.deadline, *(tap.deadline() for tap in self.taps.values())]
        if self._gone:
            moments.append(self._gone_at)
        return earliest(*moments)

    def look_again(self, now: float) -> None:
        """Believe heads whose news would have come by now, and go on where users have made room."""
        for tap in self.taps.values():
            if tap.doubts:
                self.sorter.believe(tap, now)
        if now >= self._gone_at:
            self._look_at_gone(now)
        if self.sorter.hungry:
            self.sorter.look_again()
