"""Orders in a database, and their jobs in its transactions: what is promised holds though the shop is killed."""

from __future__ import annotations

import pytest

from examples.order_processing.report import report
from tests.architecture import ROOT
from tests.examples.promises import command, promised, steady
from tests.network.conftest import Start


def test_it_prints_what_its_readme_says(start: Start) -> None:
    example = start(command("order_processing"), cwd=ROOT)
    assert steady(example.rest()) == promised("order_processing"), example.stderr
    assert example.wait() == 0


@pytest.mark.stress
def test_promises_hold_though_a_worker_is_killed(start: Start) -> None:
    for _ in range(5):
        example = start([*command("order_processing"), "worker-1"], cwd=ROOT)
        lines = example.rest()
        assert example.wait() == 0, "\n".join([*lines, example.stderr])
        assert lines[0] == "20 orders are packed: worker-1 is killed with SIGKILL and started anew"
        assert lines[-1] == "promises  kept"


def test_nobody_else_can_be_killed(start: Start) -> None:
    example = start([*command("order_processing"), "desk"], cwd=ROOT)
    assert example.wait() == 2
    assert "Usage" in example.stderr


@pytest.mark.parametrize(
    ("packed", "status"),
    [
        (["order-01", "order-02"], 0),
        (["order-02", "order-01"], 1),
        (["order-01"], 1),
        (["order-01", "order-02", "order-02"], 1),
        (["order-01", "order-02", "order-03"], 1),
    ],
)
def test_broken_promise_is_a_failure(capsys: pytest.CaptureFixture[str], packed: list[str], status: int) -> None:
    assert report({"ada": packed}, {"order-01", "order-02"}, []) == status
    assert ("BROKEN" in capsys.readouterr().out) == bool(status)


def test_a_dead_letter_may_come_late(capsys: pytest.CaptureFixture[str]) -> None:
    assert report({"ada": ["order-02", "order-01"]}, {"order-01", "order-02"}, [("order-01", "why")]) == 0
    assert "kept" in capsys.readouterr().out
