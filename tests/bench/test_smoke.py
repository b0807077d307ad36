"""The bench runs, with counts too small to mean anything."""

from __future__ import annotations

import pytest

from tests.architecture import ROOT
from tests.network.children import python
from tests.network.conftest import Start, start

__all__ = ["start"]


@pytest.mark.stress
@pytest.mark.timeout(300)
def test_bench_prints_its_table(start: Start) -> None:
    bench = start(python(ROOT / "tests" / "bench", "--rounds", 1, "--size", 0.001, "--subscribers", 1, 2))
    lines = bench.rest(240.0)
    assert bench.wait() == 0, bench.stderr
    jobs = ("push 1:1 sync", "push 1:4 sync", "push 4:1 sync", "push 1:1 async", "push 1:1 sync encrypted")
    others = ("publish 1:1 sync", "publish 1:2 sync", "request 1:1 sync", "request 1:1 x 32 async", "large 16 MB array")
    special = ("through: push 1:1", "tapped: push 1:1", "journal, eight wait", "same host", "killed peer", "zeroconf")
    for row in (*jobs, *others, "discover 4 there", *special):
        assert any(line.strip().startswith(row) for line in lines), row
