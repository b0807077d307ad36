"""``meshmq tap`` prints copies, of a device, of who agrees and of topics, and says where nobody does."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from meshmq import Node, Settings
from meshmq.cli import main
from tests.cli.conftest import Meshmq
from tests.network.children import LIMIT, Child


@pytest.fixture
def nodes(mesh_name: str) -> Iterator[tuple[Node, Node]]:
    """Return who pushes, asks and publishes, and who pulls, serves and agrees to be tapped."""
    worker = Node("worker", mesh=mesh_name, settings=Settings(tap=True))
    with worker, Node("pusher", mesh=mesh_name) as pusher:
        worker.pull("jobs")(str)
        worker.reply("add")(sum)
        pusher.wait_for(pull="jobs", timeout=LIMIT)
        yield pusher, worker
        pusher.flush(LIMIT)


def full(tap: Child) -> dict[str, Any]:
    shown = json.loads(tap.line())
    assert isinstance(shown, dict)
    assert 0 <= shown.pop("age") < LIMIT
    return shown


def test_jobs_and_requests_are_lines(meshmq: Meshmq, nodes: tuple[Node, Node]) -> None:
    pusher, worker = nodes
    tap = meshmq("tap", "jobs", "--count", "2")
    worker.wait_for(subscribe="meshmq.tap.jobs", timeout=LIMIT)
    pusher.push("jobs", {"n": 1})
    pusher.push("jobs", "\x1b[2J")
    assert tap.rest() == ['{"n": 1}', '"\\u001b[2J"']
    assert tap.wait() == 0
    assert tap.stderr == ""


def test_full_lines_say_who_sends_what_to_whom(meshmq: Meshmq, nodes: tuple[Node, Node]) -> None:
    pusher, worker = nodes
    pusher.publish("news.here", 0)
    tap = meshmq("tap", "**", "--full", "--idle", "30")
    worker.wait_for(subscribe="meshmq.tap.jobs", timeout=LIMIT)
    pusher.wait_for(subscribe="news.here", timeout=LIMIT)
    pusher.queue("jobs").push(1, headers={"a": "b"})
    first = full(tap)
    assert first.pop("id")
    copy = {"sender": "pusher", "receiver": "worker", "attempt": 1, "missed": 0}
    assert first == {"kind": "job", "name": "jobs", **copy, "headers": {"a": "b"}, "data": 1}
    assert pusher.request("add", [1, 2], timeout=LIMIT) == 3
    second = full(tap)
    assert second.pop("id")
    assert second == {"kind": "request", "name": "add", **copy, "data": [1, 2]}
    pusher.publish("news.here", 7)
    told = {"kind": "message", "name": "news.here", "sender": "pusher", "seq": 2, "missed": 0, "data": 7}
    assert full(tap) == told
    pusher.push("jobs", bytes(100_000))
    large = full(tap)
    assert large["omitted"] > 100_000
    assert large["data"] is None
    tap.signal(signal.SIGINT)
    assert tap.wait() == 130
    assert tap.stderr == ""


def test_where_nobody_agrees_it_says_what_to_do(meshmq: Meshmq, mesh_name: str, nodes: tuple[Node, Node]) -> None:
    tap = meshmq("tap", "other", "--idle", "0.2")
    assert tap.wait() == 0
    assert tap.rest() == []
    assert "nobody here has 'other' tapped" in tap.stderr
    assert "meshmq device --queue" in tap.stderr
    assert "Settings(tap=True)" in tap.stderr


def test_who_taps_is_not_shown_among_topics(
    meshmq: Meshmq, mesh_name: str, nodes: tuple[Node, Node], capsys: pytest.CaptureFixture[str]
) -> None:
    pusher, worker = nodes
    tap = meshmq("tap", "jobs")
    worker.wait_for(subscribe="meshmq.tap.jobs", timeout=LIMIT)
    pusher.push("jobs", 1)
    assert tap.line() == "1"
    assert main(["topics", "--json", "--mesh", mesh_name]) == 0
    assert list(json.loads(capsys.readouterr().out)) == ["jobs"]


@pytest.mark.parametrize("name", ["a b", "", "x" * 195])
def test_what_cannot_be_tapped_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tap", name]) == 2
    assert "name" in capsys.readouterr().err
