"""What is published: consecutive numbers of one topic of one publisher, in one frame.

::

    news  = topic · 0x00 · "MQ" · version u8 · kind u8 (28) · publisher 16 bytes · turn u64 · epoch u32
            · first u64 · count u32 · flags u8 · held f32 · [extras] · count lengths u32 · bodies

On a topics link this is the whole message, so that a subscription to ``weather.kitchen`` and 0x00 brings that
topic alone. On a direct link the number of a subscription comes before it (``pack_direct``), and buffers
are the frames that follow. With flag 4 what was missed can be fetched; with flag 8 the values are not
here: they are too large for the topics link, and lengths and bodies are missing. With flag 16 the one body
is a frame of its own, the first that follows, so that a large value is never copied to be sent. ``turn`` grows
with every frame a publisher puts on its topics link (0 on a direct link).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from meshmq.codecs.base import Buffer
from meshmq.errors import ProtocolError
from meshmq.wire.batches import Load, load_parts, read_load
from meshmq.wire.fields import NUMBERS, read_name
from meshmq.wire.frames import MAGIC, VERSION, Kind, VersionMismatch
from meshmq.wire.headers import Headers, headers_bytes
from meshmq.wire.offsets import Offsets
from meshmq.wire.row import Row

_FIXED: Final = struct.Struct("!2sBB16sQIQIBf")
FIXED_BYTES: Final = _FIXED.size
#: The last of the fixed fields.
_HELD: Final = struct.Struct("!f")
_NUMBER: Final = struct.Struct("!Q")
_EXTRAS: Final = 1
_BUFFERS: Final = 2
_KEPT: Final = 4
_ELSEWHERE: Final = 8
_APART: Final = 16
EPOCHS: Final = 2**32
#: From here on the epochs of durable topics are: drawn at random, they name a line of messages, whoever publishes it.
DURABLE_EPOCHS: Final = 2**31
_NOTHING: Final = Load(Offsets(()), memoryview(b""), {}, 0)


@dataclass(frozen=True, slots=True)
class News:
    """A batch of one topic as it arrived: bodies are cut out of ``payload`` between neighbouring ``offsets``."""

    topic: str
    publisher: bytes
    turn: int
    epoch: int
    first: int
    count: int
    kept: bool
    elsewhere: bool
    held: float
    offsets: Offsets
    payload: memoryview
    headers: dict[int, dict[str, str]]
    buffers: tuple[Buffer, ...]
    longest: int
    #: The device that sent them on, empty where none did.
    via: bytes = b""

    @property
    def last(self) -> int:
        """The highest number in it."""
        return self.first + self.count - 1

    def body(self, index: int) -> memoryview:
        """Return the encoded value at ``index``."""
        return self.payload[self.offsets[index] : self.offsets[index + 1]]

    def buffers_of(self, start: int, end: int) -> tuple[Buffer, ...]:
        """Return the large buffers of the only value, where it has some."""
        return self.buffers

    def size(self, start: int, end: int) -> int:
        """Return the bytes of the values from index ``start`` to before ``end``, with their headers."""
        size = self.offsets[end] - self.offsets[start]
        if self.headers:  # else a stranger's would take what nobody counts
            size += sum(headers_bytes(header) for index, header in self.headers.items() if start <= index < end)
        return size + sum(map(len, self.buffers)) if self.buffers else size


def pack_news(
    topic: str,
    publisher: bytes,
    epoch: int,
    first: int,
    bodies: Sequence[bytes],
    *,
    turn: int = 0,
    kept: bool,
    held: float,
    headers: Mapping[int, Headers] | None = None,
    buffers: Sequence[Buffer] = (),
    apart: bool = False,
) -> list[bytes]:
    """Return the frames of news; ``headers`` go by index, ``held`` is seconds.

    With ``apart`` the only body is a frame of its own, as it is.
    """
    flags = (_EXTRAS if headers else 0) | (_BUFFERS if buffers else 0) | (_KEPT if kept else 0)
    head = _head(topic, publisher, turn, epoch, first, len(bodies), flags | (_APART if apart else 0), held)
    load = load_parts(Row.of(bodies), headers)
    own = [load.pop()] if apart else []
    return [b"".join((*head, *load)), *cast("Sequence[bytes]", (*own, *buffers))]


def pack_notice(topic: str, publisher: bytes, epoch: int, first: int, count: int, *, turn: int) -> bytes:
    """Return the frame that says: these are published, and to be fetched over the direct link."""
    return b"".join(_head(topic, publisher, turn, epoch, first, count, _KEPT | _ELSEWHERE, 0.0))


def _head(
    topic: str, publisher: bytes, turn: int, epoch: int, first: int, count: int, flags: int, held: float
) -> tuple[bytes, bytes]:
    fixed = _FIXED.pack(MAGIC, VERSION, Kind.NEWS, publisher, turn, epoch, first, count, flags, held)
    return topic.encode() + b"\0", fixed


@dataclass(frozen=True, slots=True)
class Label:
    """What a device reads of news that it sends on: values stay closed."""

    topic: bytes
    #: Where the topic ends.
    place: int
    publisher: bytes
    turn: int
    count: int


def read_label(frame: bytes) -> Label:
    """Read what news are, and of whom.

    Raises:
        VersionMismatch: they are of a version that we do not speak.
        ProtocolError: they are none.
    """
    place = frame.find(b"\0", 0, 256)
    try:
        magic, version, kind, publisher, turn, _, _, count, _, _ = _FIXED.unpack_from(frame, place + 1)
    except struct.error as error:
        raise ProtocolError("news that are cut short") from error
    if magic != MAGIC or place <= 0:
        raise ProtocolError("news that do not start as ours do")
    if version != VERSION:
        raise VersionMismatch(version)
    if kind != Kind.NEWS:
        raise ProtocolError("news with fields that are none")
    return Label(frame[:place], place, publisher, turn, count)


def add_held(frame: bytes, place: int, held: float) -> tuple[bytes, bytes, bytes]:
    """Return the parts of news whose topic ends at ``place``, older by ``held`` seconds."""
    end = place + 1 + FIXED_BYTES
    (before,) = _HELD.unpack_from(frame, end - _HELD.size)
    return frame[: end - _HELD.size], _HELD.pack(before + held), frame[end:]


def unpack_news(frames: Sequence[bytes | memoryview], via: bytes = b"") -> News:
    """Read news; no value of it is decoded yet. ``via`` is the device that sent them on.

    Raises:
        VersionMismatch: they are of a version that we do not speak.
        ProtocolError: they are none.
    """
    frame = frames[0]
    raw = frame if isinstance(frame, bytes) else bytes(frame)
    place = raw.find(b"\0", 0, 256)
    try:
        topic = read_name(raw[: max(place, 0)].decode())
        magic, version, kind, publisher, turn, epoch, first, count, flags, held = _FIXED.unpack_from(raw, place + 1)
    except (struct.error, UnicodeDecodeError) as error:
        raise ProtocolError("news that are cut short") from error
    if magic != MAGIC:
        raise ProtocolError("news that do not start as ours do")
    if version != VERSION:
        raise VersionMismatch(version)
    elsewhere = bool(flags & _ELSEWHERE)
    if (
        kind != Kind.NEWS
        or flags & ~(_EXTRAS | _BUFFERS | _KEPT | _ELSEWHERE | _APART)
        or not 0 < first < NUMBERS - count
    ):
        raise ProtocolError("news with fields that are none")
    if not 0.0 <= held < 1e9 or not count:
        raise ProtocolError("news with fields that are none")
    apart = memoryview(frames[1]) if flags & _APART and len(frames) > 1 else None
    if bool(flags & _APART) != (apart is not None) or (apart is not None and count != 1):
        raise ProtocolError("news with fields that are none")
    buffers = tuple(frames[1 if apart is None else 2 :])
    if bool(buffers) != bool(flags & _BUFFERS) or (buffers and count != 1) or (elsewhere and flags & ~12):
        raise ProtocolError("news with fields that are none")
    view = memoryview(raw)
    load = _NOTHING
    if not elsewhere:
        load = read_load(view, place + 1 + FIXED_BYTES, count, extras=bool(flags & _EXTRAS), apart=apart)
    if elsewhere and len(raw) != place + 1 + FIXED_BYTES:
        raise ProtocolError("a notice with values")
    return News(
        topic,
        publisher,
        turn,
        epoch,
        first,
        count,
        bool(flags & _KEPT),
        elsewhere,
        held,
        load.offsets,
        load.payload,
        load.headers,
        buffers,
        load.longest,
        via,
    )


def pack_direct(subscription: int) -> bytes:
    """Return what stands before news on a direct link: the number of the subscription they are for."""
    return _NUMBER.pack(subscription)


def unpack_direct(frames: Sequence[bytes]) -> tuple[int, News]:
    """Read the body of a NEWS frame of the direct link.

    Raises:
        ProtocolError: it is none.
    """
    if len(frames[0]) < _NUMBER.size:
        raise ProtocolError("news without a subscription")
    (subscription,) = _NUMBER.unpack_from(frames[0])
    return subscription, unpack_news([memoryview(frames[0])[_NUMBER.size :], *frames[1:]])
