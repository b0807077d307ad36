"""What this node publishes: series of numbers, their open batches, what is kept, and who follows.

A message leaves in a batch of its topic on the topics link, for all at once. What a subscriber has missed it fetches
over its session: the publisher tells each the heads of its topics, and sends what is asked for (``errands``).
A value too large for the topics link is announced there by a notice, and fetched like one that was missed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from meshmq.codecs.base import Buffer
from meshmq.core.feed.batch import Batch
from meshmq.core.feed.errands import Errands
from meshmq.core.feed.follower import Follower
from meshmq.core.feed.kept import Item, Row
from meshmq.core.feed.known import Known
from meshmq.core.feed.overhang import Overhang
from meshmq.core.feed.patterns import Patterns, matches
from meshmq.core.feed.restless import Restless
from meshmq.core.feed.series import Series, Shelf
from meshmq.core.moments import earliest
from meshmq.core.part import Ground
from meshmq.history import History
from meshmq.wire.frames import Kind
from meshmq.wire.headers import Headers
from meshmq.wire.news import pack_notice
from meshmq.wire.subscribing import Fetch, Head, pack_fetched, pack_heads

#: While messages follow each other a batch grows for at most this long.
BATCH_WAIT: Final = 0.001
#: So many messages wait in open batches at most.
OPEN_MESSAGES: Final = 1_024
#: The largest value on the topics link.
TOPICS_BYTES: Final = 64 * 1024
#: Kept without a history, of all topics together: of small values, and of large ones. ``Overhang`` comes on top of it.
SMALL_BYTES: Final = 32 * 1024 * 1024
LARGE_BYTES: Final = 16 * 1024 * 1024
#: For so long after discovery has settled, and after the first message, everything is kept for who is on the way.
YOUNG: Final = 5.0
#: ...and for so long more, at most, while a subscriber that we know of has not asked yet, or fetches what is kept.
YOUNG_MOST: Final = 30.0


class Publisher:
    """All series of a node, and all followers of other nodes and its own."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.series = Known()
        self.followers: dict[tuple[bytes, int], Follower] = {}
        self.index: Patterns[Follower] = Patterns()
        self.small, self.large = Shelf(SMALL_BYTES), Shelf(LARGE_BYTES)
        self.errands: dict[bytes, Errands] = {}
        self.overhang = Overhang(ground, self.errands)
        #: Since when our card is to say that we publish: there was nothing before, but what outlived others of us.
        self.publishes_at = float("inf")
        #: How many subscriptions there are to our topics link.
        self.tuned = 0
        #: Until when everything is kept; ``None`` before the first message.
        self.young_until: float | None = None
        self._young_most = 0.0
        self.local: deque[Sequence[bytes]] = deque()
        self.published = self.bytes = self.turn = 0
        self._rules: list[tuple[str, History | None]] = []
        #: Open ones by topic, the first that was begun in front; they leave together. And the messages in them.
        self.batches: dict[Series, Batch] = {}
        self._open, self._left_at = 0, float("-inf")
        self._restless = Restless()

    # -- publishing --------------------------------------------------------------------------------

    def retain(self, pattern: str, history: History | None, now: float) -> None:
        """Keep history of the topics a pattern matches; of several that match the last counts."""
        self._rules = [*(rule for rule in self._rules if rule[0] != pattern), (pattern, history)]
        for series in self.series.values():
            if matches(pattern, series.topic):
                series.history = history
                series.trim(now)
                if history is None:
                    for row in list(series.kept.rows()):
                        self._shelf(row).put(series, row)

    def publish(
        self, topic: str, body: bytes, buffers: Sequence[Buffer], headers: Headers | None, now: float
    ) -> Series:
        """Take a message; it leaves at once where the line is quiet, else with its batch. Returns its series."""
        size = len(body) + sum(map(len, buffers))
        if size <= TOPICS_BYTES and not buffers:
            return self.publish_row(topic, [body], headers, now)
        series = self._note(topic, 1, size, now)
        self._keep(series, Row(series.head, [body], buffers, headers, now, size), now)
        self.overhang.bound()
        self.flush(now)
        self.turn += 1
        self._spread(series, [pack_notice(topic, self._ground.node_id, series.epoch, series.head, 1, turn=self.turn)])
        return series

    def publish_row(self, topic: str, bodies: Sequence[bytes], headers: Headers | None, now: float) -> Series:
        """Take small messages that follow each other, in a row to keep; ``headers`` are of the first."""
        size = sum(map(len, bodies))
        series = self._note(topic, len(bodies), size, now)
        start, first = 0, series.head + 1 - len(bodies)
        if series.history is not None or series.direct or self.young_until is not None or series.latest:
            self._keep(series, Row(first, bodies, (), headers, now, size), now)
        while start < len(bodies):
            batch = self.batches.get(series)
            if self._open >= OPEN_MESSAGES or (batch is not None and batch.full):
                self.flush(now)
                batch = None
            if batch is None:
                batch = self.batches[series] = Batch(series, first + start, now)
            end = batch.fill(bodies, start, headers)
            self._open += end - start
            start = end
        if now - self._left_at >= BATCH_WAIT:
            self.flush(now)
        return series

    def _note(self, topic: str, count: int, size: int, now: float) -> Series:
        series = self.series.get(topic) or self.begin(topic, now)
        series.head += count
        series.bytes += size
        series.last_at = now
        if not series.own:
            self._restless.note(series)
            self.published += count
            self.bytes += size
        if series.version != self.index.version:
            self._match(series)
        return series

    def _keep(self, series: Series, row: Row, now: float) -> None:
        for follower in series.latest:
            self.errands_of(follower.peer).latest(follower.number, series, row.item(row.end - 1))
        if series.history is not None:
            series.keep(row, now)
        elif (shelf := self._shelf(row)) is self.large or series.direct or self.young_until is not None:
            series.keep(row, now)
            shelf.put(series, row)

    def _shelf(self, row: Row) -> Shelf:
        return self.large if row.buffers or (row.size > TOPICS_BYTES and len(row.bodies) == 1) else self.small

    def begin(self, topic: str, now: float, epoch: int | None = None) -> Series:
        """Begin a topic, or an epoch of it."""
        if epoch is None:
            self.make_room(durable=False)
        history = next((history for pattern, history in reversed(self._rules) if matches(pattern, topic)), None)
        series = Series(topic, self.series.epoch if epoch is None else epoch, history, now)
        self.series.add(series)
        if self.young_until is None and not (self.published or series.own):
            self.young_until, self._young_most = now + YOUNG, now + YOUNG + YOUNG_MOST
        return series

    def make_room(self, *, durable: bool) -> list[Series]:
        """Forget the topics of a kind that have been quiet for longest, where there are too many; returns them."""
        gone = self.series.make_room(durable=durable)
        for series in gone:
            self._restless.forget(series)
        return gone

    def _match(self, series: Series) -> None:
        found = self.index.matching(series.topic)
        series.followers = [follower for follower in found if follower.way != "latest"]
        series.direct = [follower for follower in series.followers if follower.way == "direct"]
        series.latest = [follower for follower in found if follower.way == "latest"]
        series.local = any(follower.peer == self._ground.node_id for follower in series.followers)
        series.version = self.index.version

    def flush(self, now: float) -> None:
        """Let the open batches leave."""
        if not self.batches:
            return
        batches, self.batches, self._open = self.batches, {}, 0
        self._left_at = now
        for series, batch in batches.items():
            self.turn += 1
            if self.tuned or series.local:
                self._spread(series, batch.frames(self._ground.node_id, self.turn, now))
            if series.direct:
                self.tell_heads([series], now, [follower.peer for follower in series.direct])

    def _spread(self, series: Series, frames: Sequence[bytes]) -> None:
        if self.tuned:
            self._ground.outputs.append(("spread", frames))
        if series.local:
            self.local.append(frames)

    # -- followers ---------------------------------------------------------------------------------

    def errands_of(self, peer: bytes) -> Errands:
        """Return what is due to a peer."""
        if peer not in self.errands:
            self.errands[peer] = Errands(self._ground.node_id)
        return self.errands[peer]

    def follow(self, follower: Follower) -> None:
        """Let a subscription count whose patterns are whole."""
        follower.whole = True
        for pattern in follower.patterns:
            self.index.add(pattern, follower)

    def answer(self, follower: Follower, now: float) -> None:
        """Tell a subscription where its topics stand: from then on it gets what is published."""
        self.flush(now)
        follower.answered = True
        # Our own subscriptions come at once; what was published in the same moment was published before.
        began = follower.began if follower.peer != self._ground.node_id else now + 1.0
        heads = [
            Head(series.topic, series.epoch, series.base(follower.since, began, now), series.head, series.oldest)
            for series in self.series.of(follower.patterns)
            if follower.group is None
        ]
        for body in pack_heads(follower.number, heads, turn=self.turn):
            self._ground.put(follower.peer, Kind.HEADS, body)
        if follower.way == "latest":
            self._send_latest(follower)

    def _send_latest(self, follower: Follower) -> None:
        for series in self.series.of(follower.patterns):
            item = series.kept.get(series.head)
            if item is not None and (follower.since is not None or item.at >= follower.began):
                self.errands_of(follower.peer).latest(follower.number, series, item)

    def kept_since(self, follower: Follower) -> list[tuple[Series, Item]]:
        """Return what is kept of a subscription's topics and not older than it, in the order of publishing."""
        matched = self.series.of(follower.patterns)
        kept = [(one, item) for one in matched for item in one.kept.items() if item.at >= follower.began]
        return sorted(kept, key=lambda pair: pair[1].at)

    def unfollow(self, peer: bytes, number: int) -> Follower | None:
        """Forget a subscription."""
        follower = self.followers.pop((peer, number), None)
        if follower is not None and follower.whole:
            for pattern in follower.patterns:
                self.index.remove(pattern, follower)
            if peer in self.errands:
                self.errands[peer].forget(number)
        return follower

    def lose(self, peer: bytes) -> list[Follower]:
        """Forget all subscriptions of a peer; returns them."""
        self.errands.pop(peer, None)
        numbers = [number for owner, number in self.followers if owner == peer]
        return [follower for number in numbers if (follower := self.unfollow(peer, number)) is not None]

    def fetch(self, peer: bytes, fetch: Fetch) -> None:
        """Take what a subscriber asks for.

        Raises:
            ProtocolError: it asks for more than anybody does.
        """
        series = self.series.get(fetch.topic)
        if (peer, fetch.number) not in self.followers or series is None or series.epoch != fetch.epoch:
            body = pack_fetched(fetch.number, fetch.topic, fetch.epoch, fetch.last)  # it is not there any more
            self._ground.put(peer, Kind.FETCHED, body)
        else:
            self.errands_of(peer).fetch(fetch, series)

    # -- heads and time ----------------------------------------------------------------------------

    def tell_heads(
        self, told: Iterable[Series], now: float, peers: Iterable[bytes] | None = None, *, stamp: int = 0
    ) -> None:
        """Tell subscribers how far topics are; those given, with a stamp to be confirmed, even where nothing is."""
        heads: dict[bytes, list[Head]] = {peer: [] for peer in peers or ()}
        for series in told:
            if series.version != self.index.version:
                self._match(series)
            for peer in dict.fromkeys(follower.peer for follower in series.followers if follower.answered):
                if peers is None or peer in heads:
                    heads.setdefault(peer, []).append(Head(series.topic, series.epoch, 0, series.head, series.oldest))
        for peer, rows in heads.items():
            for body in pack_heads(0, rows, turn=self.turn, stamp=stamp):
                self._ground.put(peer, Kind.HEADS, body)

    def tick(self, now: float, awaited: Callable[[], bool]) -> None:
        """Do what is due; ``awaited`` tells whether a subscriber we know of has not asked yet."""
        if self.batches and now >= self._left_at + BATCH_WAIT:
            self.flush(now)
        if quiet := self._restless.take(now):
            self.tell_heads(quiet, now)
        if self.young_until is not None and now >= self.young_until:
            busy = not self._ground.settled(now) or awaited() or any(self.errands.values())
            if busy and now < self._young_most:
                self.young_until = now + 1.0
            else:
                self.young_until = None
                self.small.older_than(now)

    @property
    def deadline(self) -> float | None:
        """The next moment at which ``tick`` has something to do."""
        return earliest(self._left_at + BATCH_WAIT if self.batches else None, self._restless.deadline, self.young_until)
