"""Topics of one node, joined to its sessions and to the topics links of others."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from functools import partial

from meshmq.codecs.base import Buffer
from meshmq.core.feed.audience import Audience
from meshmq.core.feed.intake import Intake
from meshmq.core.feed.publisher import Publisher
from meshmq.core.feed.series import Series
from meshmq.core.feed.subscriber import Subscriber
from meshmq.core.feed.subscription import Leaf, Overflow, Subscription
from meshmq.core.moments import earliest
from meshmq.core.part import Ground
from meshmq.errors import ProtocolError
from meshmq.history import History
from meshmq.wire.frames import Kind
from meshmq.wire.headers import Headers
from meshmq.wire.news import unpack_direct, unpack_news
from meshmq.wire.relaying import RELAYED, is_echo, unpack_relayed
from meshmq.wire.subscribing import (
    Since,
    unpack_fetch,
    unpack_fetched,
    unpack_heads,
    unpack_number,
)


class Feed:
    """What this node publishes, and what it subscribes to."""

    kinds = frozenset({Kind.SUBSCRIBE, Kind.UNSUBSCRIBE, Kind.HEADS, Kind.SEEN, Kind.FETCH, Kind.NEWS, Kind.FETCHED})

    def __init__(self, ground: Ground, now: float) -> None:
        self._ground = ground
        self.publisher = Publisher(ground)
        self.subscriber = Subscriber(ground)
        self.publishes = False
        self.audience = Audience(ground, self.publisher)
        self.intake = Intake(ground, self.publisher, self.audience.groups, self._work_off)

    # -- what users do -----------------------------------------------------------------------------

    @property
    def subscribes(self) -> bool:
        """Whether this node subscribes to anything."""
        return bool(self.subscriber.subscriptions)

    def publish(self, topic: str, body: bytes, buffers: Sequence[Buffer], headers: Headers | None, now: float) -> int:
        """Publish a message; returns its number among those of the topic. Never waits."""
        self.announce(now)
        return self.intake.publish(topic, body, buffers, headers, now)

    def publish_copies(self, copies: Iterable[tuple[str, bytes, Headers]], now: float) -> None:
        """Publish small messages that are the node's own, to topics of its own; groups get none."""
        for topic, body, headers in copies:
            self.publisher.publish_row(topic, [body], headers, now)
        self.intake.go_on(now)

    @property
    def topics(self) -> list[Series]:
        """The topics that the user of this node publishes to."""
        return [series for series in self.publisher.series.values() if not series.own]

    def retain(self, pattern: str, history: History | None, now: float, *, durable: bool = False) -> None:
        """Keep history of the topics that a pattern matches; ``durable``: in the journal, too."""
        self.publisher.retain(pattern, history, now)
        if durable:
            self.intake.durables.retain(pattern, now)
        self.announce(now)

    def announce(self, now: float) -> None:
        """Say on our card that we publish: subscribers then tell us of what they want."""
        if not self.publishes:
            self.publishes, self.publisher.publishes_at = True, now
            self._ground.change_card(now)
            self.roster_changed(now)
            self._ground.work(now)  # our own subscriptions, which were there before, are so also here

    def subscribe(
        self,
        patterns: Sequence[str],
        *,
        since: Since | None,
        latest: bool,
        overflow: Overflow,
        capacity: int,
        capacity_bytes: int,
        now: float,
    ) -> Subscription:
        """Get what is published to topics that one of the patterns matches, from now on.

        Raises:
            ConfigError: there are more patterns than other nodes take.
        """
        self.subscriber.check(patterns)
        subscription = Subscription(
            self.subscriber.next_number(),
            patterns,
            since=since,
            latest=latest,
            overflow=overflow,
            capacity=capacity,
            capacity_bytes=capacity_bytes,
            now=now,
        )
        self._open(subscription, now)
        return subscription

    def join(self, queue: str, patterns: Sequence[str], now: float) -> Subscription:
        """Have publishers put what they publish into the queue of a group, too; twice is once."""
        for subscription in self.subscriber.subscriptions.values():
            if subscription.group == queue:
                return subscription
        number = self.subscriber.next_number()
        subscription = Subscription(number, patterns, group=queue, now=now)
        self._open(subscription, now)
        return subscription

    def part(self, queue: str, now: float) -> None:
        """Leave a group."""
        for subscription in list(self.subscriber.subscriptions.values()):
            if subscription.group == queue:
                self.unsubscribe(subscription, now)

    def _open(self, subscription: Subscription, now: float) -> None:
        first = not self.subscribes
        self.subscriber.open(subscription)
        if first:
            self._ground.change_card(now)
            self.roster_changed(now)
        self._ground.work(now)

    def unsubscribe(self, subscription: Subscription, now: float) -> None:
        """End a subscription."""
        self.subscriber.close(subscription)
        if not self.subscribes:
            self._ground.change_card(now)
            self.roster_changed(now)
        self._ground.work(now)

    def take(self, subscription: Subscription, consumer: Hashable, now: float, limit: int | None = None) -> Leaf | None:
        """Give a consumer what waits longest; nothing where nothing does."""
        leaf = subscription.take(consumer, limit)
        if self.subscriber.sorter.hungry:
            self._ground.work(now)
        return leaf

    def ready(self, subscription: Subscription, now: float) -> bool:
        """Whether every publisher that is here knows of a subscription."""
        taps = self.subscriber.taps
        wanted = [peer.id for peer in self._ground.roster.values() if peer.card.publishes]
        answered = all(peer in taps and subscription.number in taps[peer].answered for peer in wanted)
        own = not self.publishes or subscription.number in taps[self._ground.node_id].answered
        return answered and own and self._ground.settled(now)

    def followed_by(self, topic: str) -> list[bytes]:
        """Return the ids of the nodes that get what is published to a topic, our own among them."""
        return self.audience.of(topic)

    # -- what comes --------------------------------------------------------------------------------

    def read(self, peer: bytes, kind: Kind, frames: Sequence[bytes], now: float) -> None:
        """Take what a session brought."""
        publisher, body = self.publisher, frames[0]
        if kind is Kind.SUBSCRIBE:
            self.intake.clear(now)  # what was published before it is history to it
            self.audience.subscribed(peer, body, now)
        elif kind is Kind.UNSUBSCRIBE:
            self.audience.unsubscribed(peer, unpack_number(body), now)
        elif kind is Kind.FETCH:
            publisher.fetch(peer, unpack_fetch(body))
        elif kind is Kind.SEEN:
            self.audience.seen(peer, unpack_number(body))
        else:
            tap = self.subscriber.taps.get(peer)
            if tap is None:
                return
            if kind is Kind.NEWS:
                number, news = unpack_direct(frames)
                if news.publisher == peer and not news.elsewhere:
                    self.subscriber.direct(tap, number, self._ground.aged(peer, news), now)
            elif kind is Kind.HEADS:
                self.subscriber.heads(tap, unpack_heads(body), now)
            elif kind is Kind.FETCHED:
                self.subscriber.fetched(tap, *unpack_fetched(body))

    def overhear(self, connection: int, frames: Sequence[bytes], now: float) -> None:
        """Take one message of a topics link; what is none of ours, or of another incarnation, is dropped."""
        subscriber = self.subscriber
        tap, device = subscriber.by_connection.get(connection), subscriber.detours.by_connection.get(connection)
        try:
            if tap is None and device is None:
                return
            if is_echo(frames[0]):
                subscriber.detours.echoed(frames[0], device, tap, subscriber.taps, now)
            elif device is not None:
                subscriber.relayed(device, *unpack_relayed(frames[0]), now)
            elif tap is not None and not frames[0].startswith(RELAYED):
                news = unpack_news(frames)
                if news.publisher == tap.publisher and not news.buffers:
                    tap.direct.heard(news.turn, now)
                    subscriber.news(tap, news, now)
        except ProtocolError:
            self._ground.counts["foreign news"] += 1

    def tuned(self, string: bytes, present: bool, now: float) -> None:
        """Learn of a subscription to our topics link."""
        self.audience.tuned(string, present)

    def awaits(self, peer: bytes) -> bool:
        """Whether a peer may send anything that is large."""
        return peer in self.subscriber.asked

    def lost(self, connection: int, now: float) -> bool:
        """Learn that a connection that we dialled could not be made, or is gone; whether it was one of ours."""
        tap = self.subscriber.by_connection.pop(connection, None)
        if tap is not None:
            tap.failed(now)
            self._ground.soon(tap.tuner.dial_at)
        return tap is not None or self.subscriber.detours.lost(connection, self.subscriber.taps.values(), now)

    # -- who comes and goes ------------------------------------------------------------------------

    def session_up(self, peer: bytes, now: float) -> None:
        """Learn that a new session with a peer stands."""

    def session_ended(self, peer: bytes, reason: str, now: float, *, clean: bool) -> None:
        """Learn that a session is over."""
        self.audience.lost(peer, now)
        self.subscriber.cut(peer)
        self.subscriber.asked.discard(peer)

    def roster_changed(self, now: float) -> None:
        """Look who is here and what their cards say."""
        roster, subscriber = self._ground.roster, self.subscriber
        # Dictionaries, not sets: the order of what is done must not hang on the hashes of this process.
        here = dict.fromkeys(peer.id for peer in roster.values() if peer.card.publishes) if self.subscribes else {}
        if self.subscribes and self.publishes:
            here[self._ground.node_id] = None
        for publisher in [publisher for publisher in subscriber.taps if publisher not in here]:
            subscriber.drop(publisher, now)
        for publisher in here:
            tap = subscriber.tap(publisher)
            peer = roster.get(publisher)
            if peer is not None:
                tap.addresses, tap.unreachable = peer.card.topics, not peer.reached
                tap.publishes_at = peer.publishes_at or tap.publishes_at
        devices = list(roster.values()) if self.subscribes else []
        subscriber.detours.look(devices, subscriber.taps.values(), taken=self._ground.takes_detours)

    # -- work and time -----------------------------------------------------------------------------

    def work(self, now: float) -> None:
        """Answer who subscribed, ask publishers, send what was asked for."""
        self.intake.clear(now)  # what was published before a subscription is answered is told in the answer
        self.audience.answer(now)
        if self.subscribes:
            self.subscriber.look_again(now)
            self.subscriber.sync(now)
        self._work_off(now)

    def _work_off(self, now: float) -> None:
        publisher = self.publisher
        while publisher.local:
            frames = publisher.local.popleft()
            tap = self.subscriber.taps.get(self._ground.node_id)
            if tap is not None:
                self.subscriber.news(tap, unpack_news(frames), now)
        due = [(peer, errands) for peer, errands in publisher.errands.items() if errands]
        whole = publisher.overhang.spare() if due else 0
        for peer, errands in due:
            self._ground.pump(peer, partial(errands.next, now), now, whole)

    def tick(self, now: float) -> None:
        """Do what is due."""
        self.intake.tick(now)
        self.publisher.tick(now, self.audience.awaited)

    @property
    def deadline(self) -> float | None:
        """The next moment at which ``tick`` has something to do."""
        return earliest(self.intake.deadline, self.subscriber.deadline)

    def owes(self, now: float) -> bool:
        """Whether subscribers have not confirmed the last numbers, or are still on their way to us."""
        return bool(self.intake.durables.pending) or self.audience.owes(now)
