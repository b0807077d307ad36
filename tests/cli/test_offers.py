"""``meshmq topics``, ``queues`` and ``services``: who offers what, and who takes it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from meshmq import Node
from meshmq.cli import main
from meshmq.cli.asking import names, number, part
from tests.network.children import LIMIT


@pytest.fixture
def mesh(mesh_name: str) -> Iterator[str]:
    """Return a mesh of two nodes that offer and take all there is."""
    with Node("giver", mesh=mesh_name) as giver, Node("taker", mesh=mesh_name) as taker:
        giver.reply("add")(sum)
        news = [taker.subscribe(pattern) for pattern in ("weather.*", "alarm.**")]
        taker.subscribe("weather.kitchen", group="billing")(str)
        jobs = taker.pull("jobs", prefetch=1)
        assert taker.request("add", [1, 2], timeout=LIMIT) == 3
        giver.wait_for(subscribe="weather.kitchen", timeout=LIMIT)
        giver.publish("weather.kitchen", 1)
        giver.publish("weather.kitchen", 2)
        giver.publish("news", 3)
        giver.queue("jobs").push_many(range(3))
        giver.push("nobody", 1)
        assert jobs.receive(LIMIT).data == 0
        yield mesh_name
        del news
        jobs.close()
        taker.pull("jobs")(str)
        taker.pull("nobody")(str)
        giver.flush(LIMIT)


def rows(capsys: pytest.CaptureFixture[str], *words: str) -> list[list[str]]:
    assert main([*words]) == 0
    out, said = capsys.readouterr()
    assert not said
    return [row.split() for row in out.splitlines()]


def told(capsys: pytest.CaptureFixture[str], *words: str) -> object:
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_topics_are_asked_for(mesh: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert rows(capsys, "topics", "--mesh", mesh) == [
        ["TOPIC", "PUBLISHED", "PUBLISHED", "BY", "SUBSCRIBED", "BY"],
        ["alarm.**", "0", "-", "taker"],
        ["news", "1", "giver", "-"],
        ["weather.kitchen", "2", "giver", "taker"],
    ]
    assert told(capsys, "topics", "w*", "--mesh", mesh) == {
        "weather.kitchen": {"published": 2, "published_by": ["giver"], "subscribed_by": ["taker"]}
    }


def test_queues_show_who_pushes_and_who_pulls(mesh: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert rows(capsys, "queues", "--mesh", mesh) == [
        ["QUEUE", "DEPTH", "IN", "FLIGHT", "PUSHED", "BY", "PULLED", "BY"],
        ["jobs", "3", "1", "giver", "taker"],
        ["nobody", "1", "0", "giver", "-"],
    ]


def test_services_show_who_serves_and_who_asks(mesh: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "services", "--mesh", mesh) == {
        "add": {"running": 0, "done": 1, "served_by": ["giver"], "asked_by": ["taker"]}
    }


@pytest.mark.parametrize("kind", ["topics", "queues", "services"])
def test_nothing_here_is_said_in_words(kind: str, mesh_name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([kind, "--mesh", mesh_name]) == 0
    assert capsys.readouterr().out == f"no {kind} in the mesh {mesh_name!r}\n"
    assert main([kind, "x", "--mesh", mesh_name]) == 0
    assert capsys.readouterr().out == f"no {kind} with such a name in the mesh {mesh_name!r}\n"


def test_nothing_that_a_peer_says_is_believed_unseen() -> None:
    answer = {"a": {"b": float("inf"), "c": True, 1: 2, "d": 3}}
    assert [number(answer, "a", key) for key in "bcde"] == [0, 0, 3, 0]
    assert number(answer, "a", "d", "deeper") == 0
    assert part(answer, "x", "y") == {}
    assert names(answer, "a") == ["b", "c", "d"]
    assert names(answer, "a", "b") == []
    assert names([], "a") == []
