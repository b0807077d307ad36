"""Mails that a shop pushes and senders send: what is promised holds though each of them is killed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import pytest

import meshmq
from examples.email_sending.report import report
from tests.architecture import ROOT
from tests.examples.promises import command, promised, steady
from tests.network.children import LIMIT
from tests.network.conftest import Spawn, Start
from tests.patterns.waiting import eventually
from tests.scale import scale

FOLDER: Final = ROOT / "examples" / "email_sending"
UNSEEN: Final = (
    "import runpy, sys; sys.modules['aiosmtpd'] = None; runpy.run_path('examples/email_sending', run_name='__main__')"
)


def test_it_prints_what_its_readme_says(start: Start) -> None:
    pytest.importorskip("aiosmtpd", reason="the mail server is made with aiosmtpd")
    for _ in range(scale(test=1, stress=5)):
        example = start(command("email_sending"), cwd=ROOT)
        assert steady(example.rest()) == promised("email_sending"), example.stderr
        assert example.wait() == 0
        assert "Traceback" not in example.stderr


def test_without_aiosmtpd_it_says_what_to_install(start: Start) -> None:
    example = start([sys.executable, "-c", UNSEEN], cwd=ROOT)
    assert example.wait() == 1
    assert example.stderr.splitlines() == [
        "the mail server is made with aiosmtpd, which is not installed: python -m pip install aiosmtpd"
    ]
    assert example.rest() == []


def test_what_is_put_off_is_sent_later_and_what_is_refused_never(spawn: Spawn, mesh_name: str, tmp_path: Path) -> None:
    pytest.importorskip("aiosmtpd", reason="the mail server is made with aiosmtpd")
    addresses = [f"ada-{number}@example.org" for number in range(6)]
    with meshmq.Node("shop", mesh=mesh_name) as node:
        mails = node.queue("mails", backoff=0.01)
        mails.push_many({"to": address, "subject": "news"} for address in ["nobody@example.org", *addresses])
        spawn(FOLDER / "sender.py", tmp_path, env={"MESHMQ_MESH": mesh_name})
        eventually(lambda: node.stats()["queues"]["mails"]["push"]["refused"])  # nobody listens
        spawn(FOLDER / "server.py", tmp_path)
        node.flush(LIMIT)
        (letter,) = mails.dead
        assert letter.data["to"] == "nobody@example.org"
        assert letter.reason == "550 5.1.1 nobody@example.org: nobody of that name"
    arrived = [json.loads(line) for line in (tmp_path / "arrived").read_text().splitlines()]
    assert sorted(mail["to"] for mail in arrived) == addresses
    assert len({mail["id"] for mail in arrived}) == len(addresses)
    assert any(mail["flagged"] for mail in arrived)


def mail(who: str, number: int = 1, *, flagged: bool = False) -> dict[str, Any]:
    return {"to": f"{who}@example.org", "id": f"<{who}-{number}@shop.example>", "flagged": flagged}


@pytest.mark.parametrize(
    ("arrived", "reason", "status"),
    [
        ([mail("ada"), mail("ben")], "550 nobody@example.org: unknown", 0),
        ([mail("ada"), mail("ada", flagged=True), mail("ben")], "550 nobody@example.org: unknown", 0),
        ([mail("ada"), mail("ada"), mail("ben")], "550 nobody@example.org: unknown", 1),
        ([mail("ada"), mail("ada", 2, flagged=True), mail("ben")], "550 nobody@example.org: unknown", 1),
        ([mail("ada")], "550 nobody@example.org: unknown", 1),
        ([mail("ada"), mail("ben"), mail("cleo")], "550 nobody@example.org: unknown", 1),
        ([mail("ada"), mail("ben")], "it was rejected", 1),
    ],
)
def test_broken_promise_is_a_failure(
    capsys: pytest.CaptureFixture[str], arrived: list[dict[str, Any]], reason: str, status: int
) -> None:
    ordered = {f"{who}@example.org" for who in ("ada", "ben", "nobody")}
    assert report(arrived, [("nobody@example.org", reason)], ordered) == status
    assert ("BROKEN" in capsys.readouterr().out) == bool(status)
