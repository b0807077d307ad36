"""Fixtures of the tests that need several processes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from tests.network.children import Child, python
from tests.network.namespaces import Network, reason_against


class Start(Protocol):
    """Starts a command; the test's end is its end."""

    def __call__(
        self, command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | str | None = None
    ) -> Child: ...


class Spawn(Protocol):
    """Starts Python on a file (a ``Path``) or on code (a ``str``); the test's end is its end."""

    def __call__(
        self,
        code_or_path: str | Path,
        *arguments: object,
        env: Mapping[str, str] | None = None,
        cwd: Path | str | None = None,
    ) -> Child: ...


class Namespaces(Protocol):
    """Makes ``count`` network namespaces on one bridge; the test's end is their end."""

    def __call__(self, count: int = 2) -> Network: ...


@pytest.fixture
def start() -> Iterator[Start]:
    """Start any command as a ``Child``."""
    children: list[Child] = []

    def start(command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | str | None = None) -> Child:
        children.append(Child(command, env=env, cwd=cwd))
        return children[-1]

    yield start
    for child in reversed(children):
        child.close()


@pytest.fixture
def spawn(start: Start) -> Spawn:
    """Start Python as a ``Child``."""

    def spawn(
        code_or_path: str | Path,
        *arguments: object,
        env: Mapping[str, str] | None = None,
        cwd: Path | str | None = None,
    ) -> Child:
        return start(python(code_or_path, *arguments), env=env, cwd=cwd)

    return spawn


@pytest.fixture
def namespaces() -> Iterator[Namespaces]:
    """Make networks of namespaces; skip, with the reason, where that cannot be done."""
    if reason := reason_against():
        pytest.skip(reason)
    networks: list[Network] = []

    def namespaces(count: int = 2) -> Network:
        networks.append(Network(count))
        return networks[-1]

    yield namespaces
    for network in networks:
        network.close()
