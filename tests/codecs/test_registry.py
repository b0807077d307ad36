"""Registered classes: what travels of them, and what happens where the two ends differ."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field, make_dataclass
from functools import cached_property
from typing import Any

import pytest

from meshmq.codecs import registry
from meshmq.codecs.msgpack import MsgpackCodec
from meshmq.codecs.registry import register
from meshmq.errors import ConfigError, DecodeError, EncodeError
from tests.codecs.values import Colour, Order

codec = MsgpackCodec()


@pytest.fixture(autouse=True)
def registered_for_this_test() -> Iterator[None]:
    by_class, by_name = dict(registry._by_class), dict(registry._by_name)
    yield
    registry._by_class.clear()
    registry._by_class.update(by_class)
    registry._by_name.clear()
    registry._by_name.update(by_name)


def forget(cls: type) -> None:
    """Make this process the end that has not registered ``cls``."""
    registry._by_name.pop(registry._by_class.pop(cls).name)


def test_decorator_takes_a_name_or_none() -> None:
    @register
    @dataclass
    class Bare:
        part: int

    @register(name="other")
    @dataclass
    class Named:
        part: int

    assert codec.decode(*codec.encode([Bare(1), Named(2)])) == [Bare(1), Named(2)]
    assert b"test_decorator_takes_a_name_or_none.<locals>.Bare" in codec.encode(Bare(1))[0]
    assert register(Bare) is Bare


@pytest.mark.parametrize("value", [Colour.RED, Order(1), [{"a": Colour.GREEN}]])
def test_unregistered_arrival_is_a_decode_error_that_names_the_type(value: object) -> None:
    body, _ = codec.encode(value)
    forget(Colour)
    forget(Order)
    with pytest.raises(DecodeError, match=r"'tests\.(Colour|Order)', which is not registered here: meshmq.register"):
        codec.decode(body)


def test_two_classes_do_not_share_a_name() -> None:
    with pytest.raises(ConfigError, match="belongs to"):
        register(make_dataclass("Impostor", ["part"]), name="tests.Order")
    with pytest.raises(ConfigError, match="it has one name"):
        register(Order, name="tests.Second")


def test_reloaded_class_takes_the_place_of_the_old() -> None:
    def load() -> Any:
        @register
        @dataclass
        class Reloaded:
            part: int

        return Reloaded

    old, new = load(), load()
    assert type(codec.decode(*codec.encode(new(1)))) is new
    with pytest.raises(EncodeError, match="not registered"):
        codec.encode(old(1))


@pytest.mark.parametrize("wrong", [int, dict, object, 5, None.__class__, "Order"])
def test_only_enums_dataclasses_and_named_tuples_can_be_registered(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="enums, dataclasses and named tuples"):
        register(wrong, name="tests.wrong")


@pytest.mark.parametrize("name", ["", "x" * 201, "a\nb", 5])
def test_unusable_names_are_refused(name: Any) -> None:
    with pytest.raises(ConfigError, match="printable"):
        register(Order, name)


def test_dataclass_that_is_a_builtin_too_is_refused() -> None:
    @dataclass
    class Both(dict[str, int]):
        part: int = 0

    with pytest.raises(ConfigError, match="dict of its parts"):
        register(Both)


def test_neither_init_nor_post_init_runs_on_arrival() -> None:
    order = Order(1)
    assert order.runs == 1
    assert codec.decode(*codec.encode(order)) == order


def test_attributes_that_would_be_lost_are_refused_but_for_cached_ones() -> None:
    @register
    @dataclass
    class Loose:
        part: int

        @cached_property
        def double(self) -> int:
            return 2 * self.part

    loose = Loose(2)
    assert loose.double == 4
    assert codec.decode(*codec.encode(loose)) == loose
    loose.extra = 1  # type: ignore[attr-defined]  # the point
    with pytest.raises(EncodeError, match=r"no fields .* \(extra\)"):
        codec.encode(loose)


def test_field_that_was_never_set_is_refused() -> None:
    @register
    @dataclass
    class Late:
        part: int = field(init=False)

    with pytest.raises(EncodeError, match=r"lacks its field 'part'"):
        codec.encode([Late()])


def arrive(sent: type, here: type) -> object:
    """Send a value of one class to an end where another stands under its name."""
    register(sent, name="tests.Changing")
    body, _ = codec.encode(sent(*[1] * len(sent.__annotations__)))
    forget(sent)
    register(here, name="tests.Changing")
    try:
        return codec.decode(body)
    finally:
        forget(here)


def test_field_that_the_sender_does_not_know_takes_its_default() -> None:
    here: Any = make_dataclass("Here", [("a", int), ("b", int, 7), ("c", list, field(default_factory=list))])
    assert arrive(make_dataclass("There", [("a", int)]), here) == here(1, 7, [])


def test_fields_that_differ_otherwise_are_a_decode_error() -> None:
    with pytest.raises(DecodeError, match="without its field 'b'"):
        arrive(make_dataclass("There", [("a", int)]), make_dataclass("Here", [("a", int), ("b", int)]))
    with pytest.raises(DecodeError, match=r"unknown fields \['b'\]"):
        arrive(make_dataclass("There", [("a", int), ("b", int)]), make_dataclass("Here2", [("a", int)]))


def test_member_that_is_unknown_here_is_a_decode_error() -> None:
    there: Any = enum.Enum("there", "A B")
    here: Any = enum.Enum("here", "A")
    register(there, name="tests.Mode")
    body, _ = codec.encode(there.B)
    forget(there)
    register(here, name="tests.Mode")
    with pytest.raises(DecodeError, match="no member"):
        codec.decode(body)


@pytest.mark.parametrize("parts", [b"\x90", b"\x01", b"\xc0", b"\xa7__doc__", b"\xa8__call__", b"\xc7\x00\x01"])
def test_enum_gives_nothing_but_its_members(parts: bytes) -> None:
    with pytest.raises(DecodeError):
        codec.decode(b"\xc1\x93\xc7\x00\x05\xactests.Colour" + parts)
    with pytest.raises(DecodeError):
        codec.decode(b"\xc1\x93\xc7\x00\x05\xactests.Rights" + (b"\x78" if parts == b"\x01" else parts))


def test_bits_that_no_member_has_are_refused_at_both_ends_and_not_kept() -> None:
    @register(name="tests.Mode")
    class Mode(enum.IntFlag):
        READ = 1
        WRITE = 4

    assert codec.decode(*codec.encode(Mode.READ | Mode.WRITE)) is Mode.READ | Mode.WRITE
    with pytest.raises(EncodeError, match=r"no member of tests\.Mode has"):
        codec.encode(Mode(3))
    body, _ = codec.encode(Mode.WRITE)
    assert body[-1:] == b"\x04"
    kept = len(Mode._value2member_map_)
    for value in (b"\x02", b"\x08", b"\xff", b"\xcf" + b"\x7f" * 8):
        with pytest.raises(DecodeError, match="has no member"):
            codec.decode(body[:-1] + value)
    assert len(Mode._value2member_map_) == kept
