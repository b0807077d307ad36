"""Requests and their answers, as they stand in the frames of a session.

::

    REQUEST, ANSWER = length u32 · fields · value        (further frames are the buffers of the value)
    CANCEL, DEMAND  = fields

Fields are MessagePack arrays; PROTOCOL.md has the table. An id is 16 random bytes, made up by the
caller, the same in every attempt. Every request that arrives gets exactly one answer that is final.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from meshmq.codecs.base import Buffer
from meshmq.codecs.msgpack import pack_known, pack_plain
from meshmq.errors import DecodeError, ProtocolError
from meshmq.wire.fields import read_fields, read_name
from meshmq.wire.headers import Headers, check_headers

ID_BYTES: Final = 16
#: The longest time that a request may be given; what has longer is given as long as it takes.
LEFT_LIMIT: Final = 1e9
#: The most bytes of UTF-8 in the parts of a failure.
KIND_BYTES: Final = 200
MESSAGE_BYTES: Final = 16 * 1024
TRACEBACK_BYTES: Final = 32 * 1024
_CUT: Final = "\n[...]\n"
_WORD: Final = re.compile(r"[a-z][a-z -]{0,39}")
_LENGTH: Final = struct.Struct("!I")
_IDEMPOTENT: Final = 1
_STREAM: Final = 2
_SENT_ON: Final = 4
_REQUEST: Final = (bytes, str, (float, int, type(None)), int, int, int, (dict, type(None)))


class Status(IntEnum):
    """What an answer is."""

    DONE = 0  # the value is what the handler returned
    FAILED = 1  # the value says what went wrong
    ITEM = 2  # the value is one of a stream, and not final
    END = 3  # the stream is over
    REFUSED = 4  # never run here: another server may be asked safely
    DROPPED = 5  # cancelled or too late, here or before it was begun
    LOST = 6  # a device has lost the server that had it: it may have run


_STATUSES: Final = {int(status): status for status in Status}


# What is made for each call is not frozen, though nobody changes it: to make it frozen takes ten times as long, 3.7 us
# of a Request.
@dataclass(slots=True, eq=False)
class Value:
    """An encoded value: its body, and large buffers that it refers to."""

    body: bytes | memoryview
    buffers: tuple[Buffer, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of both."""
        return len(self.body) + sum(map(len, self.buffers))


@dataclass(slots=True, eq=False)
class Request:
    """What is asked. ``left`` is for how many seconds the caller waits still, ``demand`` how many items it takes."""

    id: bytes
    service: str
    value: Value
    left: float | None = None
    idempotent: bool = False
    stream: bool = False
    attempt: int = 1
    demand: int = 0
    headers: Headers | None = None
    #: Where a device sends it on: who asks, and for how many seconds it has been on its way.
    caller: bytes = b""
    held: float = 0.0


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong in a handler: the name of the exception's class, its text, its stack and the node it was on."""

    kind: str
    message: str
    traceback: str
    node: str


@dataclass(slots=True, eq=False)
class Answer:
    """What became of a request; ``number`` counts the items of a stream from 1, ``word`` says why nothing was run."""

    id: bytes
    status: Status
    value: Value
    number: int = 0
    word: str = ""
    failure: Failure | None = None
    #: The name of the server that a device has lost, and why.
    loss: tuple[str, str] | None = None


_NOTHING: Final = Value(b"")


def pack_request(request: Request) -> list[bytes]:
    """Return the frames of a REQUEST, without the head."""
    flags = (_IDEMPOTENT if request.idempotent else 0) | (_STREAM if request.stream else 0)
    flags |= _SENT_ON if request.caller else 0
    left = None if request.left is None else min(max(0.0, float(request.left)), LEFT_LIMIT)
    headers = dict(request.headers) if request.headers else None
    fields: list[object] = [request.id, request.service, left, flags, request.attempt, request.demand, headers]
    if request.caller:
        fields += [request.caller, request.held]
    return _frames(fields, request.value)


def unpack_request(frames: Sequence[bytes]) -> Request:
    """Read a REQUEST; its value is not decoded yet.

    Raises:
        ProtocolError: it is none.
    """
    fields, value = _parts(frames)
    call, service, left, flags, attempt, demand, headers = read_fields(fields, *_REQUEST)
    if left is not None and not 0 <= left <= LEFT_LIMIT:  # NaN neither
        raise ProtocolError("a REQUEST with a time left that is none")
    caller, held = b"", 0.0
    if flags & _SENT_ON:
        *_, caller, held = read_fields(fields, *_REQUEST, bytes, float)
    if flags & ~(_IDEMPOTENT | _STREAM | _SENT_ON) or attempt < 1 or not 0 <= held <= LEFT_LIMIT:
        raise ProtocolError("a REQUEST with fields that are none")
    try:
        texts = None if headers is None else check_headers(headers)
    except DecodeError as error:
        raise ProtocolError(str(error)) from error
    return Request(
        _id(call),
        read_name(service),
        value,
        None if left is None else float(left),
        bool(flags & _IDEMPOTENT),
        bool(flags & _STREAM),
        attempt,
        demand,
        texts,
        _id(caller) if caller or flags & _SENT_ON else b"",
        held,
    )


