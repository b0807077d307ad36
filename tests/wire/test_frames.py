"""Frames of the direct link: what is packed is read back, and what is no frame is told as such."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshmq.errors import ProtocolError
from meshmq.wire.fields import BODY_LIMIT, NUMBERS, RANGES_LIMIT, Ranges, read_name
from meshmq.wire.frames import (
    HEAD_BYTES,
    NUMBERED,
    VERSION,
    Hello,
    Kind,
    VersionMismatch,
    pack_acks,
    pack_bye,
    pack_grant,
    pack_head,
    pack_hello,
    pack_offer,
    pack_receipt,
    unpack_acks,
    unpack_bye,
    unpack_grant,
    unpack_head,
    unpack_hello,
    unpack_offer,
    unpack_receipt,
)
from meshmq.wire.verdicts import DELAY_LIMIT, REASON_LIMIT, Settle, Verdict, pack_settle, unpack_settle
from tests.wire.golden_jobs import msgpack
from tests.wire.strategies import delays, fields, groups, hellos, ids, names, ranges, verdicts, whole

READERS: Sequence[Callable[[bytes], object]] = (
    unpack_head, unpack_hello, unpack_bye, unpack_offer, unpack_grant, unpack_acks, unpack_settle,
    unpack_receipt,
)  # fmt: skip


@given(st.sampled_from(Kind), st.integers(1, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_a_head_is_read_back(kind: Kind, number: int, received: int) -> None:
    number = number if kind in NUMBERED else 0
    assert unpack_head(pack_head(kind, number, received)) == (kind, number, received)


@given(hellos)
def test_a_hello_is_read_back(hello: Hello) -> None:
    assert unpack_hello(pack_hello(hello)) == hello


@given(st.from_regex(r"[a-z][a-z -]{0,39}", fullmatch=True), st.integers(0, 2**32 - 1))
def test_a_bye_is_read_back(reason: str, epoch: int) -> None:
    assert unpack_bye(pack_bye(reason, epoch)) == (reason, epoch)


@given(names, whole, whole)
def test_offers_and_grants_are_read_back(queue: str, jobs: int, size: int) -> None:
    assert unpack_offer(pack_offer(queue, jobs)) == (queue, jobs)
    assert unpack_grant(pack_grant(queue, jobs, size)) == (queue, jobs, size)


@given(names, whole, whole, groups)
def test_acks_are_read_back(queue: str, jobs: int, size: int, done: list[tuple[bytes, int, Ranges]]) -> None:
    (body,) = pack_acks(queue, jobs, size, done)
    acks = unpack_acks(body)
    assert (acks.queue, acks.jobs, acks.size, acks.done) == (queue, jobs, size, tuple(done))


@given(names, ids, ids, ranges)
def test_a_receipt_is_read_back(queue: str, worker: bytes, origin: bytes, spans: tuple[tuple[int, int], ...]) -> None:
    assert unpack_receipt(pack_receipt(queue, worker, origin, spans)) == (queue, worker, origin, spans)


@given(names, verdicts, ids, ranges, delays)
def test_a_settle_is_read_back(
    queue: str, verdict: Verdict, origin: bytes, spans: tuple[tuple[int, int], ...], delay: float | None
) -> None:
    said = Settle(queue, verdict, origin, spans, delay, "ValueError: no such address")
    assert unpack_settle(pack_settle(queue, verdict, origin, spans, delay, said.reason)) == said
    assert len(unpack_settle(pack_settle(queue, verdict, origin, spans, delay, "x" * 5_000)).reason) == REASON_LIMIT


@given(st.binary(max_size=200), st.sampled_from(READERS))
def test_any_bytes_are_a_frame_or_a_protocol_error(body: bytes, read: Callable[[bytes], object]) -> None:
    with suppress(ProtocolError):
        read(body)


@given(fields, st.sampled_from(READERS[1:]))
def test_any_fields_are_a_frame_or_a_protocol_error(values: object, read: Callable[[bytes], object]) -> None:
    with suppress(ProtocolError):
        read(msgpack(values))


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (b"", "does not start"),
        (b"MQ", "does not start"),
        (b"MX" + bytes(18), "does not start"),
        (struct.pack("!2sBBQQ", b"MQ", VERSION, 99, 0, 0), "no frame of kind 99"),
        (struct.pack("!2sBBQQ", b"MQ", VERSION, Kind.HELLO, 1, 0), "carries the number 1"),
        (struct.pack("!2sBBQQ", b"MQ", VERSION, Kind.JOBS, 0, 0), "carries the number 0"),
    ],
)
def test_a_head_that_is_none_says_why(frame: bytes, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        unpack_head(frame)


@pytest.mark.parametrize("version", [0, VERSION + 1, 255])
def test_another_version_is_told_from_what_is_no_frame_at_all(version: int) -> None:
    with pytest.raises(VersionMismatch, match=f"version {version} and we speak {VERSION}") as raised:
        unpack_head(b"MQ" + bytes([version]) + bytes(HEAD_BYTES))
    assert raised.value.version == version


@pytest.mark.parametrize(
    "fields",
    [
        None,
        {},
        [],
        ["jobs"],
        ["jobs", True],
        ["jobs", 1.0],
        ["jobs", -1],
        ["jobs", NUMBERS],
        ["jobs", 2**64 - 1],
        ["jobs", None],
        [b"jobs", 1],
        ["", 1],
        ["x" * 201, 1],
        ["ä" * 101, 1],
        ["a\nb", 1],
        ["a\x1b[31m", 1],
        ["a\x9b", 1],
        ["a\u2028b", 1],
    ],
)
def test_an_offer_of_the_wrong_fields_is_refused(fields: object) -> None:
    with pytest.raises(ProtocolError):
        unpack_offer(msgpack(fields))


def test_a_body_beyond_its_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(ProtocolError, match="it may have"):
        unpack_offer(msgpack(["jobs", 1, b"x" * BODY_LIMIT]))


@pytest.mark.parametrize(
    "edges", [[1], [2, 1], [-1, 1], [True, 2], [0, NUMBERS], ["a", "b"], [1.0, 2.0], None, [0, 1] * (RANGES_LIMIT + 1)]
)
def test_ranges_that_are_none_are_refused(edges: object) -> None:
    with pytest.raises(ProtocolError):
        unpack_settle(msgpack(["jobs", 0, bytes(16), edges, None, ""]))
    with pytest.raises(ProtocolError):
        unpack_acks(msgpack(["jobs", 0, 0, [[bytes(16), 0, edges]]]))


@pytest.mark.parametrize(
    "group",
    [None, [], [bytes(16), 0], [bytes(15), 0, []], ["x" * 16, 0, []], [bytes(16), True, []], [bytes(16), -2, []]],
)
def test_acks_with_a_group_that_is_none_are_refused(group: object) -> None:
    with pytest.raises(ProtocolError):
        unpack_acks(msgpack(["jobs", 0, 0, [group]]))


def test_many_ranges_are_parted_into_bodies_that_are_read() -> None:
    many = [(number, number) for number in range(0, 5_000, 2)]
    done: list[tuple[bytes, int, Ranges]] = [(bytes([origin]) * 16, 7, many[:1_700]) for origin in range(5)]
    bodies = pack_acks("jobs", 1, 2, done)
    read = [group for body in bodies for group in unpack_acks(body).done]
    for origin, begun, spans in done:
        assert [pair for group in read if group[0] == origin for pair in group[2]] == spans
        assert {group[1] for group in read if group[0] == origin} == {begun}
    few: list[tuple[bytes, int, Ranges]] = [(number.to_bytes(16, "big"), -1, []) for number in range(2_500)]
    assert sum(len(unpack_acks(body).done) for body in pack_acks("jobs", 1, 2, few)) == 2_500
    assert (
        max(map(len, pack_acks("jobs", 1, 2, [(bytes(16), NUMBERS - 1, [(NUMBERS - 1, NUMBERS - 1)] * 9_000)])))
        < BODY_LIMIT
    )


@pytest.mark.parametrize(
    ("delay", "read"), [(-1.0, 0.0), (float("nan"), 0.0), (float("inf"), DELAY_LIMIT), (3, 3.0), (None, None)]
)
def test_a_delay_that_is_none_is_no_delay_and_one_without_end_is_a_year(
    delay: float | None, read: float | None
) -> None:
    assert unpack_settle(pack_settle("jobs", Verdict.REFUSED, bytes(16), [], delay)).delay == read
    assert unpack_settle(msgpack(["jobs", 2, bytes(16), [], None if delay is None else float(delay), ""])).delay == read


@pytest.mark.parametrize(("delay", "read"), [(-1, 0.0), (-(2**63), 0.0), (0, 0.0), (3, 3.0), (2**64 - 1, DELAY_LIMIT)])
def test_a_whole_delay_is_read_as_the_other_is(delay: int, read: float) -> None:
    assert unpack_settle(msgpack(["jobs", 2, bytes(16), [], delay, ""])).delay == read


@pytest.mark.parametrize("reason", ["", "Left", "left\n", "x" * 41, "\x1b[2J", "é"])
def test_a_reason_that_cannot_be_shown_is_refused(reason: str) -> None:
    with pytest.raises(ProtocolError):
        unpack_bye(msgpack([reason, 0]))


def test_an_epoch_that_nobody_reaches_is_refused() -> None:
    with pytest.raises(ProtocolError):
        unpack_bye(msgpack(["left", 2**32]))
    with pytest.raises(ProtocolError):
        unpack_hello(msgpack([bytes(16), "a", "b", bytes(8), 2**32, False]))


def test_names_that_a_later_unicode_knows_are_read() -> None:
    assert read_name("\U0001faef.\u0378") == "\U0001faef.\u0378"  # one of Unicode 17, one of none
