"""An inbox: what pushers sent to one queue of this node, what is in hand, and what to answer.

Jobs arrive in batches and are taken in *hands*: a part of one batch, given to one consumer. The
consumer steps forward by itself, without the lock; the inbox reads how far it is when it composes
acks. Below ``floor`` all is done, ``floor`` to ``position`` is begun, the rest only fetched.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Final

from meshmq.core.credit import Pace, Ranges
from meshmq.errors import ProtocolError, WouldBlock
from meshmq.settings import Settings
from meshmq.wire.batches import Batch
from meshmq.wire.frames import Kind, Verdict, pack_acks, pack_grant, pack_settle

ORIGINS_KEPT: Final = 1_000
HAND_WORK: Final = 0.005
TELL_AFTER: Final = 0.002
COLLECT_AFTER: Final = 0.01
IDLE_AFTER: Final = 1.0


@dataclass(slots=True, eq=False)
class Source:
    """One pusher, as this inbox sees it: what came in this session, and what it may send."""

    peer: bytes
    received: int = 0
    received_bytes: int = 0
    finished: int = 0
    finished_bytes: int = 0
    limit: int = 0
    limit_bytes: int = 0
    most: int = 0
    most_bytes: int = 0
    backlog: int = 0
    round_trip: float = 0.0
    gone: bool = False
    dirty: bool = False

    def told(self, limit: int, limit_bytes: int) -> None:
        """Note that the pusher is told of these limits."""
        self.limit, self.limit_bytes, self.dirty = limit, limit_bytes, False
        self.most, self.most_bytes = max(self.most, limit), max(self.most_bytes, limit_bytes)


@dataclass(slots=True, eq=False)
class Hand:
    """Jobs ``floor`` to ``end`` (indices of ``batch``) in the hands of one consumer."""

    batch: Batch
    source: Source
    arrived: float
    floor: int
    end: int
    consumer: Hashable
    taken_at: float = 0.0
    start: int = 0
    position: int = -1
    told: int = 0
    tell_at: float = 0.0
    said: dict[int, Verdict | None] = field(default_factory=dict)
    ahead: Iterator[int] = field(default_factory=lambda: iter(()))

    def step(self) -> int:
        """Begin the next job, the one before is done; returns its index, -1 where there is none.

        Needs no lock: an iterator gives each index once, to the consumer or to who recalls the hand.
        """
        index = next(self.ahead, -1)
        if index >= 0:
            self.position = self.floor = index
        return index

    def recall(self) -> tuple[int, int]:
        """Take away what is not begun; returns its start and end."""
        end, rest = self.end, list(self.ahead)
        if rest:
            self.end = rest[0]
        return self.end, end


class Inbox:
    """All jobs of one queue that are here, and the credit this node grants for more."""

    def __init__(self, queue: str, settings: Settings, prefetch: int | None = None) -> None:
        self.queue = queue
        self._settings = settings
        self.pace = Pace(settings, prefetch)
        self._waiting: deque[tuple[Batch, Source, float, int, int]] = deque()
        self.waiting = 0
        self._hands: dict[Hand, None] = {}
        self._sources: dict[bytes, Source] = {}
        self._askers: set[Hashable] = set()
        self._idle_at: dict[Hashable, float] = {}
        self._done: OrderedDict[bytes, Ranges] = OrderedDict()
        self._acks: dict[bytes, dict[bytes, tuple[int, Ranges]]] = {}
        self._frames: deque[tuple[bytes, Kind, bytes]] = deque()
        self._collect_at: float | None = None
        self.stayed = 0.0
        self.received = self.done = self.repeats = self.refused = self.returned = self.unreadable = 0

    def __repr__(self) -> str:
        return f"<Inbox {self.queue!r} {self.waiting} waiting, {len(self._hands)} in hand>"

    # -- what arrives ----------------------------------------------------------------------------

    def opened(self, peer: bytes) -> Source:
        """Return the pusher ``peer``, as of this session."""
        source = self._sources.get(peer)
        if source is None:
            source = self._sources[peer] = Source(peer)
        return source

    def offered(self, peer: bytes, backlog: int) -> None:
        """Learn how many jobs a pusher has waiting."""
        source = self.opened(peer)
        source.backlog, source.dirty = backlog, True

    def receive(self, peer: bytes, batch: Batch, now: float) -> int:
        """Take a batch; returns how many jobs wait now that did not before.

        Raises:
            ProtocolError: it is more than was ever granted.
        """
        source = self.opened(peer)
        # A limit may have sunk while the batch was on its way. The last one may go beyond the bytes.
        if source.received + batch.count > source.most or source.received_bytes >= source.most_bytes:
            raise ProtocolError(f"more jobs of {self.queue!r} than it was granted ({source.most:,})")
        source.received += batch.count
        source.received_bytes += batch.size
        source.backlog, source.dirty = batch.backlog, True
        self.received += batch.count
        if batch.attempt > 1:
            return sum(self._wait(batch, source, now, start, end) for start, end in self._new(batch, source))
        return self._wait(batch, source, now, 0, batch.count)

    def _wait(self, batch: Batch, source: Source, now: float, start: int, end: int) -> int:
        self._waiting.append((batch, source, now, start, end))
        self.waiting += end - start
        if not self._askers:
            self._return_waiting()
        return end - start

    def _new(self, batch: Batch, source: Source) -> list[tuple[int, int]]:
        """Tell repeats from jobs to do: what was done here is confirmed again, what is in hand waits."""
        done = self._done.get(batch.origin)
        spans: list[tuple[int, int]] = []
        for index in range(batch.count):
            number = batch.first + index
            if done is not None and number in done:
                self._note(source, batch.origin, number, number)
            elif not self._in_hand(batch.origin, number):
                if spans and spans[-1][1] == index:
                    spans[-1] = (spans[-1][0], index + 1)
                else:
                    spans.append((index, index + 1))
                continue
            self.repeats += 1
            self._finish(source, batch, index, index + 1)
        return spans

    def _in_hand(self, origin: bytes, number: int) -> bool:
        # A job that was given back by word is not: its next delivery may come before its hand is done.
        return any(
            hand.floor <= (index := number - hand.batch.first) < hand.end and index not in hand.said
            for hand in self._hands
            if hand.batch.origin == origin
        )

    def lost(self, peer: bytes) -> None:
        """Forget what a pusher sent and nobody has begun: it sends it elsewhere."""
        source = self._sources.pop(peer, None)
        if source is None:
            return
        source.gone = True
        self._acks.pop(peer, None)
        self._frames = deque(frame for frame in self._frames if frame[0] != peer)
        kept = [item for item in self._waiting if item[1] is not source]
        self.waiting = sum(end - start for *_, start, end in kept)
        self._waiting = deque(kept)
        for hand in self._hands:
            if hand.source is source:
                hand.recall()

    # -- consumers -------------------------------------------------------------------------------

    def take(self, consumer: Hashable, now: float, *, limit: int | None = None) -> Hand:
        """Give jobs to a consumer; all of them are begun when ``limit`` is given, else one at a time.

        Raises:
            WouldBlock: nothing is here; the consumer is noted as asking.
        """
        if consumer not in self._askers:
            self._askers.add(consumer)
            self._touch()
        self._idle_at.pop(consumer, None)
        if not self._waiting:
            raise WouldBlock
        batch, source, arrived, start, end = self._waiting.popleft()
        most = limit if limit is not None else self._hand_size()
        if end - start > most:
            self._waiting.appendleft((batch, source, arrived, start + most, end))
            end = start + most
        self.waiting -= end - start
        hand = Hand(batch, source, arrived, start, end, consumer, now, start, start, start, now + TELL_AFTER)
        if limit is not None:
            hand.position = end - 1
        else:
            hand.ahead = iter(range(start + 1, end))
        self._hands[hand] = None
        self._begin(hand)
        self._collect_at = now + COLLECT_AFTER
        return hand

    def look(self, now: float) -> None:
        """Ask for jobs without taking one; the asking ends by itself after a while."""
        if self not in self._askers:
            self._askers.add(self)
            self._touch()
        self._idle_at[self] = now + IDLE_AFTER

    def _hand_size(self) -> int:
        if len(self._askers) > 1 or not self.pace.done:
            return 1
        return max(1, int(HAND_WORK / self.pace.service))

    def progress(self, hand: Hand, now: float) -> None:
        """Note what a consumer has done of a hand so far."""
        if hand in self._hands:
            self._confirm(hand, hand.floor)
            self._begin(hand)
            hand.tell_at = now + TELL_AFTER
            if hand.position + 1 < hand.end:
                self._collect_at = now + COLLECT_AFTER

    def finish(self, hand: Hand, now: float) -> None:
        """Note that a consumer has done all it began of a hand; the rest, if any, goes back."""
        if hand not in self._hands:
            return
        del self._hands[hand]
        done, end = hand.recall()
        hand.floor = done
        self.pace.observe(done - hand.start, now - hand.taken_at)
        self.stayed += (now - hand.arrived) * (done - hand.start)
        self._confirm(hand, done)
        self._give_back(hand, done, end, Verdict.RETURNED)
        self._touch()

    def leave(self, consumer: Hashable) -> None:
        """Take back everything from a consumer that left without a word."""
        for hand in [hand for hand in self._hands if hand.consumer == consumer]:
            del self._hands[hand]
            unbegun = hand.recall()
            self._confirm(hand, hand.floor)
            for index in range(hand.floor, hand.end):
                if index not in hand.said:
                    self._give_back(hand, index, index + 1, Verdict.LEFT)
            self._give_back(hand, *unbegun, Verdict.RETURNED)
            hand.floor = hand.end
        self._askers.discard(consumer)
        self._idle_at.pop(consumer, None)
        if not self._askers:
            self._return_waiting()
        self._touch()

    def rest(self, consumer: Hashable, now: float) -> None:
        """Note that a consumer stopped asking for now; unless it asks again soon its jobs go back."""
        self._idle_at[consumer] = now + IDLE_AFTER

    def say(self, hand: Hand, index: int, verdict: Verdict | None, delay: float | None = None) -> None:
        """Tell the pusher of an explicit ack (``None``) or nack, which the consumer noted in ``said``."""
        if verdict is None:
            self._confirm_one(hand, index)
        else:
            self._give_back(hand, index, index + 1, verdict, delay)

    # -- answers ---------------------------------------------------------------------------------

    def _begin(self, hand: Hand) -> None:
        if hand.source.gone:
            return
        origins = self._acks.setdefault(hand.source.peer, {})
        _, ranges = origins.get(hand.batch.origin) or (-1, Ranges(10_000))
        origins[hand.batch.origin] = (hand.batch.first + hand.position, ranges)

    def _confirm(self, hand: Hand, up_to: int) -> None:
        start, hand.told = hand.told, max(hand.told, up_to)
        if up_to <= start:
            return
        if not hand.said:
            self._done_now(hand, start, up_to)
            return
        for index in range(start, up_to):
            if index not in hand.said:
                self._confirm_one(hand, index)

    def _confirm_one(self, hand: Hand, index: int) -> None:
        self._done_now(hand, index, index + 1)

    def _done_now(self, hand: Hand, start: int, end: int) -> None:
        batch = hand.batch
        first, last = batch.first + start, batch.first + end - 1
        ranges = self._done.get(batch.origin)
        if ranges is None:
            ranges = self._done[batch.origin] = Ranges()
            if len(self._done) > ORIGINS_KEPT:
                self._done.popitem(last=False)
        ranges.add(first, last)
        self.done += end - start
        self._note(hand.source, batch.origin, first, last)
        self._finish(hand.source, batch, start, end)

    def _note(self, source: Source, origin: bytes, first: int, last: int) -> None:
        peer = source.peer
        if source.gone and peer not in self._sources:
            return  # its session is over; should it send the job again, it is confirmed then
        origins = self._acks.setdefault(peer, {})
        begun, ranges = origins.get(origin) or (-1, Ranges(10_000))
        ranges.add(first, last)
        origins[origin] = (begun, ranges)

    def _finish(self, source: Source, batch: Batch, start: int, end: int) -> None:
        source.finished += end - start
        source.finished_bytes += batch.size if end - start == batch.count else batch.offsets[end] - batch.offsets[start]
        source.dirty = True

    def _give_back(self, hand: Hand, start: int, end: int, verdict: Verdict, delay: float | None = None) -> None:
        if start < end:
            self._send_back(hand.batch, hand.source, start, end, verdict, delay)

    def _send_back(
        self, batch: Batch, source: Source, start: int, end: int, verdict: Verdict, delay: float | None = None
    ) -> None:
        if verdict is Verdict.REFUSED:
            self.refused += end - start
        elif verdict is Verdict.UNREADABLE:
            self.unreadable += end - start
        else:
            self.returned += end - start
        self._finish(source, batch, start, end)
        current = self._sources.get(source.peer)
        if current is not None:
            pair = (batch.first + start, batch.first + end - 1)
            body = pack_settle(self.queue, verdict, batch.origin, [pair], delay)
            self._frames.append((source.peer, Kind.SETTLE, body))

    def _return_waiting(self) -> None:
        while self._waiting:
            batch, source, _, start, end = self._waiting.pop()
            self._send_back(batch, source, start, end, Verdict.RETURNED)
        self.waiting = 0

    def _touch(self) -> None:
        for source in self._sources.values():
            source.dirty = True

    # -- credit and time -------------------------------------------------------------------------

    @property
    def has_pushers(self) -> bool:
        """Whether a session stands in which credit was asked for."""
        return bool(self._sources)

    @property
    def asking(self) -> bool:
        """Whether somebody iterates, receives or handles."""
        return bool(self._askers)

    @property
    def deadline(self) -> float | None:
        """The next moment at which ``tick`` has something to do."""
        moments = list(self._idle_at.values())
        if self._collect_at is not None:
            moments.append(self._collect_at)
        return min(moments, default=None)

    def tick(self, now: float) -> None:
        """Collect what consumers did since, and take back what nobody asks for any more."""
        if self._collect_at is not None and now >= self._collect_at:
            self._collect_at = None
            for hand in self._hands:
                self._confirm(hand, hand.floor)
                self._begin(hand)
        for consumer in [consumer for consumer, moment in self._idle_at.items() if moment <= now]:
            del self._idle_at[consumer]
            if not any(hand.consumer == consumer for hand in self._hands):
                self.leave(consumer)

    def forget_unbegun(self) -> None:
        """Give back what nobody has begun: this process stood still for longer than ``grace``."""
        self._return_waiting()
        for hand in self._hands:
            self._give_back(hand, *hand.recall(), Verdict.RETURNED)

    def answers(self) -> list[tuple[bytes, Kind, bytes]]:
        """Return the frames that are due to pushers: settlements, acks, grants."""
        frames, self._frames = list(self._frames), deque()
        if self._acks:
            acks, self._acks = self._acks, {}
            for peer, origins in acks.items():
                source = self._sources.get(peer)
                if source is None:
                    continue
                limit, limit_bytes = self._limits(source)
                source.told(limit, limit_bytes)
                done = [(origin, begun, ranges.pairs()) for origin, (begun, ranges) in origins.items()]
                frames += ((peer, Kind.ACKS, body) for body in pack_acks(self.queue, limit, limit_bytes, done))
        for source in self._sources.values():
            if source.dirty:
                source.dirty = False
                limit, limit_bytes = self._limits(source)
                if self._worth_telling(source, limit, limit_bytes):
                    source.told(limit, limit_bytes)
                    frames.append((source.peer, Kind.GRANT, pack_grant(self.queue, limit, limit_bytes)))
        return frames

    def _limits(self, source: Source) -> tuple[int, int]:
        if not self._askers:
            return source.received, source.received_bytes
        busy = sum(1 for other in self._sources.values() if other.backlog)
        if busy and not source.backlog:
            share, sharing = 1, len(self._sources)
        else:
            sharing = busy or len(self._sources)
            share = max(1, self.pace.window(len(self._askers)) // sharing)
        limit = source.finished + share
        if not busy:
            limit = max(limit, source.limit)  # nobody else needs it: what was granted stays granted
        return limit, source.finished_bytes + self._settings.prefetch_bytes // sharing

    def _worth_telling(self, source: Source, limit: int, limit_bytes: int) -> bool:
        if limit <= source.limit:
            return limit < source.limit
        left = source.limit - source.received
        return left <= (limit - source.finished) // 2 or source.limit_bytes <= source.received_bytes
