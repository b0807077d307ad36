"""A durable job that kills the process that both pushed it and does it: it is a dead letter in the end."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from tests.network.children import LIMIT
from tests.network.conftest import Spawn

LONELY: Final = Path(__file__).parent / "programs" / "lonely.py"
JOBS: Final = {f"{when} {number}" for when in ("before", "after") for number in range(5)}
#: Once it was among others; then it failed alone as often as it may.
DEATHS: Final = 3


@pytest.mark.parametrize("deadly", ["exit", pytest.param("kill", marks=pytest.mark.stress)])
def test_it_stops_coming_back_and_the_others_are_done(
    spawn: Spawn, mesh_name: str, tmp_path: Path, deadly: str
) -> None:
    env = {"MESHMQ_MESH": mesh_name}
    done: Counter[str] = Counter()
    deaths = 0
    while True:
        child = spawn(LONELY, tmp_path / "jobs.db", "again" if deaths else "push", deadly, env=env)
        lines = child.rest(LIMIT)
        done.update(line.removeprefix("done ") for line in lines if line.startswith("done "))
        code = child.wait(LIMIT)
        if code == 0:
            break
        deaths += 1
        assert deaths <= DEATHS, f"it comes back and back; {child.stderr}"
    assert lines[-2:] == ["dead 1", "finished"]
    assert done.keys() >= JOBS
    assert deaths == DEATHS
