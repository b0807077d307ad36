"""``meshmq dead`` lists, shows, retries and drops dead letters on whichever node pushed them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from meshmq import Node
from meshmq.cli import main
from tests.network.children import LIMIT


@pytest.fixture
def pusher(mesh_name: str) -> Iterator[Node]:
    """A node with two dead letters."""
    with Node("pusher", mesh=mesh_name) as pusher, Node("worker", mesh=mesh_name) as worker:
        queue = pusher.queue("jobs", max_attempts=1)
        for number in (1, 2):
            queue.push({"number": number}, key=f"key-{number}")
        with worker.pull("jobs") as jobs:
            for _ in range(2):
                jobs.receive(LIMIT).nack(reason="no such address")
            queue.flush(LIMIT)
        yield pusher
        queue.dead.drop()


def test_dead_letters_are_listed_and_shown(mesh_name: str, pusher: Node, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = pusher.queue("jobs").dead.list()
    assert main(["dead", "jobs", "list", "--mesh", mesh_name]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["NODE", "ID", "FAILURES"]
    assert [row.split()[:3] for row in rows] == [["pusher", one.id, "1"] for one in (first, second)]
    assert rows[0].endswith("failed 1 time; the last: no such address")
    assert main(["dead", "jobs", "show", second.id, "--mesh", mesh_name]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["node"], told["id"], told["data"], told["key"]) == ("pusher", second.id, {"number": 2}, "key-2")
    assert main(["dead", "jobs", "list", "--json", first.id, "--mesh", mesh_name]) == 0
    assert [json.loads(row)["id"] for row in capsys.readouterr().out.splitlines()] == [first.id]
    assert main(["dead", "others", "list", "--mesh", mesh_name]) == 0
    assert capsys.readouterr().out == "no dead letters of 'others'\n"


def test_dead_letters_are_tried_again_and_dropped(
    mesh_name: str, pusher: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    queue = pusher.queue("jobs")
    first, second = queue.dead.list()
    assert main(["dead", "jobs", "retry", first.id, "--mesh", mesh_name]) == 0
    assert "pushed 1 dead letter again" in capsys.readouterr().err
    assert (queue.depth, [letter.id for letter in queue.dead]) == (1, [second.id])
    assert main(["dead", "jobs", "drop", "--mesh", mesh_name]) == 0
    assert "dropped 1 dead letter" in capsys.readouterr().err
    assert len(queue.dead) == 0
    with pusher.pull("jobs") as jobs:
        with jobs.receive(LIMIT) as message:
            assert (message.id, message.redelivered) == (first.id, True)
        queue.flush(LIMIT)


def test_an_id_that_is_nowhere_is_told_and_nothing_is_done(
    mesh_name: str, pusher: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    first = pusher.queue("jobs").dead.list()[0]
    assert main(["dead", "jobs", "drop", first.id, "nonsense", "--mesh", mesh_name]) == 1
    assert "no node has a dead letter 'nonsense' of 'jobs'" in capsys.readouterr().err
    assert len(pusher.queue("jobs").dead) == 2


def test_those_of_groups_are_found_by_their_topic(mesh_name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with Node("shop", mesh=mesh_name) as shop, Node("member", mesh=mesh_name) as member:
        with member.subscribe("orders.*", group="billing") as orders:
            shop.wait_for(subscribe="orders.new", timeout=LIMIT)
            engine, participant = shop._opened()
            with engine.gate:
                participant.feed.publish("orders.new", b"\xc1 no value", (), None, engine.now())
                engine.flush()
            shop.publish("orders.old", 2)
            message = orders.receive(LIMIT)
            assert message.data == 2
            message.ack()
            shop.flush(LIMIT)
        assert main(["dead", "--topic", "orders.**", "show", "--mesh", mesh_name]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["node"], told["topic"]) == ("shop", "orders.new")
        assert main(["dead", "--topic", "orders.old", "list", "--mesh", mesh_name]) == 0
        assert capsys.readouterr().out == "no dead letters of 'orders.old'\n"
        assert main(["dead", "orders.**", "list", "--mesh", mesh_name]) == 2
        assert "cannot hold '*'" in capsys.readouterr().err
        assert main(["dead", "orders.*", "drop", told["id"], "--topic", "--mesh", mesh_name]) == 0
        assert len(shop.topic("orders.**").dead) == 0
