"""The bench runs, with counts too small to mean anything."""

from __future__ import annotations

import pytest

from tests.architecture import ROOT
from tests.network.children import python
from tests.network.conftest import Start, start

__all__ = ["start"]


@pytest.mark.stress
def test_bench_prints_its_table(start: Start) -> None:
    bench = start(python(ROOT / "tests" / "bench", "--rounds", 1, "--size", 0.001, "--subscribers", 1, 2))
    lines = bench.rest(50.0)
    assert bench.wait() == 0, bench.stderr
    jobs = ("sync 1:1", "sync 1:4", "asyncio 1:1", "workers of", "device 1:1", "device 1, 10", "tapped device")
    others = ("publish 1:1", "publish 1:2", "request sync", "request asyncio", "journal, eight wait")
    for row in (*jobs, *others, "same host", "killed peer", "zeroconf"):
        assert any(line.startswith(row) for line in lines), row
