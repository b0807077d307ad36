"""A batch of jobs that goes out again: older by then than it says, and with less time left."""

from __future__ import annotations

from collections.abc import Sequence

from meshmq.wire.batches import NO_TERMS, pack_batch, pack_onward, unpack_batch
from meshmq.wire.row import Row


def aged(frames: Sequence[bytes], seconds: float) -> list[bytes]:
    """Return the frames of the same batch, so much later."""
    batch = unpack_batch(frames)
    held = batch.held + seconds
    if batch.pusher:
        return pack_onward(batch, 0, batch.count, pusher=batch.pusher, backlog=batch.backlog, held=held)
    left = batch.terms.ttl
    terms = batch.terms._replace(ttl=None if left is None else max(0.0, left - seconds))
    return pack_batch(
        batch.queue,
        batch.origin,
        batch.first,
        Row.of([bytes(batch.body(index)) for index in range(batch.count)]),
        attempt=batch.attempt,
        backlog=batch.backlog,
        held=held,
        headers=batch.headers,
        buffers=batch.buffers,
        alone=batch.alone,
        terms=None if batch.terms is NO_TERMS else terms,
    )
