"""Every value that may travel becomes one line of JSON, and nothing else becomes a job."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshmq.cli.plain import from_line, to_line
from tests.cli.test_terminal import HOSTILE

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(PLAIN)
def test_what_json_has_a_form_for_comes_back_equal(value: Any) -> None:
    line = to_line(value)
    assert line.isprintable()
    assert from_line(line) == value


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ({"n": 1, "b": [True, None]}, '{"n": 1, "b": [true, null]}'),
        ((1, 2), "[1, 2]"),
        (b"hello", '{"$bytes": "aGVsbG8="}'),
        ({2, 1}, '{"$set": [1, 2]}'),
        (frozenset({1}), '{"$set": [1]}'),
        ({1: "a", None: "b"}, '{"$dict": [[1, "a"], [null, "b"]]}'),
        (float("nan"), '{"$float": "nan"}'),
        (float("-inf"), '{"$float": "-inf"}'),
        (datetime(2026, 1, 31, 12, tzinfo=UTC), '{"$datetime": "2026-01-31T12:00:00+00:00"}'),
        (date(2026, 1, 31), '{"$date": "2026-01-31"}'),
        (timedelta(hours=1), '{"$timedelta": "1:00:00"}'),
        (Decimal("1.10"), '{"$Decimal": "1.10"}'),
        (uuid.UUID(int=1), '{"$UUID": "00000000-0000-0000-0000-000000000001"}'),
        (1 + 2j, '{"$complex": "(1+2j)"}'),
        ("\x7f\x9b\U000e0001", '"\\u007f\\u009b\\udb40\\udc01"'),
    ],
)
def test_value_is_written_as_documented(value: object, line: str) -> None:
    assert to_line(value) == line


def test_number_too_long_for_decimals_is_written_in_hex() -> None:
    number = 10**5_000
    assert json.loads(to_line([number, -number])) == [{"$int": hex(number)}, {"$int": hex(-number)}]
    assert from_line(to_line(10**4_298)) == 10**4_298


def test_array_is_written_whole() -> None:
    numpy = pytest.importorskip("numpy")
    assert to_line(numpy.array([[1, 2], [3, 4]])) == '{"$ndarray": [[1, 2], [3, 4]]}'


def test_hostile_text_is_escaped_and_still_json() -> None:
    line = to_line({HOSTILE: HOSTILE})
    assert line.isprintable()
    assert json.loads(line) == {HOSTILE: HOSTILE}


@pytest.mark.parametrize(
    "text", ["", "nojson", "NaN", "-Infinity", "1 2", "[" * 100_000, b"\xff", "9" * 5_000, '{"a": }', "'a'"]
)
def test_what_is_no_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  json's own, whose words may change
        from_line(text)
