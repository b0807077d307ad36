"""Good frames after a bad line: what can still be read is read, all else is a ``ProtocolError``, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Final

from meshmq.codecs.msgpack import MsgpackCodec
from meshmq.errors import DecodeError, ProtocolError
from meshmq.wire.batches import unpack_batch
from meshmq.wire.card import read_card, read_own_string, read_peers, read_stamp, unpack_body
from meshmq.wire.chunks import split_message, unpack_chunk
from meshmq.wire.frames import (
    HEAD_BYTES,
    unpack_acks,
    unpack_bye,
    unpack_grant,
    unpack_head,
    unpack_hello,
    unpack_offer,
    unpack_receipt,
)
from meshmq.wire.verdicts import unpack_settle
from tests.memory import resident
from tests.scale import scale
from tests.wire.golden_frames import FRAMES
from tests.wire.golden_values import VALUES
from tests.wire.strategies import mutated


def word(body: bytes) -> None:
    _, fields = unpack_body(body)
    read_stamp(fields)
    for read in (read_card, read_peers):
        with suppress(ProtocolError):
            read(fields)


BODIES: Final[dict[str, Callable[[bytes], object]]] = {
    "hello": unpack_hello,
    "hello_dialled": unpack_hello,
    "bye": unpack_bye,
    "offer": unpack_offer,
    "grant": unpack_grant,
    "acks": unpack_acks,
    "acks_of_nothing_begun": unpack_acks,
    "settle": unpack_settle,
    "settle_returned": unpack_settle,
    "settle_with_reason": unpack_settle,
    "receipt": unpack_receipt,
    "session_card": word,
    "jobs": lambda body: unpack_batch([body]),
    "jobs_with_headers": lambda body: unpack_batch([body]),
    "jobs_with_a_buffer": lambda body: unpack_batch([body, body]),
    "jobs_with_a_buffer_each": lambda body: unpack_batch([body, body, body, body]),
    "chunk": lambda body: unpack_chunk(memoryview(body)),
}
WHOLE: Final[dict[str, Callable[[bytes], object]]] = {
    "own_string": read_own_string,
    "beat": word,
    "peers": word,
    "control_ping": word,
}
#: What is mutated, and who reads it.
READERS: Final = [
    *((FRAMES[name].ours, unpack_head) for name in BODIES),
    *((FRAMES[name].ours[HEAD_BYTES:], read) for name, read in BODIES.items()),
    *((FRAMES[name].ours, read) for name, read in WHOLE.items()),
    (b"\x13\x00\x00\x00\x05first\x00\x00\x00\x06second", split_message),
    *((encoded, MsgpackCodec().decode) for _, encoded in VALUES.values()),
]


def test_mutated_frames_are_read_or_refused() -> None:
    random = Random(20261)
    read = 0
    before = 0
    for turn in range(scale(test=15_000, stress=1_000_000)):
        good, reader = READERS[turn % len(READERS)]
        with suppress(DecodeError):
            reader(mutated(good, random))
            read += 1
        if turn == 10_000:
            before = resident()
    assert read > 1_000  # else they are mutated so much that nothing is tested
    assert resident() - before < 20_000_000
