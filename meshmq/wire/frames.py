"""The frames of the direct link: one head for all, a body for each kind.

A message on a direct link is one ZeroMQ message. Its first frame starts with the head::

    head  = magic "MQ" · version u8 · kind u8 · number u64 · received u64      (20 bytes, big-endian)

``number`` counts the sender's frames of this session from 1 (0: not numbered), ``received`` is the
highest number the sender has received. The rest of the first frame is the body; only values with
large buffers add frames. PROTOCOL.md beside this file is the specification.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from meshmq.codecs.msgpack import pack_plain
from meshmq.errors import ProtocolError
from meshmq.wire.fields import NUMBERS, RANGES_LIMIT, Ranges, flat, read_fields, read_name, read_ranges

MAGIC: Final = b"MQ"
VERSION: Final = 2
LOWEST: Final = 2

_HEAD: Final = struct.Struct("!2sBBQQ")
HEAD_BYTES: Final = _HEAD.size

GROUPS_LIMIT: Final = 1_000
#: Epochs count the sessions of a pair, and dials its connections; nobody gets near.
EPOCHS: Final = 2**32
_REASON: Final = re.compile(r"[a-z][a-z -]{0,39}")


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
    SUBSCRIBE = 23
    UNSUBSCRIBE = 24
    HEADS = 25
    SEEN = 26
    FETCH = 27
    NEWS = 28
    FETCHED = 29
    REQUEST = 30
    ANSWER = 31
    CANCEL = 32
    DEMAND = 33
    RECEIPT = 34
    BUNDLE = 35


#: Kinds that carry a number and are kept until covered.
NUMBERED: Final = frozenset(kind for kind in Kind if kind >= Kind.CARD)
KINDS: Final = {int(kind): kind for kind in Kind}


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
    kind = KINDS.get(code)
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
    #: How often the sender has dialled this peer until now; 0 where it does not count.
    dial: int = 0


def pack_hello(hello: Hello) -> bytes:
    """Return the body of a HELLO."""
    fields = [hello.node_id, hello.name, hello.mesh, hello.session, hello.epoch, hello.resumed]
    return pack_plain([*fields, hello.dial] if hello.dial else fields)


def unpack_hello(body: bytes) -> Hello:
    """Read the body of a HELLO.

    Raises:
        ProtocolError: it is none.
    """
    node_id, name, mesh, session, epoch, resumed, dial = read_fields(
        body, bytes, str, str, bytes, int, bool, later=(int,)
    )
    if len(node_id) != 16 or len(session) != 8 or epoch >= EPOCHS or not 0 <= dial < EPOCHS:
        raise ProtocolError("a HELLO with fields of impossible size")
    return Hello(node_id, read_name(name), read_name(mesh), session, epoch, resumed, dial)


def pack_bye(reason: str, epoch: int = 0) -> bytes:
    """Return the body of a BYE.

    The reason is ``left``, ``unknown``, ``crossed``, ``mesh``, ``busy``, ``protocol`` or ``slow``.
    """
    return pack_plain([reason, epoch])


def unpack_bye(body: bytes) -> tuple[str, int]:
    """Read the body of a BYE.

    Raises:
        ProtocolError: it is none.
    """
    reason, epoch = read_fields(body, str, int)
    if _REASON.fullmatch(reason) is None or epoch >= EPOCHS:
        raise ProtocolError("a BYE with fields that are none")
    return reason, epoch


def pack_offer(queue: str, backlog: int) -> bytes:
    """Return the body of an OFFER: the pusher's backlog (jobs) for a queue."""
    return pack_plain([queue, backlog])


def unpack_offer(body: bytes) -> tuple[str, int]:
    """Read the body of an OFFER.

    Raises:
        ProtocolError: it is none.
    """
    queue, backlog = read_fields(body, str, int)
    return read_name(queue), backlog


def pack_grant(queue: str, jobs: int, size: int) -> bytes:
    """Return the body of a GRANT: absolute limits in jobs and bytes of this queue and session."""
    return pack_plain([queue, jobs, size])


def unpack_grant(body: bytes) -> tuple[str, int, int]:
    """Read the body of a GRANT.

    Raises:
        ProtocolError: it is none.
    """
    queue, jobs, size = read_fields(body, str, int, int)
    return read_name(queue), jobs, size


@dataclass(frozen=True, slots=True)
class Acks:
    """What a worker has done, for one queue: per origin the last job begun and ranges done."""

    queue: str
    jobs: int
    size: int
    done: tuple[tuple[bytes, int, tuple[tuple[int, int], ...]], ...]


def pack_acks(queue: str, jobs: int, size: int, done: Iterable[tuple[bytes, int, Ranges]]) -> list[bytes]:
    """Return bodies of ACKS, mostly one; ``jobs`` and ``size`` are the limits a GRANT would carry."""
    bodies: list[bytes] = []
    groups: list[list[object]] = []
    room = RANGES_LIMIT
    for origin, begun, ranges in done:
        for start in range(0, max(1, len(ranges)), RANGES_LIMIT):
            part = ranges[start : start + RANGES_LIMIT]
            if len(part) > room or len(groups) == GROUPS_LIMIT:
                bodies.append(pack_plain([queue, jobs, size, groups]))
                groups, room = [], RANGES_LIMIT
            groups.append([origin, begun, flat(part)])
            room -= len(part)
    if groups:
        bodies.append(pack_plain([queue, jobs, size, groups]))
    return bodies


def unpack_acks(body: bytes) -> Acks:
    """Read the body of an ACKS.

    Raises:
        ProtocolError: it is none.
    """
    queue, jobs, size, groups = read_fields(body, str, int, int, list)
    if len(groups) > GROUPS_LIMIT:
        raise ProtocolError("an ACKS with too many groups")
    done = []
    count = 0
    for group in groups:
        if type(group) is not list or len(group) < 3:
            raise ProtocolError("an ACKS with a group that is none")
        origin, begun, edges = group[:3]
        if type(origin) is not bytes or len(origin) != 16 or type(begun) is not int or not -1 <= begun < NUMBERS:
            raise ProtocolError("an ACKS with a group that is none")
        ranges = read_ranges(edges)
        count += len(ranges)
        if count > RANGES_LIMIT:
            raise ProtocolError("an ACKS with too many ranges")
        done.append((origin, begun, ranges))
    return Acks(read_name(queue), jobs, size, tuple(done))


def pack_receipt(queue: str, worker: bytes, origin: bytes, ranges: Ranges) -> bytes:
    """Return the body of a RECEIPT: a device says which worker has these jobs."""
    return pack_plain([queue, worker, origin, flat(ranges)])


def unpack_receipt(body: bytes) -> tuple[str, bytes, bytes, tuple[tuple[int, int], ...]]:
    """Read the body of a RECEIPT.

    Raises:
        ProtocolError: it is none.
    """
    queue, worker, origin, edges = read_fields(body, str, bytes, bytes, list)
    if len(worker) != 16 or len(origin) != 16:
        raise ProtocolError("a RECEIPT with fields of impossible size")
    return read_name(queue), worker, origin, read_ranges(edges)
