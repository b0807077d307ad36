"""The two ordered streams of a session: what is sent and kept until covered, what is received.

Small frames (acks, grants) go before everything, then requests and answers, then batches of jobs and
news; the chunks of large messages take turns with the last. At most a window of bytes (or one frame) is handed
to the connection beyond what the peer has received: as much as it carries in a moment, see ``throughput``. What is
large goes whole where that is a moment, too.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from math import inf
from typing import Final, Literal

from meshmq.core.assembly import Assembly
from meshmq.core.bundling import next_of
from meshmq.core.throughput import WINDOW, Throughput
from meshmq.core.transfers import Transfer
from meshmq.wire.again import aged
from meshmq.wire.chunks import CHUNK_BYTES
from meshmq.wire.frames import HEAD_BYTES, Kind, pack_head

COVER_AFTER: Final = 0.05
COVER_BYTES: Final = WINDOW // 4
COVER_FRAMES: Final = 16
#: Small frames are answers, and what asks for them is bounded by credit: more than this is a peer's game.
SMALL_FRAMES: Final = 32_768
#: What a large message takes a place of. None waits for the large messages of another.
Lane = Literal["calls", "jobs", "news"]
#: How many large messages of each lane are under way at a time; and of all together.
PLACES: Final[dict[Lane, int]] = {"calls": 1, "jobs": 2, "news": 1}
TRANSFERS: Final = sum(PLACES.values()) + 1  # what had gone whole and goes again
#: Fewer than links take in one message.
WHOLE_FRAMES: Final = 32

#: Gives the next message that may go to this session's peer, or nothing.
Source = Callable[[], tuple[Kind, Sequence[bytes]] | None]


class Stream:
    """Numbers, lanes and what is not covered, for one session."""

    def __init__(self) -> None:
        self.sent = self.received = 0
        #: Number, kind, frames, bytes, and when it was sent first.
        self.kept: deque[tuple[int, Kind, Sequence[bytes], int, float]] = deque()
        self.kept_bytes = 0
        self._small: deque[tuple[Kind, Sequence[bytes]]] = deque()
        self._calls: deque[tuple[Kind, Sequence[bytes]]] = deque()
        #: Large requests and answers, and what has to follow them in order; how many of each name.
        self._large: deque[tuple[Kind, Sequence[bytes], bytes]] = deque()
        self._large_names: Counter[bytes] = Counter()
        #: Bytes of requests and answers that wait.
        self.unread = 0
        self._throughput = Throughput()
        #: The number of the last large news that went whole.
        self._news = 0
        #: Large messages that are under way.
        self.transfers: deque[Transfer] = deque()
        self._transfer_number = 0
        self._chunk_turn = False
        #: The large messages that come.
        self.arriving = Assembly(TRANSFERS)
        self._unsaid_frames = self._unsaid_bytes = 0
        self.cover_at: float | None = None
        self.uncovered_since: float | None = None

    @property
    def settled(self) -> bool:
        """Whether the peer has everything that was put."""
        return not (self.kept or self.pending)

    @property
    def pending(self) -> bool:
        """Whether something waits for room."""
        return bool(self._small or self._calls or self._large or self.transfers)

    @property
    def crowded(self) -> bool:
        """Whether more small frames wait than a peer that takes its answers ever leaves."""
        return len(self._small) > SMALL_FRAMES

    @property
    def piece(self) -> int:
        """How many bytes of a large message go at a time: as much as the connection carries in a moment."""
        return self._throughput.chunk

    def room(self, lane: Lane = "jobs") -> bool:
        """Whether another batch may be handed over now."""
        return self.kept_bytes < self._throughput.window and self._has_place(lane)

    def put(self, kind: Kind, body: bytes) -> None:
        """Queue a small frame."""
        self._small.append((kind, (body,)))

    def post(self, kind: Kind, frames: Sequence[bytes], name: bytes) -> None:
        """Queue a request or an answer, of any size; those of one name keep their order, and only those."""
        size = sum(map(len, frames))
        if size <= CHUNK_BYTES and name not in self._large_names and not (self.transfers and self.carries(name)):
            self._calls.append((kind, frames))
        else:
            self._large.append((kind, frames, name))
            self._large_names[name] += 1
        self.unread += size

    @property
    def _news_left(self) -> bool:
        """Whether large news have left whole, and not arrived: others wait, so that they can still be passed over."""
        return bool(self.kept) and self.kept[0][0] <= self._news

    def carries(self, name: str | bytes | None = None) -> bool:
        """Whether a large message (of this name) is under way: what follows it in order has to wait."""
        return any(name is None or transfer.name == name for transfer in self.transfers)

    def under_way(self, lane: Lane) -> float | None:
        """Return which part of the large message of a lane has left, ``None`` where none is under way."""
        if lane == "news" and self._news_left:
            return 1.0
        return max((transfer.share for transfer in self.transfers if transfer.lane == lane), default=None)

    def abandon(self, lane: Lane) -> None:
        """Send no more of the large messages of a lane that are under way; the peer is told."""
        for transfer in self.transfers:
            if transfer.lane == lane:
                transfer.abandon()

    def next(
        self, source: Source | None = None, name: str = "", lane: Lane = "jobs", whole: float = inf
    ) -> tuple[Kind, Sequence[bytes]] | None:
        """Return what goes next, or nothing when there is nothing or no room.

        ``source`` gives what is of ``name``, which goes whole up to ``whole`` bytes where the line is fast; without one
        only what waits here goes.
        """
        if self.kept_bytes >= self._throughput.window:
            return None
        if self._small:
            return self._small.popleft()
        if self._calls:
            kind, frames, size = next_of(self._calls)
            self.unread -= size
            return kind, frames
        if self._large and (found := self._next_large()) is not None:
            return found
        if source is None and not self.transfers:
            return None
        self._chunk_turn = not self._chunk_turn
        if self._chunk_turn and (chunk := self._next_chunk()) is not None:
            return chunk
        found = source() if source is not None and self._has_place(lane) else None
        if found is None:
            return self._next_chunk()
        return found if self._goes_whole(found[1], whole) else self._begin(*found, lane, name)

    def _next_large(self) -> tuple[Kind, Sequence[bytes]] | None:
        kind, frames, name = self._large[0]
        whole = self._goes_whole(frames)
        if self.carries(name) or not (whole or self._has_place("calls")):
            return None
        self._large.popleft()
        self._large_names[name] -= 1
        if not self._large_names[name]:
            del self._large_names[name]
        self.unread -= sum(map(len, frames))
        return (kind, frames) if whole else self._begin(kind, frames, "calls", name)

    def _goes_whole(self, frames: Sequence[bytes], most: float = inf) -> bool:
        size = sum(map(len, frames))
        return size <= CHUNK_BYTES or (
            size <= most and len(frames) <= WHOLE_FRAMES and self._throughput.takes_whole(size)
        )

    def _has_place(self, lane: Lane) -> bool:
        if lane == "news" and self._news_left:
            return False
        if not self.transfers:
            return True
        return sum(1 for transfer in self.transfers if transfer.lane == lane) < PLACES[lane]

    def _begin(
        self, kind: Kind, frames: Sequence[bytes], lane: Lane, name: str | bytes
    ) -> tuple[Kind, Sequence[bytes]] | None:
        self.transfers.append(self._transfer(kind, frames, lane, name))
        return self._next_chunk()

    def _transfer(self, kind: Kind, frames: Sequence[bytes], lane: str, name: str | bytes) -> Transfer:
        self._transfer_number += 1
        return Transfer(self._transfer_number, kind, frames, lane, name)

    def _next_chunk(self) -> tuple[Kind, Sequence[bytes]] | None:
        for _ in range(len(self.transfers)):
            transfer = self.transfers.popleft()
            if transfer.lane != "news":
                body = transfer.next_chunk(self._throughput.chunk)
            elif self.kept_bytes < WINDOW:  # what has left cannot be abandoned: little at a time, and copied
                body = [b"".join(transfer.next_chunk(CHUNK_BYTES))]
            else:
                self.transfers.append(transfer)
                continue
            if not transfer.done:
                self.transfers.append(transfer)
            return Kind.CHUNK, body
        return None

    def keep(self, kind: Kind, frames: Sequence[bytes], now: float) -> int:
        """Number a message and keep it until it is covered; returns the number."""
        self.sent += 1
        size = HEAD_BYTES + sum(map(len, frames))
        if kind is Kind.NEWS and size > HEAD_BYTES + CHUNK_BYTES:
            self._news = self.sent
        self.kept.append((self.sent, kind, frames, size, now))
        self.kept_bytes += size
        if self.uncovered_since is None:
            self.uncovered_since = now
        return self.sent

    def head(self, kind: Kind, number: int) -> bytes:
        """Return a head; it tells the peer what we have received."""
        self._unsaid_frames = self._unsaid_bytes = 0
        self.cover_at = None
        return pack_head(kind, number, self.received)

    def cover(self, received: int, now: float) -> bool:
        """Drop what the peer has; whether that was anything."""
        kept, before = self.kept, self.kept_bytes
        if not kept or kept[0][0] > received:
            return False
        since = kept[0][4]
        while kept and kept[0][0] <= received:
            self.kept_bytes -= kept.popleft()[3]
        self._throughput.covered(before - self.kept_bytes, since, now, busy=bool(kept))
        self.uncovered_since = now if kept else None
        return True

    def again(self, received: int, now: float) -> list[tuple[int, Kind, Sequence[bytes]]]:
        """Return what a fresh connection is to carry first: all that the peer has not received, and in what form.

        Of the line nothing is known any more, so what had gone whole though it is large goes in chunks, too. What is
        not received has no number yet for the peer: what stands behind it is numbered anew.
        """
        self.cover(received, now)
        self._throughput = Throughput()
        kept, self.kept, self.kept_bytes, self._news = self.kept, deque(), 0, 0
        if kept:
            self.sent = kept[0][0] - 1
        sent = list[tuple[int, Kind, Sequence[bytes]]]()
        for _, kind, frames, _, since in kept:
            older = aged(frames, now - since) if kind is Kind.JOBS else frames
            if kind is Kind.CHUNK or _is_small(frames):
                sent.append((self.keep(kind, frames, since), kind, older))
                continue
            transfer = self._transfer(kind, older, "", "")
            while not transfer.done:
                chunk = transfer.next_chunk(CHUNK_BYTES)
                sent.append((self.keep(Kind.CHUNK, chunk, since), Kind.CHUNK, chunk))
        self.uncovered_since = now if self.kept else None
        return sent

    def take(self, number: int, size: int, now: float) -> Literal["new", "repeat", "hole"]:
        """Take note of a numbered frame; only the next number is new."""
        if number <= self.received:
            self.cover_at = now
            return "repeat"
        if number != self.received + 1:
            return "hole"
        self.received = number
        self._unsaid_frames += 1
        self._unsaid_bytes += size
        if self._unsaid_bytes >= COVER_BYTES or self._unsaid_frames >= COVER_FRAMES:
            self.cover_at = now
        elif self.cover_at is None:
            self.cover_at = now + COVER_AFTER
        return "new"


def _is_small(frames: Sequence[bytes]) -> bool:
    return sum(map(len, frames)) <= CHUNK_BYTES