def pack_answer(
    call: bytes, status: Status, value: Value = _NOTHING, *, number: int = 0, word: str = ""
) -> list[bytes]:
    """Return the frames of an ANSWER, without the head; ``word`` is one to 40 of a-z, space and ``-``."""
    return _frames([call, int(status), number, word], value)


def pack_failure(failure: Failure) -> Value:
    """Return the value of an ANSWER of status FAILED; what is too long is cut in the middle."""
    texts = (failure.kind, failure.message, failure.traceback, failure.node)
    limits = (KIND_BYTES, MESSAGE_BYTES, TRACEBACK_BYTES, KIND_BYTES)
    return Value(pack_plain([_cut(text, most) for text, most in zip(texts, limits, strict=True)]))


def pack_loss(call: bytes, name: str, reason: str) -> list[bytes]:
    """Return the frames of an ANSWER of a device that has lost the server with this name."""
    return pack_answer(call, Status.LOST, Value(pack_plain([_cut(name, KIND_BYTES), _cut(reason, MESSAGE_BYTES)])))


def unpack_answer(frames: Sequence[bytes]) -> Answer:
    """Read an ANSWER; its value is not decoded yet, except that of a failure.

    Raises:
        ProtocolError: it is none.
    """
    fields, value = _parts(frames)
    call, status, number, word = read_fields(fields, bytes, int, int, str)
    found = _STATUSES.get(status)
    if found is None or (word and _WORD.fullmatch(word) is None):
        raise ProtocolError("an ANSWER with fields that are none")
    failure = None
    if found is Status.FAILED:
        failure = Failure(*read_fields(value.body, str, str, str, str))
    loss = None
    if found is Status.LOST:
        name, reason = read_fields(value.body, str, str)
        loss = name, reason
    return Answer(_id(call), found, value, number, word, failure, loss)


def pack_cancel(call: bytes) -> bytes:
    """Return the body of a CANCEL."""
    return pack_plain([call])


def unpack_cancel(body: bytes) -> bytes:
    """Read the body of a CANCEL: the id of the request.

    Raises:
        ProtocolError: it is none.
    """
    (call,) = read_fields(body, bytes)
    return _id(call)


def pack_demand(call: bytes, items: int) -> bytes:
    """Return the body of a DEMAND: how many items of a stream may be sent, from its beginning on."""
    return pack_plain([call, items])


def unpack_demand(body: bytes) -> tuple[bytes, int]:
    """Read the body of a DEMAND.

    Raises:
        ProtocolError: it is none.
    """
    call, items = read_fields(body, bytes, int)
    return _id(call), items


def _frames(fields: list[object], value: Value) -> list[bytes]:
    packed = pack_known(fields)
    frames: list[Any] = [b"".join((_LENGTH.pack(len(packed)), packed, value.body)), *value.buffers]
    return frames


def _parts(frames: Sequence[bytes]) -> tuple[memoryview, Value]:
    view = memoryview(frames[0])
    if len(view) < _LENGTH.size:
        raise ProtocolError("a request or answer that is cut short")
    (size,) = _LENGTH.unpack_from(view)
    end = _LENGTH.size + size
    if len(view) < end:
        raise ProtocolError("a request or answer that is cut short")
    return view[_LENGTH.size : end], Value(view[end:], tuple(frames[1:]))


def _id(call: bytes) -> bytes:
    if len(call) != ID_BYTES:
        raise ProtocolError("a call with an id that is none")
    return call


def _cut(text: str, most: int) -> str:
    """Return a text as UTF-8 can hold it, of at most so many bytes."""
    # What one character becomes at most is 10 bytes: far more than is kept is not even encoded.
    if len(text) > 2 * most:
        text = text[:most] + _CUT + text[-most:]
    whole = text.encode("utf-8", "backslashreplace")
    if len(whole) <= most:
        return whole.decode()
    half = (most - len(_CUT)) // 2
    return whole[:half].decode(errors="ignore") + _CUT + whole[-half:].decode(errors="ignore")
