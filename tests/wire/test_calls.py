"""Requests and answers: what is packed is read, and any bytes are a value or one error."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshmq.errors import ProtocolError
from meshmq.wire.calls import (
    KIND_BYTES,
    LEFT_LIMIT,
    MESSAGE_BYTES,
    TRACEBACK_BYTES,
    Answer,
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
    unpack_answer,
    unpack_cancel,
    unpack_demand,
    unpack_request,
)
from meshmq.wire.fields import NUMBERS
from meshmq.wire.headers import HEADERS_LIMIT
from tests.wire.golden_calls import CALL, FAILURE, PLAIN, REQUEST, framed

ids = st.binary(min_size=16, max_size=16)
names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1, max_size=50)
values = st.builds(Value, st.binary(max_size=100), st.lists(st.binary(max_size=100), max_size=3).map(tuple))
texts = st.text(st.characters(codec="utf-8"), max_size=20)
requests = st.builds(
    Request,
    ids,
    names,
    values,
    st.none() | st.floats(0, LEFT_LIMIT),
    st.booleans(),
    st.booleans(),
    st.integers(1, NUMBERS - 1),
    st.integers(0, NUMBERS - 1),
    st.none() | st.dictionaries(texts, texts, min_size=1, max_size=5),
).flatmap(lambda request: st.sampled_from([request, replace(request, caller=bytes(range(16)), held=0.5)]))


def told(request: Request) -> tuple[object, ...]:
    value = request.value
    return (
        request.id, request.service, bytes(value.body), value.buffers, request.left, request.idempotent,
        request.stream, request.attempt, request.demand, request.headers, request.caller, request.held,
    )  # fmt: skip


@given(requests)
def test_request_is_read_as_it_was_packed(request: Request) -> None:
    assert told(unpack_request(pack_request(request))) == told(request)


@given(
    ids,
    st.sampled_from([status for status in Status if status not in (Status.FAILED, Status.LOST)]),
    values,
    st.integers(0, 99),
)
def test_answer_is_read_as_it_was_packed(call: bytes, status: Status, value: Value, number: int) -> None:
    answer = unpack_answer(pack_answer(call, status, value, number=number, word="too late"))
    assert (answer.id, answer.status, answer.number, answer.word) == (call, status, number, "too late")
    assert (bytes(answer.value.body), answer.value.buffers, answer.failure) == (value.body, value.buffers, None)


@given(st.text(max_size=300), st.text(max_size=300))
@example("0" * (KIND_BYTES + 1), "")
def test_loss_is_read_as_it_was_packed(name: str, reason: str) -> None:
    answer = unpack_answer(pack_loss(CALL, name, reason))
    assert answer.status is Status.LOST
    assert answer.loss is not None
    if any("\ud800" <= letter <= "\udfff" for letter in name + reason):
        return
    told, why = answer.loss
    assert why == reason
    if len(name.encode()) <= KIND_BYTES:  # a node's name always is that short
        assert told == name
    else:
        assert len(told.encode()) <= KIND_BYTES
        assert told[0] == name[0]


@pytest.mark.parametrize("more", [[], [b"short", 0.5], [bytes(16)], [bytes(16), 1], [bytes(16), -1.0], [b"", 0.5]])
def test_what_a_device_sends_on_without_a_caller_is_refused(more: list[object]) -> None:
    with pytest.raises(ProtocolError):
        unpack_request([framed([CALL, "add", None, 4, 1, 0, None, *more], b"")])


def test_failure_is_read_as_it_was_packed() -> None:
    assert failed(FAILURE).failure == FAILURE


def failed(failure: Failure) -> Answer:
    return unpack_answer(pack_answer(CALL, Status.FAILED, pack_failure(failure)))


@given(st.builds(Failure, *[st.text(max_size=300)] * 4))
def test_any_texts_make_a_failure_that_is_read(failure: Failure) -> None:
    assert failed(failure).failure is not None


@pytest.mark.parametrize("letter", ["x", "ü", "\U0001f600", "\ud800"])
def test_long_texts_of_a_failure_are_cut_in_the_middle(letter: str) -> None:
    long = "begin" + letter * 100_000 + "end"
    failure = failed(Failure(long, long, long, long)).failure
    assert failure is not None
    for text, most in (
        (failure.kind, KIND_BYTES),
        (failure.message, MESSAGE_BYTES),
        (failure.traceback, TRACEBACK_BYTES),
    ):
        assert most - 20 <= len(text.encode()) <= most
        assert text.startswith("begin")
        assert text.endswith("end")
        assert "[...]" in text


@given(ids, st.integers(0, NUMBERS - 1))
def test_cancel_and_demand_are_read_as_they_were_packed(call: bytes, items: int) -> None:
    assert unpack_cancel(pack_cancel(call)) == call
    assert unpack_demand(pack_demand(call, items)) == (call, items)


@given(st.sampled_from([unpack_request, unpack_answer]), st.lists(st.binary(max_size=60), min_size=1, max_size=3))
def test_any_bytes_are_a_request_or_answer_or_one_error(
    unpack: Callable[[Sequence[bytes]], object], frames: list[bytes]
) -> None:
    with suppress(ProtocolError):
        unpack(frames)


@given(st.sampled_from([unpack_cancel, unpack_demand]), st.binary(max_size=60))
def test_any_bytes_are_a_word_or_one_error(unpack: Callable[[bytes], object], body: bytes) -> None:
    with suppress(ProtocolError):
        unpack(body)


@given(st.data(), st.sampled_from([PLAIN, REQUEST]))
def test_a_request_with_any_byte_changed_is_one_or_one_error(data: st.DataObject, request: Request) -> None:
    frame = bytearray(pack_request(request)[0])
    frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ProtocolError):
        unpack_request([bytes(frame)])


@pytest.mark.parametrize(
    "fields",
    [
        [CALL, "add", None, 0, 1, 0],
        [CALL[1:], "add", None, 0, 1, 0, None],
        [CALL, "", None, 0, 1, 0, None],
        [CALL, "a\nb", None, 0, 1, 0, None],
        [CALL, "add", -0.5, 0, 1, 0, None],
        [CALL, "add", math.nan, 0, 1, 0, None],
        [CALL, "add", math.inf, 0, 1, 0, None],
        [CALL, "add", 2 * LEFT_LIMIT, 0, 1, 0, None],
        [CALL, "add", None, 4, 1, 0, None],
        [CALL, "add", None, 0, 0, 0, None],
        [CALL, "add", None, 0, 1, NUMBERS, None],
        [CALL, "add", None, 0, 1, -1, None],
        [CALL, "add", None, 0, 1, 0, {"a": 1}],
        [CALL, "add", None, 0, 1, 0, {"a": "b" * HEADERS_LIMIT}],
    ],
    ids=repr,
)
def test_request_with_fields_that_are_none_is_none(fields: list[object]) -> None:
    with pytest.raises(ProtocolError):
        unpack_request([framed(fields, b"")])


@pytest.mark.parametrize(
    "fields", [[CALL, 6, 0, ""], [CALL, 0, 0, "Not a word"], [CALL, 0, 0], [CALL, 1, 0, ""], [b"", 0, 0, ""]], ids=repr
)
def test_answer_with_fields_that_are_none_is_none(fields: list[object]) -> None:
    with pytest.raises(ProtocolError):
        unpack_answer([framed(fields, b"\xc0")])


def test_frame_that_is_cut_short_is_none() -> None:
    whole = pack_request(REQUEST)[0]
    for end in range(len(whole) - 1):
        with pytest.raises(ProtocolError):
            unpack_request([whole[:end]])
