"""What conditions hold of what data, how they are read, and that a text from the network cannot hold one up."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from meshmq.errors import ConfigError
from meshmq.routing.conditions import MATCHED, read_condition

MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)
DATA = {
    "n": 5,
    "half": 0.5,
    "one": 1,
    "exact": Decimal("1.10"),
    "yes": True,
    "text": "DE",
    "none": None,
    "raw": b"DE",
    "moment": MOMENT,
    "day": date(2026, 1, 31),
    "hour": time(12),
    "hour here": time(12, tzinfo=UTC),
    "rows": [{"x": 1}, (7, 8)],
    "deep": {"a.b": {"größe": 1}, "1": "key"},
    "nothing": Decimal("sNaN"),
}


@pytest.mark.parametrize(
    "text",
    [
        "n == 5", "n == 5.0", "n != 6", "n > 4", "n >= 5", "n < 5.5", "n <= 5", "n in [1, 5]", "n>4",
        "exact > 1.09", "exact != 1.1", "half in [0.5]", "yes == true", "yes != false", "yes != 1", "one != true",
        'text == "DE"', "text == 'DE'", 'text in ["AT", "DE"]', 'text < "DF"', 'text matches "D?"', 'text matches "D*"',
        'text matches "[A-E]*"', 'text matches "?[!A-D]"', 'text matches "DE*"', "text != 5", 'n != "5"', "none != 0",
        'raw != "DE"', "moment == 2026-01-31T13:00:00+01:00", "moment > 2026-01-31T11:59:59Z", "day == 2026-01-31",
        "day < 2026-02-01", "hour >= 12:00:00", "rows.0.x == 1", "rows.1.0 in [7]", "nothing != 1", "rows != 1",
        'deep."a.b"."größe" == 1', 'deep.1 == "key"', '"hour here" != 13:00:00',
    ],
)  # fmt: skip
def test_condition_holds(text: str) -> None:
    assert read_condition(text).holds(DATA)


@pytest.mark.parametrize(
    "text",
    [
        "n == 6", "n != 5", "n != 5.0", 'n == "5"', "n < 5", "n > 5", "n in [1, 2]", "yes == 1", "one == true",
        "yes in [1]", 'text == "de"', 'text matches "D"', 'text matches "d*"', 'n matches "*"', 'raw matches "*"',
        'text > 5', 'n > "4"', "gone == 1", "gone != 1", 'gone matches "*"', "none == 0", "none < 1", "rows.2.x == 1",
        "rows.x == 1", "rows.-1 == 1", "rows.00000000000 != 1", "n.x == 1", "text.0 != 1", "moment == 2026-01-31",
        "day == 2026-01-31T00:00:00Z", "nothing == 1", "nothing < 1", "nothing > 1", '"hour here" > 11:00:00',
        "raw == 'DE'", ". == 5", "rows == 1", "deep.a == 1", "half > nan", "half <= nan",
    ],
)  # fmt: skip
def test_condition_does_not_hold(text: str) -> None:
    assert not read_condition(text).holds(DATA)


@pytest.mark.parametrize(("data", "holds"), [(-0.5, True), (Decimal("-0.5"), True), (0, False), ("-1", False)])
def test_point_is_the_data_itself(data: Any, holds: bool) -> None:
    assert read_condition(". < 0").holds(data) is holds


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not FIELD OP VALUE with ==, !=, <, <=, >, >=, in, matches"),
        ("n", "is not FIELD OP VALUE"),
        ("n = 5", "is not FIELD OP VALUE"),
        ("n like 5", "is not FIELD OP VALUE"),
        ("n ==", "is not FIELD OP VALUE"),
        ("n inside 5", "is not FIELD OP VALUE"),
        ("text == DE", "'DE' is no value"),
        ("n == 5\nm = 6", "is no value"),
        ("n in [1, 2", "is no value"),
        ("n == " + "[" * 5000, "is no value"),
        ("a..b == 5", "'a..b' is no field"),
        (".a == 5", "'.a' is no field"),
        ("größe == 5", "quoted where they hold more"),
        ("n in 5", "in takes an array"),
        ("n in []", "in takes an array"),
        ("n == [5]", "for several write in"),
        ("n in [[5]]", "for several write in"),
        ("n == {a = 5}", "for several write in"),
        ("n > true", "true or false has no order"),
        ("n matches 5", "matches takes a text with wildcards"),
        ("n == 2026-01-31T12:00:00", "a moment needs its offset"),
    ],
)
def test_what_is_no_condition_is_told(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_condition(text)
    assert said in str(error.value)
    assert repr(text)[:20] in str(error.value)


def test_no_text_holds_a_match_up() -> None:
    """A regular expression that says the same takes longer than anybody lives."""
    condition = read_condition(f'. matches "{"*a" * 50}*b"')
    assert not condition.holds("a" * MATCHED)
    assert condition.holds("a" * (MATCHED - 1) + "b")


def test_text_of_more_letters_than_are_looked_at_does_not_match() -> None:
    condition = read_condition('. matches "*"')
    assert condition.holds("a" * MATCHED)
    assert not condition.holds("a" * (MATCHED + 1))
