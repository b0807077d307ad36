"""The outbox pattern: a push as part of a user's own transaction, in the user's own SQLite database."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Unpack

from meshmq.codecs.msgpack import MsgpackCodec
from meshmq.core.records import Staged
from meshmq.core.wants import wants_of
from meshmq.errors import ConfigError, EncodeError
from meshmq.fate import JobOptions
from meshmq.journal.base import Connection
from meshmq.journal.rows import staged_row
from meshmq.journal.tables import STAGE, STAGED
from meshmq.names import check_name
from meshmq.wire.headers import check_headers


def stage(
    connection: Connection,
    queue: str,
    data: object,
    *,
    headers: Mapping[str, str] | None = None,
    to: str | None = None,
    **options: Unpack[JobOptions],
) -> None:
    """Push within the transaction of ``connection``: the job is there if and only if that is committed.

    The database is, or becomes, the file of a node's journal; that node pushes what is committed, at once if it
    runs and when it starts if not. Nothing else of MeshMQ needs to run here. The job is durable.

    Raises:
        NameInvalid: the queue's name cannot be one.
        ConfigError: an option has a value that cannot be used.
        EncodeError: ``data`` or ``headers`` would not come back equal.
    """
    if options.get("durable") is False:
        raise ConfigError("durable=False: a staged job is in the journal, and so it is durable")
    if "unique_window" in options:
        raise ConfigError("unique_window=: of a staged job an id is taken for an hour from when the node has it")
    now = time.time()
    wants = wants_of(options, wall=now, to=to)
    body, buffers = MsgpackCodec().encode(data)
    try:
        texts = check_headers(headers)
    except ValueError as error:
        raise EncodeError(str(error), "headers") from error
    job = Staged(
        row=0,
        queue=check_name("queue", queue),
        body=body,
        pushed=now,
        buffers=buffers,
        headers=texts,
        fate=replace(wants.fate, durable=True),
        to=None if to is None else check_name("node", to),
        key=wants.key,
        unique=wants.unique,
        due=now + wants.delay if wants.delay else None,
    )
    connection.execute(STAGED, ())
    connection.execute(STAGE, staged_row(job))
