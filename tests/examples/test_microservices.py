"""Services, a queue and a topic, in processes: what is promised holds though one of them is killed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import meshmq
from examples.microservices.client import Answer
from examples.microservices.ledger import Ledger
from examples.microservices.report import report
from tests.architecture import ROOT
from tests.examples.promises import command, promised, steady
from tests.network.children import LIMIT
from tests.network.conftest import Spawn, Start

FOLDER = ROOT / "examples" / "microservices"
ORDER = {"number": "order-1", "article": "plums"}
OTHER = {"number": "order-2", "article": "plums"}


def test_it_prints_what_its_readme_says(start: Start) -> None:
    example = start(command("microservices"), cwd=ROOT)
    assert steady(example.rest()) == promised("microservices"), example.stderr
    assert example.wait() == 0
    assert "Traceback" not in example.stderr


@pytest.mark.stress
@pytest.mark.parametrize("victim", ["orders", pytest.param("mailer-1", marks=pytest.mark.stress)])
def test_promises_hold_whoever_is_killed(start: Start, victim: str) -> None:
    example = start([*command("microservices"), victim], cwd=ROOT)
    lines = example.rest()
    assert example.wait() == 0, "\n".join([*lines, example.stderr])
    assert f"20 are answered: {victim} is killed with SIGKILL and started anew" in lines
    assert "promises  kept" in lines
    assert "Traceback" not in example.stderr


def test_nobody_else_can_be_killed(start: Start) -> None:
    example = start([*command("microservices"), "shop"], cwd=ROOT)
    assert example.wait() == 2
    assert "Usage" in example.stderr


def test_stock_decides_an_order_once_though_it_is_killed(spawn: Spawn, mesh_name: str, tmp_path: Path) -> None:
    env, ledger = {"MESHMQ_MESH": mesh_name}, tmp_path / "ledger"
    with meshmq.Node(mesh=mesh_name) as node:
        take = node.service("stock.take", timeout=LIMIT, idempotent=True)
        left = node.subscribe("stock.plums", since="last", latest=True)
        stock = spawn(FOLDER / "stock.py", ledger, 1, env=env)
        assert [take.request(order) for order in (ORDER, ORDER, OTHER)] == [True, True, False]
        stock.kill()
        spawn(FOLDER / "stock.py", ledger, 1, env=env)
        assert [take.request(order) for order in (OTHER, ORDER)] == [False, True]
        while left.receive(LIMIT).data:
            pass


def test_order_is_answered_when_its_invoice_is_confirmed(spawn: Spawn, mesh_name: str) -> None:
    spawn(FOLDER / "orders.py", env={"MESHMQ_MESH": mesh_name})
    with meshmq.Node(mesh=mesh_name) as node, ThreadPoolExecutor() as pool, node.pull("invoices") as invoices:

        @node.reply("stock.take")
        def take(order: dict[str, str]) -> bool:
            return order == ORDER

        answer = pool.submit(node.request, "orders.place", ORDER, timeout=LIMIT)
        invoice = invoices.receive(LIMIT)
        assert invoice.data == ORDER
        assert node.request("orders.place", OTHER, timeout=LIMIT) == "sold out"
        assert not answer.done()
        invoice.ack()
        assert answer.result(LIMIT) == "accepted"


def test_invoice_that_comes_twice_is_one_file(spawn: Spawn, mesh_name: str, tmp_path: Path) -> None:
    spawn(FOLDER / "mailer.py", tmp_path, env={"MESHMQ_MESH": mesh_name})
    with meshmq.Node(mesh=mesh_name) as node:
        node.queue("invoices").push_many([ORDER, ORDER])
        node.flush(LIMIT)
    assert [path.name for path in tmp_path.iterdir()] == ["order-1.txt"]


def test_ledger_knows_what_it_was_told_before_it_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    ledger = Ledger(path)
    ledger.add("order-1", "plums", sold=True)
    ledger.add("order-2", "plums", sold=False)
    ledger.close()
    with path.open("a") as file:
        file.write('{"order": "order-3", "art')  # killed over it

    again = Ledger(path)
    assert [again.find(f"order-{number}") for number in (1, 2, 3)] == [True, False, None]
    assert again.sold("plums") == 1
    again.add("order-3", "plums", sold=True)
    again.close()

    last = Ledger(path)
    assert last.find("order-3") is True
    assert last.sold("plums") == 2
    last.close()


@pytest.mark.parametrize(
    ("left", "invoices", "status"),
    [(0, {"order-0"}, 0), (1, {"order-0"}, 1), (0, set[str](), 1), (0, {"order-0", "order-1"}, 1)],
)
def test_broken_promise_is_a_failure(
    capsys: pytest.CaptureFixture[str], left: int, invoices: set[str], status: int
) -> None:
    answers = [Answer("order-0", "apples", "accepted", 0.1), Answer("order-1", "apples", "sold out", 0.2)]
    answers += [Answer(f"order-{article}", article, "accepted", 0.1) for article in ("pears", "plums")]
    pieces = {"apples": left, "pears": 0, "plums": 0}
    assert report(answers, {}, pieces, {*invoices, "order-pears", "order-plums"}, 1) == status
    assert ("BROKEN" in capsys.readouterr().out) == bool(status)
