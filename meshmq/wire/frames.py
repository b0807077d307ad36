"""The frames of the direct link: one head for all, a body for each kind.

A message on a direct link is one ZeroMQ message. Its first frame starts with the head::

    head  = magic "MQ" · version u8 · kind u8 · number u64 · received u64      (20 bytes, big-endian)

``number`` counts the sender's frames of this session from 1 (0: not numbered), ``received`` is the
highest number the sender has received. The rest of the first frame is the body; only values with
large buffers add frames. PROTOCOL.md beside this file is the specification.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from meshmq.codecs.msgpack import pack_plain, unpack_plain
from meshmq.errors import DecodeError, ProtocolError

MAGIC: Final = b"MQ"
VERSION: Final = 1
LOWEST: Final = 1

_HEAD: Final = struct.Struct("!2sBBQQ")
HEAD_BYTES: Final = _HEAD.size
_CHUNK: Final = struct.Struct("!QQQ")
_LENGTH: Final = struct.Struct("!I")

#: The most bytes of one chunk of a large message, and of one batch.
CHUNK_BYTES: Final = 256 * 1024
BODY_LIMIT: Final = 64 * 1024


class Kind(IntEnum):
    """What a frame of the direct link is."""

    HELLO = 1
    BYE = 2
    PING = 3
    COVER = 4
    CARD = 16
    OFFER = 17
    GRANT = 18
    JOBS = 19
    ACKS = 20
    SETTLE = 21
    CHUNK = 22


#: Kinds that carry a number and are kept until covered.
NUMBERED: Final = frozenset(kind for kind in Kind if kind >= Kind.CARD)
_KINDS: Final = {int(kind): kind for kind in Kind}


def pack_head(kind: Kind, number: int, received: int) -> bytes:
    """Return the 20 bytes every message of a direct link starts with."""
    return _HEAD.pack(MAGIC, VERSION, kind, number, received)


def unpack_head(frame: bytes) -> tuple[Kind, int, int]:
    """Return ``(kind, number, received)``.

    Raises:
        VersionMismatch: the frame is of MeshMQ, in a version we do not speak.
        ProtocolError: the frame is not of MeshMQ.
    """
    if len(frame) < HEAD_BYTES or frame[:2] != MAGIC:
        raise ProtocolError("the frame does not start as a MeshMQ frame does")
    _, version, code, number, received = _HEAD.unpack_from(frame)
    if version != VERSION:
        raise VersionMismatch(version)
    kind = _KINDS.get(code)
    if kind is None:
        raise ProtocolError(f"there is no frame of kind {code}")
    if (number > 0) != (kind in NUMBERED):
        raise ProtocolError(f"a frame of kind {kind.name} carries the number {number}")
    return kind, number, received


class VersionMismatch(ProtocolError):
    """The other end speaks a protocol version that we do not."""

    def __init__(self, version: int) -> None:
        super().__init__(f"it speaks protocol version {version} and we speak {VERSION}")
        self.version = version


@dataclass(frozen=True, slots=True)
class Hello:
    """The first frame each way on a connection."""

    node_id: bytes
    name: str
    mesh: str
    session: bytes
    epoch: int
    resumed: bool


def pack_hello(hello: Hello) -> bytes:
    """Return the body of a HELLO."""
    return pack_plain([hello.node_id, hello.name, hello.mesh, hello.session, hello.epoch, hello.resumed])


def unpack_hello(body: bytes) -> Hello:
    """Read the body of a HELLO.

    Raises:
        ProtocolError: it is none.
    """
    node_id, name, mesh, session, epoch, resumed = _fields(body, bytes, str, str, bytes, int, bool)
    if len(node_id) != 16 or len(session) != 8 or epoch < 0 or max(len(name), len(mesh)) > 200:
        raise ProtocolError("a HELLO with fields of impossible size")
    return Hello(node_id, name, mesh, session, epoch, resumed)


def pack_bye(reason: str, epoch: int = 0) -> bytes:
    """Return the body of a BYE: ``left``, ``unknown``, ``crossed``, ``mesh``, ``version`` or ``busy``."""
    return pack_plain([reason, epoch])


def unpack_bye(body: bytes) -> tuple[str, int]:
    """Read the body of a BYE.

    Raises:
        ProtocolError: it is none.
    """
    reason, epoch = _fields(body, str, int)
    return reason[:40], max(0, epoch)


def pack_offer(queue: str, backlog: int) -> bytes:
    """Return the body of an OFFER: the pusher's backlog (jobs) for a queue."""
    return pack_plain([queue, backlog])


def unpack_offer(body: bytes) -> tuple[str, int]:
    """Read the body of an OFFER.

    Raises:
        ProtocolError: it is none.
    """
    queue, backlog = _fields(body, str, int)
    return _name(queue), max(0, backlog)


def pack_grant(queue: str, jobs: int, size: int) -> bytes:
    """Return the body of a GRANT: absolute limits in jobs and bytes of this queue and session."""
    return pack_plain([queue, jobs, size])


def unpack_grant(body: bytes) -> tuple[str, int, int]:
    """Read the body of a GRANT.

    Raises:
        ProtocolError: it is none.
    """
    queue, jobs, size = _fields(body, str, int, int)
    if jobs < 0 or size < 0:
        raise ProtocolError("a GRANT below zero")
    return _name(queue), jobs, size


#: Number ranges of one origin, both ends included.
Ranges = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Acks:
    """What a worker has done, for one queue: per origin the last job begun and ranges done."""

    queue: str
    jobs: int
    size: int
    done: tuple[tuple[bytes, int, tuple[tuple[int, int], ...]], ...]


