"""``meshmq route`` checks a file before anything starts, then sends on what comes, and drains by a signal."""

from __future__ import annotations

import re
import runpy
import signal
import threading
import time
from pathlib import Path
from typing import Final

import pytest

from meshmq import Node, Settings
from meshmq.cli import main, route
from meshmq.routing.file import parse_rules
from tests.cli.conftest import Meshmq

RULES: Final = """\
exchange = "shop"
from_queues = "orders"
from_topics = ["news.*"]
unmatched = "rest"

[[rule]]
name = "large"
headers_all = { kind = "new" }
headers_any = { lang = "de", land = "at" }
where = ["total >= 900", "paid != true"]
to_queues = "large"
to_topics = "audit"

[[rule]]
from_topics = "news.*"
to_queues = ["read", "kept"]
"""
CLASS: Final = """\
from dataclasses import dataclass
import meshmq

@meshmq.register(name="tests.Bill")
@dataclass
class Bill:
    total: int
    paid: bool
"""


def test_check_prints_the_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rules.toml").write_text(RULES)
    assert main(["route", str(tmp_path / "rules.toml"), "--check"]) == 0
    out, said = capsys.readouterr()
    assert [re.split(r" {2,}", row) for row in out.splitlines()] == [
        ["RULE", "TAKES", "WHERE", "TO"],
        [
            "large",
            "anything",
            "kind: new, lang: de or land: at, total >= 900, paid != true",
            "queue large, topic audit",
        ],
        ["rule 2", "topic news.*", "-", "queue read, queue kept"],
        ["-", "the rest", "-", "queue rest"],
    ]
    assert said == (
        "meshmq: exchange shop takes queue orders, topic news.*; the first rule that takes a message sends it on\n"
    )


def test_rules_of_the_help_text_can_be_used() -> None:
    shown = [line for line in route._EPILOG.partition("examples:")[0].splitlines() if line.startswith("  ")]
    (rule,) = parse_rules("\n".join(shown), "help").rules
    assert (len(rule.where), len(rule.to)) == (3, 2)


def test_every_mistake_is_told_before_anything_starts(
    tmp_path: Path, runtime_directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(RULES.replace("total >= 900", "total => 900").replace("to_queues", "to_queue"))
    assert main(["route", str(file)]) == 2
    out, said = capsys.readouterr()
    assert not out
    assert [line.split(": ")[1] for line in said.splitlines()] == [f"{file}:{line}" for line in (10, 11, 14, 16)]
    assert list(runtime_directory.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_drains_it(number: int, meshmq: Meshmq, mesh_name: str, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(RULES)
    child = meshmq("route", "rules.toml")
    with Node(mesh=mesh_name) as node:
        rest = node.pull("rest")
        for n in range(3):
            node.push("orders", n)
        for n in range(3):
            assert rest.receive(20).data == n
        rest.close()  # the last goes back
        node.wait_for(subscribe="news.home", timeout=20)
        node.publish("news.home", "hello")
        for queue in ("read", "kept"):
            with node.pull(queue) as jobs:
                assert jobs.receive(20).headers["from-topic"] == "news.home"
        with node.pull("rest") as jobs:
            assert jobs.receive(20).redelivered
        node.flush(20)
        child.signal(number)
        assert child.wait() == 0
    assert child.stderr == "meshmq: 4 messages routed, 3 of them to queue rest\n"


def test_data_of_registered_classes_needs_an_import(meshmq: Meshmq, mesh_name: str, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(RULES.replace('headers_all = { kind = "new" }\n', ""))
    file = tmp_path / "bills_of_this_test.py"
    file.write_text(CLASS)
    meshmq("route", "rules.toml", "--import", file.stem)
    bills = runpy.run_path(str(file))
    with Node(mesh=mesh_name) as node:
        for total in (899, 900):
            node.push("orders", bills["Bill"](total, False), headers={"lang": "de"})
        for queue, total in (("rest", 899), ("large", 900)):
            with node.pull(queue) as jobs:
                assert jobs.receive(20).data == bills["Bill"](total, False)
        node.flush(20)


def test_module_that_cannot_be_imported_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rules.toml").write_text(RULES)
    assert main(["route", str(tmp_path / "rules.toml"), "--import", "no.such"]) == 2
    said = capsys.readouterr().err
    assert said == "meshmq: --import no.such: it cannot be imported (ModuleNotFoundError: No module named 'no')\n"


def test_what_is_not_confirmed_in_time_is_told_and_goes_back(
    mesh_name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rules.toml").write_text(RULES)
    monkeypatch.setattr(route, "_PATIENT", Settings(drain=0.05, custody=1))
    monkeypatch.setattr(route, "LOOK", 0.01)
    monkeypatch.setenv("MESHMQ_MESH", mesh_name)
    codes: list[int] = []
    command = ["route", str(tmp_path / "rules.toml"), "--name", "r"]
    thread = threading.Thread(target=lambda: codes.append(main(command)), daemon=True)
    thread.start()
    with Node(mesh=mesh_name) as node:
        node.push("orders", 1)
        rest = node.pull("rest")
        assert rest.receive(20).data == 1
        rest.close()
        said, never, deadline = "", threading.Event(), time.monotonic() + 20
        while "confirmed: 1 in 'rest'" not in said and time.monotonic() < deadline:
            never.wait(0.01)
            said += capsys.readouterr().err
        assert "no more is taken until some of what was sent on is confirmed: 1 in 'rest'" in said
        node.request("meshmq.drain", to="r", timeout=20)
        thread.join(20)
        with node.pull("orders") as jobs:
            assert jobs.receive(20).redelivered
    assert codes == [1]
    routed, left = capsys.readouterr().err.splitlines()[-2:]
    assert routed == "meshmq: 1 message routed, 1 of them to queue rest"
    assert left == (
        "meshmq: 1 job not confirmed in time; what they were made of goes back to its pushers, and is routed again"
    )
