"""A camera and its viewers, in processes: who is slow sees the newest, skips the rest, and harms nobody."""

from __future__ import annotations

import re
import sys
from typing import Final

import pytest

from tests.architecture import ROOT
from tests.examples.promises import command, promised, steady
from tests.network.conftest import Start

#: How many a viewer had time for is measured, too.
LOOK: Final = re.compile(r"slow picture (\d+), # ms old, (\d+) skipped")
SUM: Final = re.compile(r"(fast|slow) saw (\d+), skipped (\d+)")
UNSEEN: Final = "import runpy, sys; sys.modules['numpy'] = None; runpy.run_path('examples/camera', run_name='__main__')"


def frame(lines: list[str]) -> list[str]:
    """Return lines but for the single looks, without how many pictures were seen and skipped."""
    return [SUM.sub(r"\1 saw #, skipped #", line) for line in lines if not LOOK.fullmatch(line)]


def test_it_prints_what_its_readme_says(start: Start) -> None:
    pytest.importorskip("numpy", reason="pictures are numpy arrays")
    example = start(command("camera"), cwd=ROOT)
    lines = steady(example.rest())
    assert frame(lines) == frame(promised("camera")), example.stderr
    assert example.wait() == 0
    assert "Traceback" not in example.stderr

    looks = [(int(found[1]), int(found[2])) for found in map(LOOK.fullmatch, lines) if found]
    assert looks[-1][0] == 45, "the newest is the last thing that the slow one sees"
    before = 0
    for number, skipped in looks:
        assert skipped == number - before - 1
        before = number
    sums = {found[1]: (int(found[2]), int(found[3])) for found in map(SUM.match, lines) if found}
    assert sums["slow"] == (len(looks), sum(skipped for _, skipped in looks))
    assert sum(sums["fast"]) == sum(sums["slow"]) == 45
    # With a queue it would have seen all of them, in 11 s.
    assert sums["slow"][0] < sums["fast"][0]


def test_without_numpy_it_says_what_to_install(start: Start) -> None:
    example = start([sys.executable, "-c", UNSEEN], cwd=ROOT)
    assert example.wait() == 1
    assert example.stderr.splitlines() == [
        "pictures are numpy arrays, and numpy is not installed: python -m pip install numpy"
    ]
    assert example.rest() == []


def test_torn_picture_is_found() -> None:
    pytest.importorskip("numpy", reason="pictures are numpy arrays")
    from examples.camera.picture import draw, find_bar

    assert [find_bar(draw(number)) for number in (0, 1, 79, 80)] == [0, 1, 79, 0]
    torn = draw(3)
    torn[240:] = draw(4)[240:]
    with pytest.raises(ValueError, match="torn"):
        find_bar(torn)
