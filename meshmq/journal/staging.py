"""The outbox pattern: a push as part of a user's own transaction, in the user's own SQLite database."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Unpack

from meshmq.codecs.msgpack import MsgpackCodec
from meshmq.core.records import Staged
from meshmq.errors import ConfigError, EncodeError
from meshmq.fate import Fate, FateOptions, check_moment, check_wait
from meshmq.journal.base import Connection
from meshmq.journal.rows import staged_row
from meshmq.journal.tables import STAGE, STAGED
from meshmq.names import check_name
from meshmq.wire.batches import check_headers


def stage(
    connection: Connection,
    queue: str,
    data: object,
    *,
    headers: Mapping[str, str] | None = None,
    to: str | None = None,
    key: str | None = None,
    unique: str | None = None,
    delay: float | None = None,
    at: float | datetime | None = None,
    **fate: Unpack[FateOptions],
) -> None:
    """Push within the transaction of ``connection``: the job is there if and only if that is committed.

    The database is, or becomes, the file of a node's journal; that node pushes what is committed, at once if it
    runs and when it starts if not. Nothing else of MeshMQ needs to run here. The job is durable.

    Raises:
        NameInvalid: the queue's name cannot be one.
        ConfigError: an option has a value that cannot be used.
        EncodeError: ``data`` or ``headers`` would not come back equal.
    """
    if fate.get("durable") is False:
        raise ConfigError("durable=False: a staged job is in the journal, and so it is durable")
    now = time.time()
    body, buffers = MsgpackCodec().encode(data)
    try:
        texts = check_headers(headers)
    except ValueError as error:
        raise EncodeError(str(error), "headers") from error
    whole = replace(Fate(**fate), durable=True)
    job = Staged(
        0, check_name("queue", queue), body, now, buffers, texts, whole, None if to is None else check_name("node", to),
        _text("key", key), _text("unique", unique), _due(now, delay, at),
    )  # fmt: skip
    connection.execute(STAGED, ())
    connection.execute(STAGE, staged_row(job))


def _due(now: float, delay: float | None, at: float | datetime | None) -> float | None:
    if delay is not None and at is not None:
        raise ConfigError("delay= and at= say the same: give one of them")
    if delay is not None:
        return now + check_wait("delay", delay)
    if isinstance(at, datetime):
        if at.tzinfo is None:
            raise ConfigError(f"at={at!r}: it has no zone, as datetime.now(timezone.utc) has")
        return at.timestamp()
    return None if at is None else check_moment(at)


def _text(name: str, value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{name}={value!r}: it is a text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ConfigError(f"{name}={value!r}: it holds half a surrogate pair, which UTF-8 cannot") from error
    return str.__str__(value)
