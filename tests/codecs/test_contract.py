"""What every codec promises: a second codec is one more row in ``CODECS``."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshmq.codecs.base import DEPTH, Buffer, Codec
from meshmq.codecs.msgpack import MsgpackCodec
from meshmq.errors import DecodeError, EncodeError, MessageTooLarge
from tests.codecs import values
from tests.codecs.values import EXAMPLES, same
from tests.scale import scale

CODECS: list[Codec] = [MsgpackCodec()]
each_codec = pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)


def round_trip(codec: Codec, value: object) -> object:
    body, buffers = codec.encode(value)
    back = codec.decode(body, buffers)
    assert same(codec.decode(memoryview(body), [memoryview(buffer) for buffer in buffers]), back)
    return back


@each_codec
@given(values.values)
def test_the_quick_way_gives_the_same_body_or_none(codec: Codec, value: object) -> None:
    assert codec.encode_plain(value) in (codec.encode(value)[0], None)


@each_codec
def test_the_quick_way_is_that_of_most(codec: Codec) -> None:
    for value in (None, 1, -1.5, "text", b"bytes", [1, [2]], {"id": 1, "name": "kitchen"}, {"text": "long " * 1_000}):
        assert codec.encode_plain(value) == codec.encode(value)[0]


@each_codec
@pytest.mark.parametrize("value", EXAMPLES, ids=lambda value: f"{type(value).__name__}-{str(value)[:20]}")
def test_value_comes_back_equal_and_of_the_same_types(codec: Codec, value: object) -> None:
    assert same(round_trip(codec, value), value)
    assert same(round_trip(codec, [value]), [value])
    assert same(round_trip(codec, {"a": value, "b": (value,)}), {"a": value, "b": (value,)})


@each_codec
@settings(max_examples=scale(test=80, stress=1_000))
@given(value=values.values)
def test_any_mixture_of_values_comes_back_the_same(codec: Codec, value: object) -> None:
    assert same(round_trip(codec, value), value)


@each_codec
@settings(max_examples=scale(test=80, stress=1_000))
@given(value=values.anything)
def test_what_is_sent_never_fails_at_the_receiver(codec: Codec, value: object) -> None:
    message = encoded(codec, value)
    if isinstance(message, EncodeError):
        assert message.path.startswith("data")
        assert str(message).startswith(message.path)
    else:
        assert same(codec.decode(*message), value)


@each_codec
@settings(max_examples=scale(test=150, stress=1_000))
@given(body=st.binary(max_size=200), buffers=st.lists(st.binary(max_size=20), max_size=2))
def test_any_bytes_give_a_value_or_decode_error(codec: Codec, body: bytes, buffers: list[bytes]) -> None:
    decode_anything(codec, body, buffers)
    decode_anything(codec, b"\xc1" + body, buffers)


@each_codec
@settings(max_examples=scale(test=80, stress=1_000))
@given(value=values.values, data=st.data())
def test_mutated_bodies_give_a_value_or_decode_error(codec: Codec, value: object, data: st.DataObject) -> None:
    body = bytearray(codec.encode(value)[0])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(body) - 1))
        match data.draw(st.sampled_from(["change", "cut", "double"])):
            case "change":
                body[place] = data.draw(st.integers(0, 255))
            case "cut" if len(body) > 1:
                del body[place]
            case _:
                body[place:place] = body[place : place + 20]
    decode_anything(codec, bytes(body), ())


def decode_anything(codec: Codec, body: bytes, buffers: list[bytes] | tuple[bytes, ...]) -> None:
    with contextlib.suppress(DecodeError):
        codec.decode(body, buffers)


@each_codec
@pytest.mark.parametrize(
    ("value", "path", "words"),
    [
        ({"a": [0, 1, 2, values.Unregistered.ONE]}, 'data["a"][3]', "meshmq.register"),
        (values.Plain(), "data", "meshmq.register"),
        ([values.Bare(1, 2)], "data[0]", "meshmq.register"),
        ({"a": values.Text("x")}, 'data["a"]', "send str(value)"),
        (memoryview(b"abcd").cast("I"), "data", "send view.cast('B')"),
        ({"img": memoryview(b"x" * 100_000).cast("B", [100, 1000])}, 'data["img"]', "send view.cast('B')"),
        ([[], {"b": "\ud800"}], 'data[1]["b"]', "surrogate"),
        ({"k\ud800": 1}, "data", "has a key that is a str"),
        ({(1, values.Unregistered.ONE): 1}, "data", "has a key that is a Unregistered"),
        ({"s": {values.Unregistered.ONE}}, 'data["s"]', "holds an element that is"),
        ((1, values.strangers), "data[1]", "send a dict of its parts"),
        ({1: {b"x": object()}}, "data[1][b'x']", "cannot travel"),
        ({'"': object()}, "data['\"']", "cannot travel"),
        (values.Order(1, [object()]), "data.lines[0]", "cannot travel"),
        (values.Point(1, object()), "data.y", "cannot travel"),
        ({"n": [2**40000]}, 'data["n"][0]', "send it as bytes"),
        ({2**70: object()}, "data[a large int]", "cannot travel"),
        ((value for value in [1]), "data", "send list(value)"),
        (dict.fromkeys("abc", iter([])), 'data["a"]', "send list(value)"),
    ],
)
def test_refusal_names_the_place_and_the_next_step(codec: Codec, value: object, path: str, words: str) -> None:
    with pytest.raises(EncodeError) as caught:
        codec.encode(value)
    assert caught.value.path == path
    assert str(caught.value).startswith(path)
    assert words in str(caught.value)


def nested(levels: int, wrap: Any, core: object = None) -> object:
    for _ in range(levels):
        core = wrap(core)
    return core


WRAPS = {
    "list": lambda core: [core],
    "dict": lambda core: {"a": core},
    "tuple": lambda core: (core,),
    "frozenset": lambda core: frozenset([core]),
    "wide": lambda core: [1, 2.5, "text", {"a": core}] if isinstance(core, list) else [core],
    "dataclass": lambda core: values.Key(core),
    "named tuple": lambda core: values.Point(core),
}


@each_codec
@pytest.mark.parametrize("kind", WRAPS)
def test_depth_is_bounded_at_both_ends_alike(codec: Codec, kind: str) -> None:
    deepest = max(
        levels
        for levels in range(1, 2 * DEPTH)
        if not isinstance(encoded(codec, nested(levels, WRAPS[kind])), EncodeError)
    )
    value = nested(deepest, WRAPS[kind])
    assert same(round_trip(codec, value), value)
    if kind in ("list", "dict", "tuple", "frozenset", "dataclass", "named tuple"):
        assert deepest == DEPTH
    with pytest.raises(EncodeError, match="nested more than"):
        codec.encode(nested(deepest + 1, WRAPS[kind]))


def encoded(codec: Codec, value: object) -> tuple[bytes, tuple[Buffer, ...]] | EncodeError:
    try:
        return codec.encode(value)
    except EncodeError as error:
        return error


@each_codec
def test_keys_and_members_count_as_levels(codec: Codec) -> None:
    deepest = nested(DEPTH - 1, WRAPS["tuple"])
    for wrap in (lambda core: {core: 1}, lambda core: {core}):
        assert codec.decode(*codec.encode(wrap(deepest))) == wrap(deepest)
        with pytest.raises(EncodeError, match="nested more than"):
            codec.encode(wrap((deepest,)))


@each_codec
def test_cyclic_data_is_refused(codec: Codec) -> None:
    cycle: list[object] = []
    cycle.append(cycle)
    double: dict[str, object] = {}
    double["a"] = double["b"] = (double, [double])
    for value in (cycle, double, [1, {"x": cycle}]):
        with pytest.raises(EncodeError, match="holds itself"):
            codec.encode(value)


@each_codec
def test_caller_may_write_again_when_the_call_returns(codec: Codec) -> None:
    part = bytearray(b"before" * 20_000)
    rows = [1, [part]]
    body, buffers = codec.encode(rows)
    part[:6] = b"after!"
    rows.append(3)
    assert codec.decode(body, buffers) == [1, [bytearray(b"before" * 20_000)]]


def test_more_than_the_limit_is_refused_at_both_ends() -> None:
    small, large = MsgpackCodec(limit=1000), MsgpackCodec()
    for value in ("x" * 1000, ("x" * 1000,), [1.5] * 200):
        with pytest.raises(MessageTooLarge) as caught:
            small.encode(value)
        assert caught.value.limit == 1000
        with pytest.raises(DecodeError, match="one message may have"):
            small.decode(*large.encode(value))
    assert small.decode(*small.encode("x" * 990)) == "x" * 990


@each_codec
def test_threads_encode_and_decode_at_once(codec: Codec) -> None:
    start = threading.Barrier(8)

    def work(thread: int) -> int:
        start.wait(30)
        wrong = 0
        for number in range(300):
            mixed = {"thread": thread, "number": number, "tuple": (number, {thread}), "colour": values.Colour.RED}
            plain = {"thread": thread, "text": "x" * number, "rows": [{"n": number}] * 5}
            for value in (mixed, plain, number):
                wrong += codec.decode(*codec.encode(value)) != value
            try:
                codec.encode([plain, object()])
            except EncodeError as error:
                wrong += error.path != "data[1]"
        return wrong

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, range(8))) == 0
