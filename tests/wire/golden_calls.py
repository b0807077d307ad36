"""The frames of services, as we pack them and by hand; see ``golden_frames``."""

from __future__ import annotations

from struct import pack
from typing import Final

from msgpack import packb  # type: ignore[import-untyped]  # msgpack ships no types

from meshmq.wire.bundles import pack_bundle
from meshmq.wire.calls import (
    Failure,
    Request,
    Status,
    Value,
    pack_answer,
    pack_cancel,
    pack_demand,
    pack_failure,
    pack_loss,
    pack_request,
)
from meshmq.wire.frames import Kind, pack_head

CALL: Final = bytes(range(48, 64))
FAILURE: Final = Failure("ValueError", "no such camera", "Traceback ...", "camera")
PLAIN: Final = Request(CALL, "add", Value(b"\x92\x01\x02"))
REQUEST: Final = Request(CALL, "add", Value(b"\xc0", (b"large",)), 1.5, True, True, 2, 4, {"a": "b"})
SENT_ON: Final = Request(CALL, "add", Value(b"\xc0"), 1.5, caller=bytes(range(16)), held=0.25)


#: The fields of ``PLAIN``.
ASKED: Final[list[object]] = [CALL, "add", None, 0, 1, 0, None]


def framed(fields: list[object], value: bytes) -> bytes:
    packed: bytes = packb(fields)
    return pack("!I", len(packed)) + packed + value


def head(kind: int, number: int) -> bytes:
    return pack("!2sBBQQ", b"MQ", 2, kind, number, 4)


#: As we pack them, and by hand.
CALLS: Final[dict[str, tuple[bytes, bytes]]] = {
    "request": (
        pack_head(Kind.REQUEST, 18, 4) + pack_request(PLAIN)[0],
        head(30, 18) + framed([CALL, "add", None, 0, 1, 0, None], b"\x92\x01\x02"),
    ),
    "request_with_everything": (
        pack_head(Kind.REQUEST, 19, 4) + pack_request(REQUEST)[0],
        head(30, 19) + framed([CALL, "add", 1.5, 3, 2, 4, {"a": "b"}], b"\xc0"),
    ),
    "answer": (
        pack_head(Kind.ANSWER, 20, 4) + pack_answer(CALL, Status.DONE, Value(b"\x03"))[0],
        head(31, 20) + framed([CALL, 0, 0, ""], b"\x03"),
    ),
    "answer_failed": (
        pack_head(Kind.ANSWER, 21, 4) + pack_answer(CALL, Status.FAILED, pack_failure(FAILURE))[0],
        head(31, 21) + framed([CALL, 1, 0, ""], packb(["ValueError", "no such camera", "Traceback ...", "camera"])),
    ),
    "answer_item": (
        pack_head(Kind.ANSWER, 22, 4) + pack_answer(CALL, Status.ITEM, Value(b"\x03"), number=7)[0],
        head(31, 22) + framed([CALL, 2, 7, ""], b"\x03"),
    ),
    "answer_refused": (
        pack_head(Kind.ANSWER, 23, 4) + pack_answer(CALL, Status.REFUSED, word="overloaded")[0],
        head(31, 23) + framed([CALL, 4, 0, "overloaded"], b""),
    ),
    "request_sent_on": (
        pack_head(Kind.REQUEST, 19, 4) + pack_request(SENT_ON)[0],
        head(30, 19) + framed([CALL, "add", 1.5, 4, 1, 0, None, bytes(range(16)), 0.25], b"\xc0"),
    ),
    "answer_lost": (
        pack_head(Kind.ANSWER, 23, 4) + pack_loss(CALL, "camera", "the peer is gone")[0],
        head(31, 23) + framed([CALL, 6, 0, ""], packb(["camera", "the peer is gone"])),
    ),
    "cancel": (pack_head(Kind.CANCEL, 24, 4) + pack_cancel(CALL), head(32, 24) + packb([CALL])),
    "demand": (pack_head(Kind.DEMAND, 25, 4) + pack_demand(CALL, 64), head(33, 25) + packb([CALL, 64])),
    "bundle": (
        pack_head(Kind.BUNDLE, 26, 4)
        + pack_bundle([(Kind.REQUEST, pack_request(PLAIN)[0]), (Kind.CANCEL, pack_cancel(CALL))]),
        head(35, 26)
        + pack("!BI", 30, 4 + len(packb(ASKED)) + 3)
        + framed(ASKED, b"\x92\x01\x02")
        + pack("!BI", 32, len(packb([CALL])))
        + packb([CALL]),
    ),
}
