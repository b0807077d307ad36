"""``meshmq publish`` and ``meshmq subscribe``: topics for a shell."""

from __future__ import annotations

import json
import signal
import threading
from itertools import pairwise
from time import monotonic

import pytest

from meshmq import Node
from meshmq.cli import main
from tests.cli.conftest import Meshmq
from tests.network.children import LIMIT


def test_arguments_are_messages_for_whoever_subscribes_then(meshmq: Meshmq, mesh_name: str) -> None:
    publish = meshmq("publish", "weather.kitchen", '{"temp": 21.5}', "2")
    with Node(mesh=mesh_name) as node, node.subscribe("weather.*") as news:
        message = news.receive(LIMIT)
        assert (message.topic, message.data, message.seq) == ("weather.kitchen", {"temp": 21.5}, 1)
        assert news.receive(LIMIT).data == 2
        assert publish.wait() == 0
    assert publish.stderr == ""
    assert publish.rest() == []


def test_lines_of_stdin_are_published_as_they_come(meshmq: Meshmq, mesh_name: str) -> None:
    publish = meshmq("publish", "a")
    with Node(mesh=mesh_name) as node, node.subscribe("a") as news:
        publish.say("1")
        assert news.receive(LIMIT).data == 1
        publish.say("nonsense")
        assert publish.wait() == 2
    assert "line 2 is no JSON value: 'nonsense'" in publish.stderr


def test_rate_spreads_them_out(meshmq: Meshmq, mesh_name: str) -> None:
    with Node(mesh=mesh_name) as node, node.subscribe("a") as news:
        publish = meshmq("publish", "a", "1", "2", "3", "--rate", "5")
        moments = []
        for _ in range(3):
            news.receive(LIMIT)
            moments.append(monotonic())
        assert publish.wait() == 0
    assert moments[-1] - moments[0] > 0.05
    assert all(later > earlier for earlier, later in pairwise(moments))


def test_nobody_there_ends_it_with_the_next_step(mesh_name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["publish", "a", "1", "--timeout", "0.1", "--mesh", mesh_name]) == 1
    said = capsys.readouterr().err
    assert "nobody subscribes to 'a' within 0.1 s; a subscriber would be: meshmq subscribe a" in said


def test_without_waiting_those_are_heard_who_are_here(mesh_name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["publish", "a", "1", "--no-wait", "--mesh", mesh_name]) == 0
    with Node(mesh=mesh_name) as node, node.subscribe("a") as news:
        assert main(["publish", "a", "1", "2", "--no-wait", "--mesh", mesh_name, "-v"]) == 0
        assert [news.receive(LIMIT).data for _ in range(2)] == [1, 2]
    assert "2 messages published" in capsys.readouterr().err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_while_it_waits_it_ends_quietly(number: int, code: int, meshmq: Meshmq, mesh_name: str) -> None:
    with Node(mesh=mesh_name) as node:
        publish = meshmq("publish", "a", "1", "--name", "publisher")
        assert next(event for event in node.events(LIMIT) if event.name == "publisher").kind == "joined"
        publish.signal(number)
        assert publish.wait() == code
    assert "Traceback" not in publish.stderr


def test_messages_are_printed_one_a_line(meshmq: Meshmq, mesh_name: str) -> None:
    with Node("camera", mesh=mesh_name) as node:
        plain = meshmq("subscribe", "weather.*", "alarm", "--count", "3")
        full = meshmq("subscribe", "weather.kitchen", "--full", "--count", "2")
        node.wait_for(subscribe="weather.kitchen", count=2, timeout=LIMIT)
        node.publish("weather.kitchen", {"temp": 21.5})
        node.publish("alarm", "ü")
        node.publish("weather.kitchen", b"x", headers={"unit": "C"})
        assert plain.rest() == ['{"temp": 21.5}', '"ü"', '{"$bytes": "eA=="}']
        first, second = map(json.loads, full.rest())
        assert plain.wait() == full.wait() == 0
    assert first.pop("age") >= 0
    assert first == {"topic": "weather.kitchen", "sender": "camera", "seq": 1, "gap": 0, "data": {"temp": 21.5}}
    assert (second["seq"], second["headers"]) == (2, {"unit": "C"})
    assert plain.stderr == ""


def test_history_is_printed_since_when_it_is_asked(meshmq: Meshmq, mesh_name: str) -> None:
    with Node(mesh=mesh_name) as node:
        topic = node.topic("a", history=10)
        for number in range(5):
            topic.publish(number)
        assert meshmq("subscribe", "a", "--since", "first", "--count", "5").rest() == list("01234")
        assert meshmq("subscribe", "a", "--since", "4", "--count", "2").rest() == list("34")
        assert meshmq("subscribe", "a", "--since", "last", "--count", "1").rest() == ["4"]


def test_members_of_a_group_share_the_messages(meshmq: Meshmq, mesh_name: str) -> None:
    with Node(mesh=mesh_name) as node:
        member = meshmq("subscribe", "orders.*", "--group", "billing", "--full", "--count", "2")
        node.wait_for(subscribe="orders.new", timeout=LIMIT)
        node.publish("orders.new", 1)
        node.publish("orders.new", 2)
        assert [(one["topic"], one["data"]) for one in map(json.loads, member.rest())] == [
            ("orders.new", 1),
            ("orders.new", 2),
        ]
        assert member.wait() == 0
        node.flush(LIMIT)


def test_rates_are_lines_for_a_pipe(meshmq: Meshmq, mesh_name: str) -> None:
    with Node(mesh=mesh_name) as node:
        rates = meshmq("subscribe", "**", "--hz", "0.2")
        node.wait_for(subscribe="a.b", timeout=LIMIT)
        over = threading.Event()
        publisher = threading.Thread(target=_publish, args=(node, over))
        publisher.start()
        try:
            told = [json.loads(rates.line()) for _ in range(4)]
        finally:
            over.set()
            publisher.join()
        rates.signal(signal.SIGINT)
        assert rates.wait() == 130
    assert {one["topic"] for one in told} == {"a.b"}
    assert told[-1]["missed"] == 0
    assert any(one["hz"] > 10 for one in told)


def _publish(node: Node, over: threading.Event) -> None:
    while not over.wait(0.01):
        node.publish("a.b", 1)


def test_subscriber_ends_when_nothing_comes(meshmq: Meshmq, mesh_name: str) -> None:
    subscribe = meshmq("subscribe", "a", "--idle", "0.2")
    assert subscribe.wait() == 0
    assert subscribe.stderr == ""
