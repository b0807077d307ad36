"""Jobs, letters and messages as rows of a table, and back: nothing that is read is trusted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields
from functools import lru_cache
from typing import Any, Final

from meshmq.codecs.base import Buffer
from meshmq.codecs.msgpack import pack_plain, unpack_plain
from meshmq.core.records import Letter, PushedJob, Staged, StoredJob, StoredMessage
from meshmq.errors import ConfigError, DecodeError
from meshmq.fate import ORDINARY, Fate
from meshmq.names import check_name, check_queue
from meshmq.wire.batches import ID_BYTES
from meshmq.wire.headers import Headers, check_headers

#: What SQL takes for a value.
Value = None | int | float | str | bytes

#: What a job and a staged row have in common, in the order of both tables.
SHARED: Final = (
    "queue", "body", "buffers", "headers", "fate", "target", "job_key", "job_unique", "pushed", "due",
)  # fmt: skip
JOB: Final = ("origin", "number", *SHARED, "failures", "died", "reason", "taken")
MESSAGE: Final = ("topic", "epoch", "seq", "body", "buffers", "headers", "published")

_HIGHEST: Final = 2**63 - 1
_LARGEST: Final = 2**31  # bytes of all buffers of one value; what it may have is checked where it was pushed


def job_row(job: StoredJob, died: float | None = None, reason: str | None = None) -> tuple[Value, ...]:
    """Return a job, or with ``died`` a dead letter, as a row.

    Raises:
        EncodeError: its headers are none.
        ConfigError: its number is none.
    """
    if not 0 <= job.number <= _HIGHEST:
        raise ConfigError(f"a job with the number {job.number}")
    return job.origin, job.number, *_shared(job), job.failures, died, reason, int(job.taken)


def staged_row(job: Staged) -> tuple[Value, ...]:
    """Return a staged job as a row, without its number."""
    return _shared(job)


def _shared(job: PushedJob) -> tuple[Value, ...]:
    return (
        job.queue,
        job.body,
        _pack_buffers(job.buffers),
        _pack_headers(job.headers),
        _pack_fate(job.fate),
        job.to,
        job.key,
        job.unique,
        job.pushed,
        job.due,
    )


def message_row(message: StoredMessage) -> tuple[Value, ...]:
    """Return a published message as a row."""
    return (
        message.topic,
        message.epoch,
        message.seq,
        message.body,
        _pack_buffers(message.buffers),
        _pack_headers(message.headers),
        message.published,
    )


def read_job(row: Sequence[Any]) -> StoredJob | Letter:
    """Return the job or letter of a row, which begins with its place.

    Raises:
        DecodeError: it is none.
    """
    _, origin, number, *shared, failures, died, reason, taken = row
    if type(origin) is not bytes or len(origin) != ID_BYTES or type(number) is not int or number < 0:
        raise DecodeError("its id is none")
    if type(failures) is not int or failures < 0:
        raise DecodeError("its number of failures is none")
    job = StoredJob(origin=origin, number=number, failures=failures, taken=taken == 1, **_read_shared(shared))
    if died is None:
        return job
    return Letter(job, _text("reason", reason) or "", _moment("died", died))


def read_staged(row: Sequence[Any]) -> Staged:
    """Return the staged job of a row, which begins with its number.

    Raises:
        DecodeError: it is none.
    """
    return Staged(row=row[0], **_read_shared(row[1:]))


def read_message(row: Sequence[Any]) -> StoredMessage:
    """Return the message of a row, which begins with its place.

    Raises:
        DecodeError: it is none.
    """
    _, topic, epoch, seq, body, buffers, headers, published = row
    if type(epoch) is not int or type(seq) is not int or epoch < 0 or seq < 1:
        raise DecodeError("its number is none")
    return StoredMessage(
        _name("topic", topic),
        epoch,
        seq,
        _body(body),
        _moment("published", published),
        _read_buffers(buffers),
        _read_headers(headers),
    )


def _read_shared(row: Sequence[Any]) -> dict[str, Any]:
    """Return the fields of a ``PushedJob``."""
    queue, body, buffers, headers, fate, to, key, unique, pushed, due = row
    return {
        "queue": _name("queue", queue),
        "body": _body(body),
        "buffers": _read_buffers(buffers),
        "headers": _read_headers(headers),
        "fate": ORDINARY if fate is None else _read_fate(_bytes("fate", fate)),
        "to": _text("to", to),
        "key": _text("key", key),
        "unique": _text("unique", unique),
        "pushed": _moment("pushed", pushed),
        "due": None if due is None else _moment("due", due),
    }


@lru_cache(1024)
def _name(kind: str, name: object) -> str:
    try:
        return check_queue(name) if kind == "queue" else check_name(kind, name)
    except ConfigError as error:
        raise DecodeError(str(error)) from error


def _bytes(what: str, value: object) -> bytes:
    if type(value) is not bytes:
        raise DecodeError(f"its {what} is no bytes")
    return value


def _body(body: object) -> bytes:
    return _bytes("body", body)


def _text(what: str, value: object) -> str | None:
    if value is None:
        return None
    if type(value) is not str or (not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value)):
        raise DecodeError(f"its {what} is no text")
    return value


def _moment(what: str, value: object) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):  # type: ignore[arg-type]  # it is a number now
        raise DecodeError(f"{what}={value!r} is no moment")
    return float(value)  # type: ignore[arg-type]  # it is a number


def _pack_buffers(buffers: tuple[Buffer, ...]) -> bytes | None:
    return pack_plain([bytes(buffer) for buffer in buffers]) if buffers else None


def _read_buffers(packed: object) -> tuple[bytes, ...]:
    if packed is None:
        return ()
    buffers = unpack_plain(_bytes("buffers", packed), limit=_LARGEST)
    if not isinstance(buffers, list) or not all(type(buffer) is bytes for buffer in buffers):
        raise DecodeError("its buffers are none")
    return tuple(buffers)


def _pack_headers(headers: Headers | None) -> bytes | None:
    return pack_plain(dict(headers)) if headers else None


def _read_headers(packed: object) -> Headers | None:
    return None if packed is None else check_headers(unpack_plain(_bytes("headers", packed)))


@lru_cache(256)
def _pack_fate(fate: Fate) -> bytes | None:
    said = {field.name: getattr(fate, field.name) for field in fields(fate)}
    told = {name: value for name, value in said.items() if value != getattr(ORDINARY, name)}
    if isinstance(fate.backoff, tuple):
        told["backoff"] = list(fate.backoff)
    return pack_plain(told) if told else None


@lru_cache(256)
def _read_fate(packed: bytes) -> Fate:
    told = unpack_plain(packed)
    if not isinstance(told, dict):
        raise DecodeError("its fate is none")
    if isinstance(told.get("backoff"), list):
        told["backoff"] = tuple(told["backoff"])
    try:
        return Fate(**told)
    except (TypeError, ConfigError) as error:
        raise DecodeError(f"its fate is none ({error})") from error
