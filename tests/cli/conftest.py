"""The command line as its users meet it: processes, in the mesh of the test."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import pytest

from tests.network.children import Child
from tests.network.conftest import Start, start

__all__ = ["Meshmq", "meshmq", "start"]


class Meshmq(Protocol):
    """Starts ``meshmq`` with these arguments in the mesh of the test."""

    def __call__(self, *arguments: str, env: Mapping[str, str] | None = None) -> Child: ...


@pytest.fixture
def meshmq(start: Start, mesh_name: str, tmp_path: Path) -> Meshmq:
    """Start the command as a ``Child``."""

    def meshmq(*arguments: str, env: Mapping[str, str] | None = None) -> Child:
        command = [sys.executable, "-m", "meshmq", *arguments]
        return start(command, env={"MESHMQ_MESH": mesh_name, **(env or {})}, cwd=tmp_path)

    return meshmq
