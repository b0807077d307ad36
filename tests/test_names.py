"""Names: what can be one, what cannot, and that the refusal says why."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshmq.errors import ConfigError, NameInvalid
from meshmq.names import NAME_BYTES, check_name, check_service, check_topic, counted, short


@pytest.mark.parametrize(
    "name", ["jobs", "weather.kitchen", "a", "camera-1_b", "küche", "温度.厨房", "x:y@z", "a" * NAME_BYTES]
)
def test_name_comes_back_as_it_is(name: str) -> None:
    assert check_name("queue", name) is name


class Odd(str):
    def __iter__(self) -> NoReturn:
        raise AssertionError("nobody asks a subclass")

    __str__ = __len__ = encode = __iter__  # type: ignore[assignment]  # none of them is called


def test_name_of_a_kind_of_str_comes_back_as_a_str() -> None:
    name = check_name("queue", Odd("jobs"))
    assert type(name) is str
    assert name == "jobs"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "cannot be empty"),
        (7, "is a str, not int: 7"),
        (None, "is a str, not NoneType"),
        (b"jobs", "is a str, not bytes"),
        (".", "empty segment"),
        (".a", "empty segment"),
        ("a.", "empty segment"),
        ("a..b", "empty segment"),
        ("a b", "cannot hold ' '"),
        ("a\tb", r"cannot hold '\\t'"),
        ("a\n", r"cannot hold '\\n'"),
        ("a\0", r"cannot hold '\\x00'"),
        ("a/b", "cannot hold '/'"),
        ("a*", r"cannot hold '\*'"),
        ("a>", "cannot hold '>'"),
        ("a#", "cannot hold '#'"),
        ("it's", 'cannot hold "\'"'),
        ("a\u00a0b", r"cannot hold '\\xa0'"),
        ("a\u200bb", r"cannot hold '\\u200b'"),
        ("a\u202eb", r"cannot hold '\\u202e'"),
        ("a\udc80", r"cannot hold '\\udc80'"),
        ("a" * (NAME_BYTES + 1), "has 201 bytes and may have 200"),
        ("ü" * 101, "has 202 bytes and may have 200"),
    ],
    ids=ascii,
)
def test_what_cannot_be_a_name_is_refused_with_the_reason(name: object, why: str) -> None:
    with pytest.raises(NameInvalid, match=why) as refused:
        check_name("queue", name)
    assert str(refused.value).startswith("the name of a queue ")
    assert isinstance(refused.value, ConfigError)


def test_refusal_of_an_endless_name_is_short() -> None:
    with pytest.raises(NameInvalid) as refused:
        check_name("topic", "a" * 1_000_000)
    assert len(str(refused.value)) < 200


@given(st.text())
def test_any_text_is_a_name_or_one_error(text: str) -> None:
    try:
        name = check_name("topic", text)
    except NameInvalid:
        return
    assert name == text
    assert 0 < len(name.encode()) <= NAME_BYTES
    assert all(name.split("."))
    assert not any(unicodedata.category(character)[0] in "CZ" for character in name)


@given(st.binary(min_size=16, max_size=16))
def test_short_id_is_its_first_eight_digits(node_id: bytes) -> None:
    assert short(node_id) == node_id.hex()[:8]


def test_one_is_not_many() -> None:
    assert [counted(number, "job") for number in (0, 1, 2000)] == ["0 jobs", "1 job", "2,000 jobs"]


@pytest.mark.parametrize("check", [check_topic, check_service])
def test_names_that_nodes_use_themselves_are_refused(check: Callable[[object], str]) -> None:
    assert check("meshmqs.tap") == "meshmqs.tap"
    with pytest.raises(NameInvalid, match=r"'meshmq\.tap\.jobs'.*are the nodes' own"):
        check("meshmq.tap.jobs")
