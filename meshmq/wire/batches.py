"""A batch of jobs: consecutive numbers of one origin and queue, in one frame.

::

    batch   = queue length u8 · queue · origin 16 bytes · first u64 · count u32 · attempt u16
              · flags u8 · backlog u32 · held f32 · [pusher] · [terms] · [extras]
              · count lengths u32 · bodies
    extras  = length u32 · msgpack [index, headers, ...]          (only with flag 1)
    pusher  = 16 bytes                                            (only with flag 8)
    terms   = lease f32 · ttl f32 · priority u8                   (only with flag 16)

Large buffers are the frames that follow (flag 2): any number of one job that stands alone in its batch, or one of each
job. A job that was suspected of the loss of a worker goes to a device as a batch of its own (flag 4). What comes from a
device names the pusher (flag 8). ``terms`` hold for all jobs of the batch: seconds of the lease and seconds that are
left to begin them, negative where there is no such bound, and what goes first.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, cast

from meshmq.codecs.base import Buffer
from meshmq.codecs.msgpack import pack_plain
from meshmq.errors import ProtocolError
from meshmq.fate import PRIORITIES
from meshmq.wire.fields import NUMBERS, read_name
from meshmq.wire.headers import Headers, read_headers
from meshmq.wire.offsets import Offsets
from meshmq.wire.row import Row

_FIXED: Final = struct.Struct("!16sQIHBIf")
_LENGTH: Final = struct.Struct("!I")
_EXTRAS: Final = 1
_BUFFERS: Final = 2
_ALONE: Final = 4
_PUSHER: Final = 8
_TERMS: Final = 16
_ALL: Final = _EXTRAS | _BUFFERS | _ALONE | _PUSHER | _TERMS
_BOUNDS: Final = struct.Struct("!ffB")
ID_BYTES: Final = 16
#: The most jobs in one batch: read before anything of them is believed.
JOBS_LIMIT: Final = 4_096


class Terms(NamedTuple):
    """What the worker of some jobs holds to: seconds, ``None`` without such a bound; the highest priority first."""

    lease: float | None = None
    ttl: float | None = None
    priority: int = 0


NO_TERMS: Final = Terms()


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as it arrived: bodies are cut out of ``payload`` between neighbouring ``offsets``."""

    queue: str
    origin: bytes
    first: int
    count: int
    attempt: int
    backlog: int
    held: float
    offsets: Offsets
    payload: memoryview
    headers: dict[int, dict[str, str]]
    buffers: tuple[Buffer, ...]
    size: int
    longest: int
    #: Whether the job is to be with a worker that has nothing else.
    alone: bool
    #: Who pushed it, where a device brought it.
    pusher: bytes
    terms: Terms
    #: What follows the fields, as it came: extras, lengths, bodies.
    rest: memoryview

    def body(self, index: int) -> memoryview:
        """Return the encoded value at ``index``."""
        return self.payload[self.offsets[index] : self.offsets[index + 1]]

    def buffers_of(self, start: int, end: int) -> tuple[Buffer, ...]:
        """Return the large buffers of the jobs from index ``start`` to before ``end``."""
        return self.buffers if self.count == 1 else self.buffers[start:end]

    def size_of(self, start: int, end: int) -> int:
        """Return the bytes of the jobs from index ``start`` to before ``end``: bodies and buffers."""
        if end - start == self.count:
            return self.size
        return self.offsets[end] - self.offsets[start] + sum(map(len, self.buffers_of(start, end)))


def pack_batch(
    queue: str,
    origin: bytes,
    first: int,
    row: Row,
    *,
    attempt: int,
    backlog: int,
    held: float,
    headers: Mapping[int, Headers] | None = None,
    buffers: Sequence[Buffer] = (),
    alone: bool = False,
    terms: Terms | None = None,
) -> list[bytes]:
    """Return the frames of a batch, without the head; ``headers`` go by index, ``held`` is seconds."""
    name = queue.encode()
    flags = (_EXTRAS if headers else 0) | (_BUFFERS if buffers else 0) | (_ALONE if alone else 0)
    flags |= _TERMS if terms is not None else 0
    count = len(row)
    fixed = _FIXED.pack(origin, first, count, min(attempt, 65_535), flags, min(backlog, 2**32 - 1), held)
    bounds = _pack_terms(terms) if terms is not None else b""
    return [
        b"".join((bytes((len(name),)), name, fixed, bounds, *load_parts(row, headers))),
        *cast("Sequence[bytes]", buffers),
    ]


def _pack_terms(terms: Terms) -> bytes:
    lease, ttl = (-1.0 if span is None else span for span in terms[:2])
    return _BOUNDS.pack(lease, ttl, terms.priority)


