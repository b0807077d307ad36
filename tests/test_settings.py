"""Settings: every default can be used, every unusable value is refused by its name."""

from __future__ import annotations

import dataclasses
import inspect
import math
import re
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshmq.errors import ConfigError
from meshmq.settings import Settings

EVERY = {field.name: field for field in dataclasses.fields(Settings)}
FIELDS = {name: field for name, field in EVERY.items() if name not in ("tap", "journal_sync", "shared_memory")}


def test_defaults_can_be_used() -> None:
    assert Settings() == Settings()


def test_settings_are_frozen_and_by_keyword() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().drain = 1.0  # type: ignore[misc]  # what is tested is that it raises
    with pytest.raises(TypeError):
        Settings(100)  # type: ignore[call-arg]  # what is tested is that it raises


def test_every_field_has_its_docstring() -> None:
    source = inspect.getsource(Settings)
    bare = [
        name for name in EVERY if not re.search(rf'^    {name}: [\w |\[\]", ]+ = .+\n    """\S', source, re.MULTILINE)
    ]
    assert bare == []


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, True, None, "5", b"", [], 1j], ids=repr)
def test_unusable_value_is_refused_by_the_fields_name(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"^Settings\({name}="):
        make(**{name: value})


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("value", [sys.maxsize, 2**64, 10**300], ids=["word", "more", "most"])
def test_number_that_cannot_be_reckoned_with_is_refused_with_its_bound(name: str, value: int) -> None:
    with pytest.raises(ConfigError, match=rf"^Settings\({name}=.* at most [0-9,]+$"):
        make(**{name: value})


@pytest.mark.parametrize(("name", "most"), [("message_bytes", 2**31), ("prefetch_bytes", 2**40), ("drain", 1e9)])
def test_largest_number_can_be_used(name: str, most: float) -> None:
    assert getattr(make(**{name: most}), name) == most
    with pytest.raises(ConfigError, match="at most"):
        make(**{name: most + 1})


@pytest.mark.parametrize("name", [name for name, field in FIELDS.items() if field.type == "int"])
def test_count_is_whole(name: str) -> None:
    with pytest.raises(ConfigError, match="it is a positive int"):
        make(**{name: 10.0})


@pytest.mark.parametrize("name", [name for name, field in FIELDS.items() if field.type == "float"])
def test_span_may_be_an_int(name: str) -> None:
    settings = make(**({"heartbeat": 1, "silence": 9} | {name: 3}))
    assert getattr(settings, name) == 3


@pytest.mark.parametrize("value", [True, False, None])
def test_to_be_tapped_is_agreed_to_or_refused_or_left_to_devices(*, value: bool | None) -> None:
    assert Settings(tap=value).tap is value


@pytest.mark.parametrize("value", [0, 1, "yes", [], 1.0], ids=repr)
def test_anything_else_is_refused_by_its_name(value: object) -> None:
    with pytest.raises(ConfigError, match=r"^Settings\(tap=.*True, False or None"):
        make(tap=value)


def test_silence_shorter_than_two_heartbeats_is_refused() -> None:
    assert Settings(heartbeat=1.0, silence=2.0).silence == 2.0
    with pytest.raises(ConfigError, match=r"silence=1\.9.*heartbeat=1\.0"):
        Settings(heartbeat=1.0, silence=1.9)


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), st.floats() | st.integers() | st.none() | st.text(max_size=3)))
def test_any_values_are_settings_or_one_error(values: dict[str, object]) -> None:
    try:
        settings = make(**values)
    except ConfigError:
        return
    assert dataclasses.asdict(settings) == dataclasses.asdict(Settings()) | values


def make(**values: Any) -> Settings:
    return Settings(**values)
