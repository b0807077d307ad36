"""What is imported when a program starts: what it needs, and nothing that takes long and may not be needed."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

import pytest

import meshmq

#: What some programs need, and most do not.
LATER: Final = ("argparse", "asyncio", "numpy", "sqlite3", "ssl", "subprocess", "tomllib", "zeroconf")
TOLD: Final = f"import sys; print(*sorted(set({LATER!r}) & set(sys.modules)))"

WORKER: Final = """
import meshmq
with meshmq.Node() as node:
    @node.pull("jobs")
    def work(number):
        assert node.request("double", number) == 2
    @node.reply("double")
    def double(number):
        return 2 * number
    node.push("jobs", 1)
    node.publish("news", 1)
    node.flush()
"""


def imported(program: str) -> list[str]:
    """Run a program; return what it has imported of those."""
    done = subprocess.run(
        [sys.executable, "-c", program + TOLD], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_node_of_threads_needs_none_of_what_takes_long() -> None:
    assert imported(WORKER) == []


def test_names_that_are_imported_later_are_the_packages_own() -> None:
    assert set(meshmq._LATER) < set(meshmq.__all__) <= set(dir(meshmq))
    for name, module in meshmq._LATER.items():
        assert getattr(meshmq, name).__module__.startswith(module)
    with pytest.raises(AttributeError, match="no attribute 'Nod'"):
        meshmq.Nod  # type: ignore[attr-defined]  # noqa: B018  # that is the point