def pack_onward(batch: Batch, start: int, end: int, *, pusher: bytes, backlog: int, held: float) -> list[bytes]:
    """Return the frames in which a device sends a part of a batch on, in the name of its pusher."""
    name, whole = batch.queue.encode(), end - start == batch.count
    headers = batch.headers if whole else {i - start: batch.headers[i] for i in batch.headers if start <= i < end}
    buffers = batch.buffers_of(start, end)
    flags = (_EXTRAS if headers else 0) | (_BUFFERS if buffers else 0) | _PUSHER
    terms, bounds = batch.terms, b""
    if terms is not NO_TERMS:
        flags |= _TERMS
        here = max(0.0, held - batch.held)
        bounds = _pack_terms(terms._replace(ttl=None if terms.ttl is None else max(0.0, terms.ttl - here)))
    attempt, most = min(batch.attempt, 65_535), min(backlog, 2**32 - 1)
    fixed = _FIXED.pack(batch.origin, batch.first + start, end - start, attempt, flags, most, held)
    bodies = (bytes(batch.body(index)) for index in range(start, end))
    rest = [batch.rest] if whole else load_parts(Row.of([*bodies]), headers)
    return [
        b"".join((bytes((len(name),)), name, fixed, pusher, bounds, *rest)),
        *cast("Sequence[bytes]", buffers),
    ]


def load_parts(row: Row, headers: Mapping[int, Headers] | None) -> list[bytes | memoryview]:
    """Return what every batch ends with: its extras, where there are headers, its lengths and its bodies."""
    parts: list[bytes | memoryview] = []
    if headers:
        extras = pack_plain([item for index, header in headers.items() for item in (index, dict(header))])
        parts += (_LENGTH.pack(len(extras)), extras)
    return [*parts, *row.parts]


@dataclass(frozen=True, slots=True)
class Load:
    """What every batch ends with: bodies are cut out of ``payload`` between neighbouring ``offsets``."""

    offsets: Offsets
    payload: memoryview
    headers: dict[int, dict[str, str]]
    longest: int


def read_load(view: memoryview, place: int, count: int, *, extras: bool, apart: memoryview | None = None) -> Load:
    """Read what a batch of ``count`` messages ends with, from ``place`` on; ``apart`` is a body that is not there.

    Raises:
        ProtocolError: it is none.
    """
    try:
        headers: dict[int, dict[str, str]] = {}
        if extras:
            (size,) = _LENGTH.unpack_from(view, place)
            place += _LENGTH.size
            headers = read_headers(view[place : place + size], count)
            place += size
        if not 0 < count <= JOBS_LIMIT:
            raise ProtocolError(f"a batch of {count:,}")
        lengths = struct.unpack_from(f"!{count}I", view, place)
    except struct.error as error:
        raise ProtocolError("a batch that is cut short") from error
    payload = view[place + 4 * count :]
    if apart is not None and not payload:
        payload = apart
    offsets = Offsets(lengths)
    if offsets[count] != len(payload):
        raise ProtocolError("a batch whose lengths do not add up")
    return Load(offsets, payload, headers, max(lengths))


def unpack_batch(frames: Sequence[bytes | memoryview]) -> Batch:
    """Read a batch; nothing of it is decoded yet.

    Raises:
        ProtocolError: it is none.
    """
    view = memoryview(frames[0])
    try:
        place = 1 + view[0]
        queue = read_name(str(view[1:place], "utf-8"))
        origin, first, count, attempt, flags, backlog, held = _FIXED.unpack_from(view, place)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ProtocolError("a batch that is cut short") from error
    place += _FIXED.size
    pusher = bytes(view[place : place + ID_BYTES]) if flags & _PUSHER else b""
    place += len(pusher)
    terms = NO_TERMS
    if flags & _TERMS:
        terms = _read_terms(view, place)
        place += _BOUNDS.size
    load = read_load(view, place, count, extras=bool(flags & _EXTRAS))
    buffers = tuple(frames[1:])
    if not 0 < first < NUMBERS - count or not attempt or flags & ~_ALL:
        raise ProtocolError("a batch with fields that are none")
    if (flags & _ALONE and count != 1) or (flags & _PUSHER and len(pusher) != ID_BYTES):
        raise ProtocolError("a batch with fields that are none")
    if bool(buffers) != bool(flags & _BUFFERS) or (buffers and count != 1 and len(buffers) != count):
        raise ProtocolError("a batch with fields that are none")
    if not 0.0 <= held < 1e9:
        raise ProtocolError("a batch with an age that is none")
    total = len(load.payload) + sum(map(len, buffers))
    return Batch(
        queue,
        origin,
        first,
        count,
        attempt,
        backlog,
        held,
        load.offsets,
        load.payload,
        load.headers,
        buffers,
        total,
        load.longest,
        bool(flags & _ALONE),
        pusher,
        terms,
        view[place:] if load.headers else view[len(view) - 4 * count - len(load.payload) :],
    )


def _read_terms(view: memoryview, place: int) -> Terms:
    try:
        lease, ttl, priority = _BOUNDS.unpack_from(view, place)
    except struct.error as error:
        raise ProtocolError("a batch that is cut short") from error
    if not lease < 2e9 or not ttl < 2e9 or priority >= PRIORITIES:  # nor is NaN below anything
        raise ProtocolError("a batch with terms that are none")
    return Terms(None if lease < 0 else lease, None if ttl < 0 else ttl, priority)


def peek_batch(frame: bytes | memoryview) -> tuple[str, int]:
    """Return the queue of a batch and how many jobs are in it, out of a first frame that was read well before."""
    place = 1 + frame[0]
    return str(frame[1:place], "utf-8"), _FIXED.unpack_from(frame, place)[2]
