"""Fixtures of the tests that run a pipeline in processes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import pytest

from tests.network.children import Child
from tests.network.conftest import Start, namespaces, start

__all__ = ["Up", "namespaces", "start", "up"]

PROGRAMS = Path(__file__).parent / "programs"


class Up(Protocol):
    """Starts ``python PROGRAM ARGUMENTS`` or, with ``only``, ``meshmq up`` of it, in the mesh of the test."""

    def __call__(
        self, program: str, *arguments: object, only: tuple[str, ...] = (), env: Mapping[str, str] | None = None
    ) -> Child: ...


@pytest.fixture
def up(start: Start, mesh_name: str, tmp_path: Path) -> Up:
    """Start a pipeline as a ``Child``."""

    def up(program: str, *arguments: object, only: tuple[str, ...] = (), env: Mapping[str, str] | None = None) -> Child:
        file = PROGRAMS / f"{program}.py"
        command = [sys.executable, "-m", "meshmq", "up", f"{file}:pipeline", *only, "--arguments"] if only else None
        command = [*(command or [sys.executable, str(file)]), *map(str, arguments)]
        return start(command, env={"MESHMQ_MESH": mesh_name, **(env or {})}, cwd=tmp_path)

    return up
