"""The two faces have the same names and signatures; only ``async`` tells them apart."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

import meshmq

TWINS = [
    (meshmq.Node, meshmq.AsyncNode),
    (meshmq.Message, meshmq.AsyncMessage),
    (meshmq.Queue, meshmq.AsyncQueue),
    (meshmq.Receiver, meshmq.AsyncReceiver),
    (meshmq.Service, meshmq.AsyncService),
    (meshmq.Stream, meshmq.AsyncStream),
]
#: What never waits is a plain call on both faces.
PLAIN = {"peers", "stats", "pull", "subscribe", "reply", "queue", "topic", "service", "stream", "close of Receiver"}
PLAIN |= {"device", "ack", "nack", "reject", "hold", "extend"}


@pytest.mark.parametrize(("blocking", "aio"), TWINS)
def test_twins_have_the_same_public_names(blocking: type, aio: type) -> None:
    assert public(blocking) == public(aio)


@pytest.mark.parametrize(("blocking", "aio"), TWINS)
def test_twins_have_the_same_signatures(blocking: type, aio: type) -> None:
    for name in public(blocking):
        here, there = getattr(blocking, name), getattr(aio, name)
        if callable(here):
            assert signature(here) == signature(there), name
        else:
            assert type(here) is type(there), name
    assert signature(blocking) == signature(aio)


@pytest.mark.parametrize(("blocking", "aio"), TWINS)
def test_what_may_wait_is_awaited_and_what_does_not_is_not(blocking: type, aio: type) -> None:
    for name in public(blocking):
        there = inspect.unwrap(getattr(aio, name)) if callable(getattr(aio, name)) else None
        if there is None:
            continue
        plain = name in PLAIN or f"{name} of {blocking.__name__}" in PLAIN
        waits = inspect.iscoroutinefunction(there) or inspect.isasyncgenfunction(there)
        assert waits is not plain, f"{aio.__name__}.{name}"
        assert not inspect.iscoroutinefunction(getattr(blocking, name))


@pytest.mark.parametrize(("blocking", "aio"), TWINS)
def test_twins_raise_the_same_as_their_docstrings_say(blocking: type, aio: type) -> None:
    for name in public(blocking):
        here, there = inspect.getdoc(getattr(blocking, name)), inspect.getdoc(getattr(aio, name))
        assert bool(here) == bool(there), name
        if here and there:
            assert raises(here) == raises(there), name


def public(kind: type) -> list[str]:
    return sorted(name for name in dir(kind) if not name.startswith("_"))


def signature(function: Callable[..., Any]) -> list[tuple[str, object, object, str]]:
    """Return the parameters and the result, with the twins' own names made one."""
    found = inspect.signature(function)
    rows = [
        (parameter.name, parameter.kind, parameter.default, one_name(parameter.annotation))
        for parameter in found.parameters.values()
    ]
    return [*rows, ("return", None, None, one_name(found.return_annotation))]


def one_name(annotation: object) -> str:
    return re.sub(r"\b(Async|Task(?=Node)|Base(?=Node))", "", str(annotation))


def raises(docstring: str) -> list[str]:
    """Return the names of the errors that a docstring tells."""
    _, _, told = docstring.partition("Raises:")
    return sorted(set(re.findall(r"\b[A-Z]\w+(?=[:,]| *:)", told)))
