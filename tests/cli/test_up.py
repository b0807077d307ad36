"""``meshmq up``: stages join by name and take their share; what cannot be run is told at once."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Final

import pytest

from meshmq import Node
from meshmq.cli import main
from tests.cli.conftest import Meshmq
from tests.network.children import LIMIT

MODULE: Final = """
import os
import sys
import threading
from meshmq import Node, Pipeline

pipeline, other = Pipeline("shop"), 1
never = threading.Event()

@pipeline.source
def orders():
    yield from range(int(sys.argv[1]))

@pipeline.stage
def price(order):
    never.wait(0.005)
    return order, os.getpid()

@pipeline.sink(workers=2, key=lambda value: value[0])
class Ship:
    def __init__(self):
        self.by = {}
    def __call__(self, value):
        self.by[value[1]] = self.by.get(value[1], 0) + 1
    def close(self):
        print("shipped", *self.by.values())
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(MODULE)


@pytest.mark.stress
def test_workers_that_join_take_a_share_and_leave_when_they_are_told(meshmq: Meshmq, mesh_name: str) -> None:
    joined = meshmq("up", "shop:pipeline", "--only", "price", "--workers", "2", "--arguments", "300")
    with Node(mesh=mesh_name) as node:
        node.wait_for(pull="shop.price", count=2, timeout=LIMIT)
    run = meshmq("up", "shop.py:pipeline", "--arguments", "300")
    lines = run.rest()
    assert run.wait() == 0, run.stderr
    shares = [list(map(int, line.split()[2:])) for line in lines if "shipped" in line]
    assert sum(map(sum, shares)) == 300
    assert max(map(len, shares)) > 1, "others have priced, too"
    assert "shop: 300 values in" in run.stderr
    assert joined.running, "it stays for the next run"
    joined.signal(signal.SIGTERM)
    assert joined.wait() == 0
    assert "shop: " in joined.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonesuch:pipeline"], "there is no module 'nonesuch'"),
        (["nonesuch.py:pipeline"], "there is no file nonesuch.py"),
        (["shop:nonesuch"], "'nonesuch' of shop is not there; pipelines there: pipeline"),
        (["shop:other"], "'other' of shop is no pipeline but of type int; pipelines there: pipeline"),
        (["shop"], "'shop' is not MODULE:PIPELINE, as in package.module:pipeline or file.py:pipeline"),
        (["shop:pipeline", "--only", "nonesuch"], "has no stage 'nonesuch'; it has orders, price, ship"),
        (["shop:pipeline", "--workers", "2"], "--workers is for the stages of --only"),
        (["shop:pipeline", "--only", "orders", "--workers", "2"], "'orders' is the source, which runs in one process"),
        (
            ["shop:pipeline", "--only", "ship", "--workers", "8"],
            "'ship' has key=, which parts its values among 2 workers: it cannot run with 8 here",
        ),
        (["shop:pipeline", "--insecure"], "write it in the module, meshmq.Pipeline(..., insecure=True)"),
        (["shop:pipeline", "--name", "me"], "nodes are called by the pipeline, their stage and number"),
    ],
)
def test_what_cannot_be_run_is_told(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [*sys.argv])
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "shop", raising=False)
    assert main(["up", *arguments]) == 2
    assert said in capsys.readouterr().err
    sys.modules.pop("shop", None)


def test_process_that_cannot_be_what_it_is_to_is_not_started_again(meshmq: Meshmq, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(MODULE + "if __name__ != 'shop' or '--stage' in sys.orig_argv: del pipeline\n")
    run = meshmq("up", "shop:pipeline", "--arguments", "1")
    assert run.wait() == 1
    assert "a process of 'shop' cannot do what it is to; it has said why" in run.stderr
    assert "'pipeline' of shop is not there" in "\n".join(run.rest())


def test_module_that_fails_is_told_with_its_traceback(meshmq: Meshmq, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("import nonesuch\n")
    run = meshmq("up", "shop:pipeline")
    assert run.wait() == 1
    assert "ModuleNotFoundError: No module named 'nonesuch'" in run.stderr
    assert "meshmq: shop cannot be imported: ModuleNotFoundError" in run.stderr


def test_one_process_of_a_stage_runs_by_itself_as_units_have_it(meshmq: Meshmq, mesh_name: str) -> None:
    stages = [
        meshmq("up", "shop:pipeline", "--stage", "ship", "--number", "2"),
        meshmq("up", "shop:pipeline", "--stage", "ship"),
        meshmq("up", "shop:pipeline", "--stage", "price"),
    ]
    source = meshmq("up", "shop:pipeline", "--stage", "orders", "--arguments", "20")
    with Node(mesh=mesh_name) as node:
        names = {peer.name for queue in ("shop.ship.2", "shop.price") for peer in node.wait_for(pull=queue)}
    assert names == {"shop.ship-2", "shop.price-1"}
    assert source.wait() == 0, source.stderr
    for stage in stages:
        stage.signal(signal.SIGTERM)
        assert stage.wait() == 0, stage.stderr
    shipped = [line for stage in stages for line in stage.rest()]
    assert sum(int(word) for line in shipped for word in line.split()[1:]) == 20


def test_stage_that_fails_is_tried_again_and_its_error_told(meshmq: Meshmq, tmp_path: Path) -> None:
    text = MODULE.replace("never.wait(0.005)", "not os.path.exists('mended') and open('mended', 'w') and 1 / 0")
    (tmp_path / "shop.py").write_text(text)
    run = meshmq("up", "shop:pipeline", "--arguments", "5")
    lines = run.rest()
    assert run.wait() == 0, run.stderr
    assert any("price-1: meshmq: price of queue 'shop.price' failed" in line for line in lines)
    assert any("ZeroDivisionError" in line for line in lines)
    assert sum(int(word) for line in lines if "shipped" in line for word in line.split()[2:]) == 5
    assert os.path.exists(tmp_path / "mended")  # noqa: PTH110  as the module says it
