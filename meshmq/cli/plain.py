"""Values <-> JSON lines.

What JSON has a form for is written so; a tuple becomes an array. Everything else becomes an object with
one key that starts with ``$`` and names the type:

==========================================  ====================================
value                                       is written as
==========================================  ====================================
bytes                                       ``{"$bytes": "aGVsbG8="}`` (base64)
set, frozenset                              ``{"$set": [1, 2]}``
dict with other keys than str               ``{"$dict": [[1, "a"], [2, "b"]]}``
nan, infinity                               ``{"$float": "nan"}``
int of more than 4,300 digits               ``{"$int": "0x1f..."}``
datetime, date                              ``{"$datetime": "2026-01-31T12:00:00+01:00"}``
numpy arrays                                ``{"$ndarray": [[1, 2], [3, 4]]}``
anything else                               ``{"$Decimal": "1.10"}``: its ``str``
==========================================  ====================================
"""

from __future__ import annotations

import base64
import json
import math
import sys
from datetime import date
from typing import Any, Final, NoReturn

_LONGEST_INT: Final = 10**4_299  # what Python writes in decimal without asking


def to_line(value: object) -> str:
    """Return ``value`` as one line of JSON that holds nothing unprintable."""
    text = json.dumps(to_plain(value), ensure_ascii=not _unicode(), separators=(", ", ": "), allow_nan=False)
    if text.isprintable():
        return text
    # They stand inside strings only, where JSON has an escape for each.
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in text)


def to_plain(value: Any) -> object:
    """Return ``value`` with what JSON has no form for as objects; see the module."""
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return value
    if kind is int:
        return value if -_LONGEST_INT < value < _LONGEST_INT else {"$int": hex(value)}
    if kind is float:
        return value if math.isfinite(value) else {"$float": str(value)}
    if kind is list or kind is tuple:
        return [to_plain(element) for element in value]
    if kind is dict:
        if all(type(key) is str for key in value):
            return {key: to_plain(element) for key, element in value.items()}
        return {"$dict": [[to_plain(key), to_plain(element)] for key, element in value.items()]}
    if kind is bytes:
        return {"$bytes": base64.b64encode(value).decode()}
    if kind is set or kind is frozenset:
        return {"$set": sorted((to_plain(element) for element in value), key=str)}
    if isinstance(value, date):
        return {f"${kind.__name__}": value.isoformat()}
    if hasattr(value, "tolist"):  # numpy's arrays and scalars, without importing it
        return {f"${kind.__name__}": to_plain(value.tolist())}
    return {f"${kind.__name__}": str(value)}


def from_line(text: str | bytes) -> object:
    """Return the value of one line of JSON.

    Raises:
        ValueError: it is none, or too large or too deep to be read.
    """
    try:
        return json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None


def _escaped(letter: str) -> str:
    return "\\u007f" if letter == "\x7f" else json.dumps(letter)[1:-1]


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _unicode() -> bool:
    return (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"
