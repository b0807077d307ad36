"""How a run ends: by its source, by a signal, by what goes wrong; and what it never does."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from meshmq.pipeline.definition import OUTBOX_JOBS
from tests.network.children import LIMIT, Child
from tests.pipeline.conftest import Up

FOREVER = 0
#: All that one may give, but for what the sink has taken since: it has about ten at a time.
FULL = OUTBOX_JOBS - 100


def begun(child: Child) -> dict[str, int]:
    """Wait until values are done; returns the process ids."""
    while True:
        line = child.line()
        if line.startswith("at ") and int(line.split()[2]) > 0:
            return {label: int(pid) for label, pid in (word.split("=") for word in line.split()[4:])}


def last(child: Child, pattern: str) -> re.Match[str]:
    """Return what fits among the lines that are left."""
    lines = child.rest()
    found = [match for line in lines if (match := re.search(pattern, line))]
    assert found, "\n".join([*lines, child.stderr])
    return found[-1]


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.stress)])
def test_signal_ends_the_source_and_what_it_has_given_is_done(up: Up, number: signal.Signals) -> None:
    child = up("endless", FOREVER, 0)
    begun(child)
    child.signal(number)
    lines = child.rest()
    assert child.wait() == 0, child.stderr
    assert lines[-1].startswith("complete False given ")
    (counted,) = [line for line in lines if line.startswith("count-1: count ")]
    assert counted.endswith("whole True"), "all up to the last that was given"


def test_second_signal_ends_all_at_once(up: Up) -> None:
    child = up("endless", FOREVER, 5)
    child.until("begun")
    child.until("at ")
    child.signal(signal.SIGINT)
    child.signal(signal.SIGTERM)
    assert child.wait() in (128 + signal.SIGINT, 128 + signal.SIGTERM)


def test_source_that_raises_ends_the_run_and_what_it_gave_is_done(up: Up) -> None:
    child = up("endless", 20, 0, "raise")
    assert last(child, r"count (\d+) whole (\w+)").groups() == ("20", "True")
    assert child.wait() == 1
    assert "source 'numbers' raised; what it gave before is done" in child.stderr


def test_source_that_is_killed_begins_anew(up: Up) -> None:
    child = up("endless", 100, 0.01)
    os.kill(begun(child)["numbers-1"], signal.SIGKILL)
    assert last(child, r"count (\d+) whole (\w+)").groups() == ("100", "True")
    assert child.wait() == 0
    assert "numbers-1 has ended with -9; it is started again" in child.stderr


def test_program_that_runs_its_pipeline_when_it_is_imported_is_told(up: Up, tmp_path: Path) -> None:
    program = tmp_path / "careless.py"
    program.write_text(
        "from meshmq import Pipeline\n"
        "pipeline = Pipeline('careless')\n"
        "@pipeline.source\n"
        "def numbers(): yield 1\n"
        "@pipeline.sink\n"
        "def end(value): pass\n"
        "pipeline.run()\n"
    )
    child = up(str(program.with_suffix("")))
    assert 'put pipeline.run() behind if __name__ == "__main__":' in "\n".join(child.rest())
    assert child.wait() == 1
    assert "a process of 'careless' cannot do what it is to; it has said why" in child.stderr


@pytest.mark.stress
@pytest.mark.timeout(300)
def test_memory_is_flat_behind_a_sink_that_is_slower_than_all_before_it(up: Up) -> None:
    """The source could give a hundred times as much: it waits, and so does everybody in between."""
    child = up("brim")
    first = memory_when_full(child, looks=40)  # all has been used once
    last = memory_when_full(child, looks=200)
    grown = {label: size - first[label] for label, size in last.items()}
    assert max(grown.values()) < 4 * 1024 * 1024, grown
    print({label: f"{size / 1024:,.0f} KiB more" for label, size in grown.items()})
    child.signal(signal.SIGINT)
    child.signal(signal.SIGTERM)  # the second ends it at once
    child.wait(LIMIT)


def memory_when_full(child: Child, *, looks: int) -> dict[str, int]:
    """Look so often, and on until each process has given all it may and waits for the sink; returns the memory of each.

    That the source has is not enough: what it gave may be with one worker now, and later with another.
    """
    while True:
        line = child.line()
        if not line.startswith("at "):
            continue
        looks -= 1
        held_back_by, *parts = line.split()[1:]
        told = [(label, int(process), int(depth)) for label, process, depth in (part.split("=") for part in parts)]
        depths = {label: depth for label, _, depth in told}
        assert max(depths.values(), default=0) <= OUTBOX_JOBS, depths
        full = {label for label, depth in depths.items() if depth >= FULL}
        if looks <= 0 and "count-1" in depths and full == {"numbers-1", "pad-1", "pad-2"} and held_back_by == "count":
            memory = {label: memory_of(process) for label, process, _ in told}
            return memory | {"the run itself": memory_of(child.pid)}


def memory_of(process: int) -> int:
    """Return the bytes of a process that are in memory."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except OSError:
        pytest.skip("no /proc/PID/statm here: the memory of a process is not known")
    return pages * os.sysconf("SC_PAGE_SIZE")