def pack_acks(queue: str, jobs: int, size: int, done: Iterable[tuple[bytes, int, Ranges]]) -> bytes:
    """Return the body of an ACKS; ``jobs`` and ``size`` are the limits a GRANT would carry."""
    groups = [[origin, begun, [edge for pair in ranges for edge in pair]] for origin, begun, ranges in done]
    return pack_plain([queue, jobs, size, groups])


def unpack_acks(body: bytes) -> Acks:
    """Read the body of an ACKS.

    Raises:
        ProtocolError: it is none.
    """
    queue, jobs, size, groups = _fields(body, str, int, int, list)
    done = []
    for group in groups:
        if not isinstance(group, list) or len(group) != 3:
            raise ProtocolError("an ACKS with a group that is none")
        origin, begun, edges = group
        if not isinstance(origin, bytes) or len(origin) != 16 or not isinstance(begun, int):
            raise ProtocolError("an ACKS with an origin that is none")
        done.append((origin, begun, _ranges(edges)))
    return Acks(_name(queue), jobs, size, tuple(done))


class Verdict(IntEnum):
    """What a worker says of jobs that it does not acknowledge."""

    RETURNED = 0  # fetched and never begun
    LEFT = 1  # begun, and left without a word
    REFUSED = 2  # nack, or the handler raised
    UNREADABLE = 3  # the data cannot be decoded here


def pack_settle(queue: str, verdict: Verdict, origin: bytes, ranges: Ranges, delay: float | None = None) -> bytes:
    """Return the body of a SETTLE; ``delay`` is the pause in seconds a nack asks for."""
    return pack_plain([queue, int(verdict), origin, [edge for pair in ranges for edge in pair], delay])


def unpack_settle(body: bytes) -> tuple[str, Verdict, bytes, tuple[tuple[int, int], ...], float | None]:
    """Read the body of a SETTLE.

    Raises:
        ProtocolError: it is none.
    """
    queue, verdict, origin, edges, delay = _fields(body, str, int, bytes, list, (float, int, type(None)))
    if len(origin) != 16 or verdict not in Verdict.__members__.values():
        raise ProtocolError("a SETTLE with fields that are none")
    pause = None if delay is None else min(max(0.0, float(delay)), 86_400.0 * 365)
    return _name(queue), Verdict(verdict), origin, _ranges(edges), pause


def pack_chunk(transfer: int, offset: int, total: int) -> bytes:
    """Return what stands before the bytes of one chunk."""
    return _CHUNK.pack(transfer, offset, total)


def unpack_chunk(body: memoryview) -> tuple[int, int, int, memoryview]:
    """Return ``(transfer, offset, total, bytes)`` of a CHUNK.

    Raises:
        ProtocolError: it is none.
    """
    if len(body) <= _CHUNK.size:
        raise ProtocolError("a CHUNK without bytes")
    transfer, offset, total = _CHUNK.unpack_from(body)
    data = body[_CHUNK.size :]
    if offset + len(data) > total:
        raise ProtocolError("a CHUNK beyond its own end")
    return transfer, offset, total, data


def join_message(kind: Kind, frames: Sequence[bytes]) -> bytes:
    """Return a whole message as one run of bytes, to be cut into chunks."""
    parts: list[bytes] = [bytes((kind,))]
    for frame in frames:
        parts += (_LENGTH.pack(len(frame)), frame)
    return b"".join(parts)


def split_message(whole: bytes | bytearray) -> tuple[Kind, list[bytes]]:
    """Undo ``join_message``.

    Raises:
        ProtocolError: the bytes are none.
    """
    kind = _KINDS.get(whole[0]) if whole else None
    if kind is None or kind not in NUMBERED or kind is Kind.CHUNK:
        raise ProtocolError("a chunked message of a kind that is none")
    frames: list[bytes] = []
    view, place = memoryview(whole), 1
    while place < len(view):
        if place + _LENGTH.size > len(view):
            raise ProtocolError("a chunked message that is cut short")
        (size,) = _LENGTH.unpack_from(view, place)
        place += _LENGTH.size
        if place + size > len(view):
            raise ProtocolError("a chunked message that is cut short")
        frames.append(bytes(view[place : place + size]))
        place += size
    if not frames:
        raise ProtocolError("a chunked message without frames")
    return kind, frames


def _fields(body: bytes | memoryview, *types: type | tuple[type, ...]) -> list:  # type: ignore[type-arg]  # mixed by nature
    try:
        values = unpack_plain(body, limit=BODY_LIMIT)
    except DecodeError as error:
        raise ProtocolError(str(error)) from error
    if not isinstance(values, list) or len(values) < len(types):
        raise ProtocolError("a body with too few fields")
    for value, wanted in zip(values, types, strict=False):
        allowed = wanted if isinstance(wanted, tuple) else (wanted,)
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
            raise ProtocolError("a body with a field of the wrong type")
    return values[: len(types)]


def _ranges(edges: object) -> tuple[tuple[int, int], ...]:
    if not isinstance(edges, list) or len(edges) % 2 or not all(type(edge) is int and edge >= 0 for edge in edges):
        raise ProtocolError("ranges that are none")
    pairs = tuple(zip(edges[::2], edges[1::2], strict=True))
    if any(first > last for first, last in pairs):
        raise ProtocolError("a range that ends before it starts")
    return pairs


def _name(queue: str) -> str:
    if not 0 < len(queue) <= 200:
        raise ProtocolError("a name of impossible size")
    return queue
