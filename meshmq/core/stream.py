"""The two ordered streams of a session: what is sent and kept until covered, what is received.

Small frames (acks, grants) go before everything, then requests and answers, then batches of jobs and
news; the chunks of large messages take turns with the last. At most ``WINDOW`` bytes (or one frame) are
handed to the connection beyond what the peer has received.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Final, Literal

from meshmq.core.transfers import Transfer
from meshmq.errors import ProtocolError
from meshmq.wire.chunks import CHUNK_BYTES, split_message, unpack_chunk
from meshmq.wire.frames import HEAD_BYTES, Kind, pack_head

WINDOW: Final = 256 * 1024
COVER_AFTER: Final = 0.05
COVER_BYTES: Final = WINDOW // 4
COVER_FRAMES: Final = 16
#: Small frames are answers, and what asks for them is bounded by credit: more than this is a peer's game.
SMALL_FRAMES: Final = 32_768
#: What a large message takes a place of. None waits for the large messages of another.
Lane = Literal["calls", "jobs", "news"]
#: How many large messages of each lane are under way at a time; and of all together.
PLACES: Final[dict[Lane, int]] = {"calls": 1, "jobs": 2, "news": 1}
TRANSFERS: Final = sum(PLACES.values())
TRANSFER_EXTRA: Final = 256 * 1024

#: Gives the next message that may go to this session's peer, or nothing.
Source = Callable[[], tuple[Kind, Sequence[bytes]] | None]


class Stream:
    """Numbers, lanes and what is not covered, for one session."""

    def __init__(self) -> None:
        self.sent = self.received = 0
        #: Number, kind, frames, bytes, and when it was sent first.
        self.kept: deque[tuple[int, Kind, Sequence[bytes], int, float]] = deque()
        self._kept_bytes = 0
        self._small: deque[tuple[Kind, Sequence[bytes]]] = deque()
        self._calls: deque[tuple[Kind, Sequence[bytes]]] = deque()
        #: Large requests and answers, and what has to follow them in order; how many of each name.
        self._large: deque[tuple[Kind, Sequence[bytes], bytes]] = deque()
        self._large_names: Counter[bytes] = Counter()
        #: Bytes of requests and answers that wait.
        self.unread = 0
        self._transfers: deque[Transfer] = deque()
        self._transfer_number = 0
        self._chunk_turn = False
        #: Since when each large message comes, and what has come of it.
        self._arriving: dict[int, tuple[float, bytearray]] = {}
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
        return bool(self._small or self._calls or self._large or self._transfers)

    @property
    def full(self) -> bool:
        """Whether nothing may be handed over before the peer covers something."""
        return self._kept_bytes >= WINDOW

    @property
    def crowded(self) -> bool:
        """Whether more small frames wait than a peer that takes its answers ever leaves."""
        return len(self._small) > SMALL_FRAMES

    def room(self, lane: Lane = "jobs") -> bool:
        """Whether another batch may be handed over now."""
        return self._kept_bytes < WINDOW and self._has_place(lane)

    def put(self, kind: Kind, body: bytes) -> None:
        """Queue a small frame."""
        self._small.append((kind, (body,)))

    def post(self, kind: Kind, frames: Sequence[bytes], name: bytes) -> None:
        """Queue a request or an answer, of any size; those of one name keep their order, and only those."""
        if _is_small(frames) and name not in self._large_names and not (self._transfers and self.carries(name)):
            self._calls.append((kind, frames))
        else:
            self._large.append((kind, frames, name))
            self._large_names[name] += 1
        self.unread += sum(map(len, frames))

    def carries(self, name: str | bytes | None = None) -> bool:
        """Whether a large message (of this name) is under way: what follows it in order has to wait."""
        return any(name is None or transfer.name == name for transfer in self._transfers)

    def under_way(self, lane: Lane) -> float | None:
        """Return which part of the large message of a lane has left, ``None`` where none is under way."""
        return max((transfer.share for transfer in self._transfers if transfer.lane == lane), default=None)

    def abandon(self, lane: Lane) -> None:
        """Send no more of the large messages of a lane that are under way; the peer is told."""
        for transfer in self._transfers:
            if transfer.lane == lane:
                transfer.abandon()

    def next(self, source: Source, name: str = "", lane: Lane = "jobs") -> tuple[Kind, Sequence[bytes]] | None:
        """Return what goes next, or nothing when there is nothing or no room; ``source`` gives what is of ``name``."""
        if self._kept_bytes >= WINDOW:
            return None
        if self._small:
            return self._small.popleft()
        found = self._next_call()
        if found is not None:
            return found
        self._chunk_turn = not self._chunk_turn
        if self._transfers and self._chunk_turn:
            return self._next_chunk()
        found = source() if self._has_place(lane) else None
        if found is None:
            return self._next_chunk() if self._transfers else None
        return found if _is_small(found[1]) else self._begin(*found, lane, name)

    def _next_call(self) -> tuple[Kind, Sequence[bytes]] | None:
        if self._calls:
            kind, frames = self._calls.popleft()
            self.unread -= sum(map(len, frames))
            return kind, frames
        if not self._large:
            return None
        kind, frames, name = self._large[0]
        small = _is_small(frames)
        if self.carries(name) or not (small or self._has_place("calls")):
            return None
        self._large.popleft()
        self._large_names[name] -= 1
        if not self._large_names[name]:
            del self._large_names[name]
        self.unread -= sum(map(len, frames))
        return (kind, frames) if small else self._begin(kind, frames, "calls", name)

    def _has_place(self, lane: Lane) -> bool:
        if not self._transfers:
            return True
        return sum(1 for transfer in self._transfers if transfer.lane == lane) < PLACES[lane]

    def _begin(
        self, kind: Kind, frames: Sequence[bytes], lane: Lane, name: str | bytes
    ) -> tuple[Kind, Sequence[bytes]]:
        self._transfer_number += 1
        self._transfers.append(Transfer(self._transfer_number, kind, frames, lane, name))
        return self._next_chunk()

    def _next_chunk(self) -> tuple[Kind, Sequence[bytes]]:
        transfer = self._transfers.popleft()
        body = transfer.next_chunk()
        if not transfer.done:
            self._transfers.append(transfer)
        return Kind.CHUNK, (body,)

    def keep(self, kind: Kind, frames: Sequence[bytes], now: float) -> int:
        """Number a message and keep it until it is covered; returns the number."""
        self.sent += 1
        size = HEAD_BYTES + sum(map(len, frames))
        self.kept.append((self.sent, kind, frames, size, now))
        self._kept_bytes += size
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
        progress = False
        while self.kept and self.kept[0][0] <= received:
            self._kept_bytes -= self.kept.popleft()[3]
            progress = True
        if progress:
            self.uncovered_since = now if self.kept else None
        return progress

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

    def assemble(self, body: memoryview, limit: int, now: float) -> tuple[Kind, list[bytes], float] | None:
        """Add a chunk; returns the message it completes, and for how long that came.

        Raises:
            ProtocolError: it does not continue what came, or is larger than a message may be.
        """
        transfer, offset, total, data = unpack_chunk(body)
        if not total:
            self._arriving.pop(transfer, None)
            return None
        if total > limit + TRANSFER_EXTRA:
            raise ProtocolError(f"a message of {total:,} bytes, and one may have {limit:,}")
        if offset == 0 and transfer not in self._arriving and len(self._arriving) < TRANSFERS:
            self._arriving[transfer] = now, bytearray()
        began, whole = self._arriving.get(transfer, (now, None))
        if whole is None or len(whole) != offset:
            raise ProtocolError("a chunk that does not continue what came before")
        whole += data
        if len(whole) < total:
            return None
        del self._arriving[transfer]
        return *split_message(whole), now - began


def _is_small(frames: Sequence[bytes]) -> bool:
    return sum(map(len, frames)) <= CHUNK_BYTES
