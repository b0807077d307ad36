"""What may be asked of the content of a message: ``field op value``, and whether it holds.

The field is a dotted key, as TOML has them (``customer."first name"``): each segment is a key of a dict, the index of
a list, or a field of a registered dataclass or named tuple; ``.`` is the data itself. The value is one of TOML: ``5``,
``1.5``, ``"DE"``, ``true``, ``2026-01-31``.

==================  =================================================================================
``==  !=``          of any value; ``!=`` holds where the field is there, and not equal
``<  <=  >  >=``    of numbers, texts, dates, times, and moments with their offset
``in``              of an array: the field equals one of its values
``matches``         of a text with wildcards: ``*`` any letters, ``?`` any one, ``[a-z]``, ``[!a-z]``
==================  =================================================================================

Whatever the data is, asking raises nothing and takes bounded time: a field that is not there, or that is of another
kind than the value, does not hold (but for ``!=``). ``matches`` has wildcards and no regular expressions, for of those
Python's engine may take for ever; and a text of more than 4,096 letters does not match.
"""

from __future__ import annotations

import fnmatch
import operator
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final

from meshmq.errors import ConfigError

#: The most letters that ``matches`` looks at: a long text costs as much as the wildcards are many.
MATCHED: Final = 4_096
_MISSING: Final = object()
_KINDS: Final[dict[type, str]] = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    Decimal: "a number",
    str: "a text",
    datetime: "a moment",
    date: "a date",
    time: "a time",
}

_SPLIT: Final = re.compile(
    r"""\s* (?P<field> \. | (?: "[^"]*" | '[^']*' | [^\s"'=!<>] )+ )
        \s* (?P<op> == | != | <= | >= | < | > | \b(?:in|matches)\b )
        \s* (?P<value> .*\S ) \s*""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Condition:
    """One ``field op value``; ``value`` is what ``op`` compares with: of ``matches`` a compiled pattern."""

    text: str
    path: tuple[str, ...]
    op: str
    value: Any

    def holds(self, data: object) -> bool:
        """Whether it holds of what a message carries; never raises."""
        found = _find(data, self.path)
        return found is not _MISSING and _HOLDS[self.op](found, self.value)


def read_condition(text: str) -> Condition:
    """Return the condition that a text says.

    Raises:
        ConfigError: it says none.
    """
    parts = _SPLIT.fullmatch(text)
    if parts is None:
        raise ConfigError(f"{text!r} is not FIELD OP VALUE with {_OPS}, as in 'customer.country == \"DE\"'")
    op, value = parts["op"], _read_value(text, parts["value"])
    return Condition(text.strip(), _read_path(text, parts["field"]), op, _check_value(text, op, value))


def _read_path(text: str, field: str) -> tuple[str, ...]:
    if field == ".":
        return ()
    try:
        found: Any = tomllib.loads(f"{field} = 0")
    except tomllib.TOMLDecodeError:
        raise ConfigError(
            f"{text!r}: {field!r} is no field; it is keys parted by dots, quoted where they hold more "
            "than A-Z, a-z, 0-9, '-' and '_', or '.' for the data itself"
        ) from None
    path = []
    while isinstance(found, dict):
        ((key, found),) = found.items()
        path.append(key)
    return tuple(path)


def _read_value(text: str, value: str) -> object:
    try:
        found = tomllib.loads(f"value = {value}")
    except (tomllib.TOMLDecodeError, RecursionError):
        found = {}
    if found.keys() != {"value"}:  # a newline in it could begin another key
        raise ConfigError(f'{text!r}: {value!r} is no value; it is "text" in quotes, a number, true, false or a date')
    return found["value"]


def _check_value(text: str, op: str, value: Any) -> Any:
    if op == "matches":
        if type(value) is not str:
            raise ConfigError(f'{text!r}: matches takes a text with wildcards, as in path matches "*.jpg"')
        return re.compile(fnmatch.translate(value))
    if op == "in":
        if type(value) is not list or not value:
            raise ConfigError(f'{text!r}: in takes an array of values, as in country in ["DE", "AT"]')
        return tuple(_check_scalar(text, element) for element in value)
    _check_scalar(text, value)
    if op not in ("==", "!=") and type(value) is bool:
        raise ConfigError(f"{text!r}: {_KINDS[bool]} has no order; write == or !=")
    return value


def _check_scalar(text: str, value: Any) -> Any:
    if type(value) not in _KINDS:
        raise ConfigError(
            f"{text!r}: one value is a text, a number, true, false, a date or a time; for several write in"
        )
    if type(value) is datetime and value.tzinfo is None:
        raise ConfigError(
            f"{text!r}: a moment needs its offset, as in 2026-01-31T12:00:00Z; no message carries one without"
        )
    return value


def _find(data: object, path: tuple[str, ...]) -> object:
    for key in path:
        if isinstance(data, dict):
            data = data.get(key, _MISSING)
        elif isinstance(data, list | tuple) and key.isascii() and key.isdecimal() and len(key) < 10:
            data = data[int(key)] if int(key) < len(data) else _MISSING
        elif key in getattr(type(data), "_fields" if isinstance(data, tuple) else "__dataclass_fields__", ()):
            data = getattr(data, key, _MISSING)
        else:
            return _MISSING
    return data


def _compared(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def holds(found: Any, value: Any) -> bool:
        if _KINDS.get(type(found)) != _KINDS[type(value)]:
            return False
        try:
            return compare(found, value)
        except (ArithmeticError, TypeError):  # a Decimal that is no number; times of which one has no offset
            return False

    return holds


_equal: Final = _compared(operator.eq)


def _matches(found: Any, pattern: re.Pattern[str]) -> bool:
    return type(found) is str and len(found) <= MATCHED and pattern.match(found) is not None


_HOLDS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": _equal,
    "!=": lambda found, value: not _equal(found, value),
    "<": _compared(operator.lt),
    "<=": _compared(operator.le),
    ">": _compared(operator.gt),
    ">=": _compared(operator.ge),
    "in": lambda found, values: any(_equal(found, value) for value in values),
    "matches": _matches,
}
_OPS: Final = ", ".join(_HOLDS)
