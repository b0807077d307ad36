"""Values for the codec tests: which travel, which are refused, and what it means to come back the same."""

from __future__ import annotations

import enum
import math
from collections import Counter, OrderedDict, namedtuple
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from meshmq.codecs.registry import register


@register(name="tests.Colour")
class Colour(enum.Enum):
    """An enum whose values could not travel themselves."""

    RED = (object(),)
    GREEN = (None,)


@register(name="tests.Rights")
class Rights(enum.Flag):
    """Flags, whose combinations have no name of their own."""

    READ = 1
    WRITE = 2
    FAR = 2**70


@register(name="tests.Level")
class Level(enum.IntEnum):
    """A subclass of int that must not arrive as one."""

    LOW = 1
    HIGH = 2


@register(name="tests.Point")
class Point(NamedTuple):
    """A tuple that must not arrive as a bare one."""

    x: Any
    y: Any = 0


@register(name="tests.Order")
@dataclass(slots=True)
class Order:
    """A dataclass that changes what it is given: running this again on arrival would change it twice."""

    number: Any
    lines: Any = ()
    runs: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.runs += 1


@register(name="tests.Key")
@dataclass(frozen=True)
class Key:
    """A dataclass that can be a key."""

    part: Any


Bare = namedtuple("Bare", "x y")


class Unregistered(enum.Enum):
    """An enum that nobody registered."""

    ONE = 1


class Text(str):
    """A kind of str."""

    __slots__ = ()


@dataclass
class Plain:
    """A dataclass that nobody registered."""

    part: int = 0


def same(left: Any, right: Any) -> bool:
    """Tell whether two values are equal all through, of the same types, and where NaN meets NaN."""
    if type(left) is not type(right):
        return False
    if isinstance(left, Order):
        return all(same(getattr(left, name), getattr(right, name)) for name in ("number", "lines", "runs"))
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return list(map(_shape, left)) == list(map(_shape, right)) and all(map(same, left.values(), right.values()))
    if isinstance(left, (set, frozenset)):
        return Counter(map(_shape, left)) == Counter(map(_shape, right))
    alike: bool = _shape(left) == _shape(right)
    return alike


def _shape(value: Any) -> Any:
    if isinstance(value, float):
        return "nan" if math.isnan(value) else (float, value.hex())
    if isinstance(value, complex):
        return complex, _shape(value.real), _shape(value.imag)
    if isinstance(value, Decimal):
        return Decimal, str(value)
    if isinstance(value, datetime):
        return datetime, value.isoformat()  # equal moments of two zones compare unequal around a fold
    if isinstance(value, Key):
        return Key, _shape(value.part)
    if isinstance(value, tuple):
        return type(value), tuple(map(_shape, value))
    if isinstance(value, frozenset):
        return frozenset, frozenset(map(_shape, value))
    return type(value), value


offsets = st.integers(-86_399, 86_399).map(lambda span: timezone(timedelta(seconds=span)))
zones = st.sampled_from([UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kathmandu")]) | offsets
plain_leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=8)
)
keys = (
    plain_leaves
    | st.integers(-(2**200), 2**200)
    | st.decimals(allow_nan=False)
    | st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1), timezones=zones)
    | st.dates()
    | st.times(timezones=st.none() | offsets).map(lambda value: value.replace(fold=0))
    | st.timedeltas()
    | st.uuids()
    | st.complex_numbers()
    | st.sampled_from([*Colour, *Rights, *Level, Rights.READ | Rights.FAR])
)
leaves = keys | st.decimals(allow_nan=True) | st.binary(max_size=8).map(bytearray)
hashable = st.recursive(
    keys,
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple)
        | st.frozensets(inner, max_size=3)
        | st.builds(Key, inner)
        | st.builds(Point, inner, inner)
    ),
    max_leaves=6,
)


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(st.text(max_size=4), inner, max_size=5)
        | st.dictionaries(hashable, inner, max_size=4)
        | st.sets(hashable, max_size=5)
        | st.frozensets(hashable, max_size=5)
        | st.builds(Order, inner, inner)
        | st.builds(Point, inner, inner)
    )


#: Everything that must travel.
values = st.recursive(leaves, _containers, max_leaves=20)

#: And what must be refused, at any place in it.
STRANGERS: dict[str, Any] = {
    "enum": Unregistered.ONE,
    "dataclass": Plain(),
    "named tuple": Bare(1, 2),
    "kind of str": Text("a"),
    "kind of dict": OrderedDict(a=1),
    "memoryview of numbers": memoryview(b"abcd").cast("I"),
    "half a pair": "half \ud800",
    "naive": datetime(2026, 1, 31),
    "odd offset": datetime(2026, 1, 31, tzinfo=timezone(timedelta(microseconds=1))),
    "time of an odd offset": time(1, tzinfo=timezone(timedelta(microseconds=-1))),
    "time of a zone": time(1, tzinfo=ZoneInfo("Europe/Berlin")),
    "large int": 2**40000,
    "long Decimal": Decimal("1" * 5000),
    "iterator": iter([1]),
    "object": object(),
    "function": print,
    "class": int,
}
strangers = st.sampled_from(list(STRANGERS)).map(lambda name: STRANGERS[name])
#: Any mixture of both.
anything = st.recursive(leaves | strangers, _containers, max_leaves=20)

EXAMPLES: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 2**2000, 1.5, -0.0, math.inf, math.nan,
    "", "kitchen", "ŻółwĄ", b"", b"abc", b"x" * 300, bytearray(b"abc"), bytearray(b"x" * 300), bytearray(b"x" * 70_000),
    [], {}, (), set(), frozenset(), [()], ((),), {"a": (1, 2)}, {1, 2}, {None: 1, True: 2, 3: 4, b"a": 5, 1.5: 6},
    {(1, (2, "x")): {frozenset({1})}}, {2**70: 1, -1: 2}, [2**64, "text"], [Decimal(1), 2], {Decimal("1.50"): 1},
    Decimal("0E-10"), Decimal("1E+999999999"), Decimal("-0"), Decimal("NaN"), Decimal("-sNaN12"), Decimal("Infinity"),
    datetime(2026, 1, 31, 12, tzinfo=UTC), datetime(2026, 7, 31, 12, 0, 0, 1, ZoneInfo("Europe/Berlin")),
    datetime.min.replace(tzinfo=timezone(timedelta(hours=14))), datetime.max.replace(tzinfo=UTC),
    datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")), date(1, 1, 1), date.max, time(1, 2, 3, 4),
    time(1, tzinfo=UTC), timedelta.min, timedelta.max, timedelta(microseconds=-1), UUID(int=7), complex(1, -0.0),
    Colour.RED, Rights.READ, Rights.READ | Rights.WRITE, Rights(0), Level.HIGH, Point(1, [2]), Order(1, [Order(2)]),
    {Key((1, 2)): Key("x")}, [{"a": [{"b": [1, (2, {3})]}]}] * 40, list(range(1000)), {"text": "hello " * 1000},
)  # fmt: skip
