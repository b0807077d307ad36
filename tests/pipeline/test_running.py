"""A pipeline in processes: what comes out is right, whoever dies, joins or is told to end."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.network.children import ROOT, Child
from tests.pipeline.conftest import Up

#: A piece of the standard library, and all of it.
PIECE, LIBRARY = Path(json.__file__).parents[1] / "asyncio", Path(json.__file__).parents[1]


def told(child: Child, limit: float = 30.0) -> Any:
    """Return what the program prints last."""
    lines = child.rest(limit)
    assert child.wait() == 0, "\n".join([*lines, child.stderr])
    return json.loads(next(line for line in reversed(lines) if line[:1] in "[{"))


def said(child: Child, label: str) -> list[str]:
    """Return what a process of a pipeline that is over has printed."""
    return [line.partition(": ")[2] for line in child.rest() if line.startswith(f"{label}: ")]


def test_graph_of_all_kinds_of_stages_brings_each_value_to_its_place(up: Up) -> None:
    child = up("everything", 500)
    lines = child.rest()
    assert child.wait() == 0, child.stderr
    assert json.loads(lines[-1]) == {"complete": True, "given": 500}
    (collected,) = [line.removeprefix("collect-1: ") for line in lines if line.startswith("collect-1: ")]
    batches = json.loads(collected)
    assert all(1 <= len(batch) <= 50 for batch in batches)
    values = list(itertools.chain(*batches))
    tens = [(kind, value[kind]) for value in values for kind in ("ten", "twenty") if kind in value]
    assert Counter(tens) == Counter(
        [("ten", number) for number in range(0, 500, 10)] + [("twenty", 2 * number) for number in range(0, 500, 10)]
    )
    by_user = [value for value in values if "user" in value]
    assert sorted(value["n"] for value in by_user) == [number for number in range(500) if number % 10]
    for user in ("ada", "bob", "eve", "dan", "kim"):
        here = [value for value in by_user if value["user"] == user]
        assert len({value["pid"] for value in here}) == 1, "one worker for each key"
    rows = {line.split()[0]: line.split()[1:] for line in child.stderr.splitlines()[-6:]}
    assert rows["numbers"][:2] == ["-", "500"]
    assert rows["by_user"][:2] == ["450", "450"]
    assert rows["collect"][:2] == ["550", "-"]


def plain(sources: Path) -> dict[int, Any]:
    """Do what the program ``files`` does, in one process."""
    paths = sorted(str(path) for path in sources.rglob("*.py"))
    words = [dict(Counter(Path(path).read_bytes().decode(errors="replace").split()).most_common(10)) for path in paths]
    return {number: [path, counted] for number, (path, counted) in enumerate(zip(paths, words, strict=True))}


def stored(results: Path) -> dict[int, Any]:
    """Return what the program ``files`` has stored."""
    return {int(file.stem): json.loads(file.read_text()) for file in results.glob("*.json")}


def test_result_is_right_though_one_of_each_stage_is_killed(up: Up, tmp_path: Path) -> None:
    doom = {"read": 5, "count": 15, "store": 25}
    child = up("files", PIECE, tmp_path, json.dumps(doom), "inside")
    complete, restarts, _ = told(child)
    assert complete
    assert restarts == {"paths": 0, "read": 1, "count": 1, "store": 1}
    assert stored(tmp_path) == plain(PIECE)


@pytest.mark.stress
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(4))
def test_result_is_right_though_every_process_of_every_stage_is_killed_at_random(
    up: Up, tmp_path: Path, seed: int
) -> None:
    random, labels = Random(seed), ["paths-1", "read-1", "read-2", "count-1", "count-2", "store-1"]
    wanted = plain(linked(tmp_path / "sources", 2_000))
    (results := tmp_path / "results").mkdir()
    doom = {label: random.randrange(len(wanted) // 2) for label in labels}
    child = up("files", tmp_path / "sources", results, json.dumps(doom), "outside")
    complete, restarts, left = told(child, 240)
    assert complete
    assert left == {}, "all were killed"
    assert restarts == {"paths": 1, "read": 2, "count": 2, "store": 1}
    assert len(wanted) == 2_000
    assert stored(results) == wanted


def linked(directory: Path, count: int) -> Path:
    """Fill a directory with links to so many real files."""
    directory.mkdir()
    files = itertools.chain(LIBRARY.rglob("*.py"), ROOT.rglob("*.py"))
    for number, file in enumerate(itertools.islice(files, count)):
        (directory / f"{number}.py").symlink_to(file)
    return directory
