"""Where messages go by rules: the same as by a program that knows no rules, and whatever the data is."""

from __future__ import annotations

from collections import Counter
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshmq.routing.file import parse_rules
from meshmq.routing.rules import Place, meet
from tests.codecs.values import anything
from tests.routing.reference import ENDS, TWELVE, messages, reference

MESSAGES: Final = 10_000
ALL: Final = parse_rules(TWELVE.replace("MATCH", "all"), "twelve.toml")


@pytest.mark.parametrize("match", ["first", "all"])
def test_twelve_rules_send_ten_thousand_messages_where_the_reference_does(match: str) -> None:
    rules = parse_rules(TWELVE.replace("MATCH", match), "twelve.toml")
    counts: Counter[str] = Counter()
    for sent in messages(MESSAGES, seed=1):
        source = Place("queue" if sent.kind == "queue" else "topic", sent.name)
        found = [str(place) for place in rules.route(sent.data, sent.headers, source)]
        assert found == reference(sent, every=match == "all"), sent
        counts.update(found)
    assert len(rules.rules) == 12
    assert sorted(counts) == sorted(ENDS)
    assert min(counts.values()) > 5


def test_queue_and_topic_of_one_name_are_two_places() -> None:
    text = """
exchange = "two"
from_queues = "same"
from_topics = "same"
unmatched = "rest"
[[rule]]
from_topics = "same"
to_queues = "of-topic"
"""
    rules = parse_rules(text, "two.toml")
    assert [str(place) for place in rules.route(1, {}, Place("topic", "same"))] == ["queue of-topic"]
    assert [str(place) for place in rules.route(1, {}, Place("queue", "same"))] == ["queue rest"]


@given(anything, st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=3))
def test_no_data_raises(data: object, headers: dict[str, str]) -> None:
    fields = ("total", "path", "lines", "due", "on", "at", "customer", "paid")
    of_twelve = dict.fromkeys(fields, data)
    for content in (data, of_twelve, {**of_twelve, "customer": {"country": data, "first name": data}, "lines": [data]}):
        assert ALL.route(content, headers, Place("queue", "orders.eu"))
        assert ALL.route(content, headers, Place("topic", "weather.attic.inside"))


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("a", "a", True),
        ("a", "b", False),
        ("a", "a.b", False),
        ("a.*", "a.b", True),
        ("a.*", "*.b", True),
        ("a.*", "b.*", False),
        ("a.*", "a.b.c", False),
        ("a.**", "a.b.c", True),
        ("a.**", "a", False),
        ("a.**", "*", False),
        ("**", "a.b.*", True),
        ("a.**", "*.*.c", True),
        ("a.b.**", "a.c.**", False),
    ],
)
def test_patterns_meet_where_a_name_has_both(one: str, other: str, together: bool) -> None:
    assert meet(one, other) is together
    assert meet(other, one) is together
