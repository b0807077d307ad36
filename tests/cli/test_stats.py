"""``meshmq stats`` sums up what all nodes count."""

from __future__ import annotations

import json

import pytest

from meshmq import Node
from meshmq.cli import main
from tests.network.children import LIMIT


def cells(text: str, first: str) -> list[str]:
    """Return the words of the row that begins with ``first``."""
    return next(row.split() for row in text.splitlines() if row.startswith(f"{first} "))


def test_stats_shows_queues_and_who_pulls_them(mesh_name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with (
        Node("one", mesh=mesh_name) as one, one.pull("jobs"),
        Node("two", mesh=mesh_name) as two, two.pull("jobs"), two.pull("done"),
    ):  # fmt: skip
        assert main(["stats", "--mesh", mesh_name]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert main(["stats", "--json", "done", "--mesh", mesh_name]) == 0
        told = json.loads(capsys.readouterr().out)
        assert main(["stats", "nonesuch", "--mesh", mesh_name]) == 1
    assert [line.split()[0] for line in lines if line] == ["QUEUE", "done", "jobs", "NAME", "one", "two"]
    assert lines[2].split()[1] == "2"
    assert lines[2].endswith("one two")
    assert told["queues"] == {"done": ["two"]}
    assert [peer["name"] for peer in told["peers"]] == ["two"]
    assert f"nobody in the mesh {mesh_name!r} is called 'nonesuch' or pulls it" in capsys.readouterr().err


def test_counters_come_from_the_nodes_themselves(mesh_name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with Node("pusher", mesh=mesh_name) as pusher, Node("worker", mesh=mesh_name) as worker:

        @worker.reply("add")
        def add(numbers: list[int]) -> int:
            return sum(numbers)

        jobs, news = worker.pull("jobs", prefetch=2), worker.subscribe("weather.*")
        pusher.queue("jobs").push_many(range(3))
        assert jobs.receive(LIMIT).data == 0
        assert jobs.receive(LIMIT).data == 1
        assert pusher.request("add", [1, 2], timeout=LIMIT) == 3
        pusher.wait_for(subscribe="weather.kitchen", timeout=LIMIT)
        pusher.publish("weather.kitchen", 21.5)
        assert news.receive(LIMIT).data == 21.5
        assert main(["stats", "--mesh", mesh_name]) == 0
        out, said = capsys.readouterr()
        assert main(["stats", "--mesh", mesh_name, "--json", "pusher"]) == 0
        told = json.loads(capsys.readouterr().out)
        jobs.close()
        worker.pull("jobs")(str)
        pusher.flush(LIMIT)
    assert cells(out, "jobs")[1:5] == ["1", "2", "2", "1"]
    assert cells(out, "add")[1:6] == ["1", "0", "0", "1", "0"]
    assert cells(out, "weather.kitchen")[1] == "1"
    assert cells(out, "weather.*")[-2:] == ["-", "worker"]
    assert not said
    assert told["topics"] == ["weather.kitchen"]
    (node,) = told["nodes"].values()
    assert node["queues"]["jobs"]["push"]["pushed"] == 3
