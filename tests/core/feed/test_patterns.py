"""Patterns and topics: against a matcher written in another way, and an index against looking at each."""

from __future__ import annotations

import re
import time
from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshmq.core.feed.patterns import Patterns, covers, matches, prefix, weight
from meshmq.names import check_pattern
from tests.scale import scale

NAMES = ("a", "b", "ab", "é", "meshmq")
segments = st.sampled_from(NAMES)
topics = st.lists(segments, min_size=1, max_size=5).map(".".join)
patterns = st.tuples(
    st.lists(segments | st.just("*"), max_size=4), segments | st.sampled_from(["*", "**"])
).map(lambda parts: ".".join((*parts[0], parts[1])))  # fmt: skip


def reference(pattern: str) -> re.Pattern[str]:
    """Return a pattern as a regular expression, which knows nothing of segments."""
    text = re.escape(pattern)
    own = "" if pattern.startswith("meshmq.") else r"(?!meshmq\.)"
    text = re.sub(r"(?:(?<=\.)|^)\\\*(?=\\\.|$)", r"[^.]+", text)
    text = re.sub(r"(?:(?<=\.)|^)\\\*\\\*$", r".+", text)
    return re.compile(f"{own}(?:{text})\\Z")


def words(random: Random, *more: str) -> list[str]:
    return [random.choice((*NAMES, *more)) for _ in range(random.randint(1, 5))]


def test_any_pairs_match_as_a_regular_expression_says() -> None:
    random, found = Random(1), 0
    pairs = scale(20_000, 100_000)
    for _ in range(pairs):
        pattern, topic = (
            ".".join((*words(random, "*", "*")[1:], random.choice(("a", "*", "**")))),
            ".".join(words(random)),
        )
        expected = reference(pattern).match(topic) is not None
        assert matches(pattern, topic) is expected, (pattern, topic)
        found += expected
    assert found > pairs // 20


@pytest.mark.parametrize(
    ("pattern", "topic", "whether"),
    [
        ("a", "ab", False),
        ("a", "a.b", False),
        ("a.**", "a", False),
        ("a.**", "a.b.c", True),
        ("**", "a", True),
        ("*", "a.b", False),
        ("a.*", "a", False),
        ("a.*.c", "a.b.c", True),
        ("a.*.**", "a.b", False),
        ("**", "meshmq.tap.jobs", False),
        ("*.tap.jobs", "meshmq.tap.jobs", False),
        ("meshmq.**", "meshmq.tap.jobs", True),
        ("meshmq.tap.jobs", "meshmq.tap.jobs", True),
        ("**", "meshmq", True),
        ("**", "meshmqs.tap", True),
    ],
)
def test_segments_match_whole(pattern: str, topic: str, *, whether: bool) -> None:
    assert matches(pattern, topic) is whether
    index: Patterns[int] = Patterns()
    index.add(pattern, 1)
    assert index.matching(topic) == [1] * whether


@given(patterns, topics)
def test_all_that_matches_begins_with_the_prefix(pattern: str, topic: str) -> None:
    assert check_pattern(pattern) == pattern
    if matches(pattern, topic):
        assert (topic.encode() + b"\0").startswith(prefix(pattern))


@given(topics)
def test_the_prefix_of_a_topic_brings_it_alone(topic: str) -> None:
    assert prefix(topic) == topic.encode() + b"\0"


@given(st.lists(st.tuples(patterns, st.integers(0, 3), st.booleans()), max_size=30), st.lists(topics, max_size=8))
def test_the_index_finds_what_looking_at_each_finds(changes: list[tuple[str, int, bool]], asked: list[str]) -> None:
    index: Patterns[int] = Patterns()
    there: dict[tuple[str, int], None] = {}
    for pattern, value, add in changes:
        if add:
            index.add(pattern, value)
            there[pattern, value] = None
        else:
            index.remove(pattern, value)
            there.pop((pattern, value), None)
        for topic in asked:
            found = index.matching(topic)
            assert sorted(found) == sorted({value for pattern, value in there if matches(pattern, topic)})
    for pattern, value in there:
        index.remove(pattern, value)
    assert index._root.empty
    assert not index._literal


def test_a_pattern_weighs_what_it_takes_in_an_index() -> None:
    assert (weight("a.b.c"), weight("a.*"), weight("**"), weight("a.b.**")) == (1, 2, 1, 3)


def test_many_literal_patterns_are_found_and_forgotten_in_time() -> None:
    index: Patterns[int] = Patterns()
    began = time.perf_counter()
    for number in range(50_000):
        index.add(f"plant.{number}.temp", number)
    for number in range(0, 50_000, 100):
        assert index.matching(f"plant.{number}.temp") == [number]
    for number in range(50_000):
        index.remove(f"plant.{number}.temp", number)
    assert time.perf_counter() - began < 10


SHORT = st.tuples(
    st.lists(st.sampled_from(["a", "*"]), max_size=2), st.sampled_from(["a", "b", "*", "**"])
).map(lambda parts: ".".join((*parts[0], parts[1])))  # fmt: skip
#: One name is in no pattern, and one segment more than any pattern has is enough: all that there is to tell.
SHORT_TOPICS = [".".join(names) for count in range(1, 5) for names in product(("a", "b", "other"), repeat=count)]


@given(SHORT, SHORT)
def test_a_pattern_covers_another_where_it_matches_all_that_the_other_matches(wide: str, narrow: str) -> None:
    matched = [topic for topic in SHORT_TOPICS if matches(narrow, topic)]
    assert covers(wide, narrow) == all(matches(wide, topic) for topic in matched)
