"""Recipes on topics: the newest value, what was published before, and who is too slow for it."""

from __future__ import annotations

import threading

import pytest
from meshmq.patterns.last_value_cache import LastValues
from meshmq.patterns.replayed_history import Replay
from meshmq.patterns.slow_subscriber import follow

import meshmq


def test_last_values_stay_when_their_publisher_goes(mesh_name: str) -> None:
    with meshmq.Node("display", mesh=mesh_name) as display:
        values = LastValues(display, "sensors.*")
        with meshmq.Node("house", mesh=mesh_name) as house:
            LastValues.keep(house, "sensors.*")
            house.publish("sensors.roof", 4)
            house.publish("sensors.hall", 21)
            values.wait(lambda values: len(values) == 2, timeout=20)
        assert dict(values) == {"sensors.hall": 21, "sensors.roof": 4}
        with pytest.raises(meshmq.TimedOut, match="the values have not come to that within"):
            values.wait(lambda values: "sensors.cellar" in values, timeout=0.01)


def test_last_values_are_no_more_followed_when_closed(mesh_name: str) -> None:
    with meshmq.Node("house", mesh=mesh_name) as house, meshmq.Node("display", mesh=mesh_name) as display:
        LastValues.keep(house, "sensors.*")
        one, other = LastValues(display, "sensors.*"), LastValues(display, "sensors.*")
        house.publish("sensors.hall", 20)
        for values in (one, other):
            values.wait(lambda values: values.get("sensors.hall") == 20, timeout=20)
        one.close()
        house.publish("sensors.hall", 21)
        other.wait(lambda values: values["sensors.hall"] == 21, timeout=20)
        assert one["sensors.hall"] == 20


def test_a_message_counts_as_read_when_the_next_is_asked_for(mesh_name: str) -> None:
    with meshmq.Node("writer", mesh=mesh_name) as writer, meshmq.Node("reader", mesh=mesh_name) as reader:
        Replay.keep(writer, "log", 10)
        for word in ("one", "two", "three"):
            writer.publish("log", word)
        first = Replay(reader, "log", idle=20)
        for message in first:
            if message.data == "two":
                break  # in the middle of it
        first.close()
        assert first.position == 1
        second = Replay(reader, "log", first.position, idle=20)
        read = []
        for message in second:
            read.append(message.data)
            if message.data == "three":
                break
        second.close()
        assert (read, second.missing) == (["two", "three"], 0)


def test_a_replay_tells_what_is_older_than_the_history(mesh_name: str) -> None:
    with meshmq.Node("writer", mesh=mesh_name) as writer, meshmq.Node("reader", mesh=mesh_name) as reader:
        Replay.keep(writer, "log", 10)
        witness = Replay(reader, "log", idle=20)
        for number in range(1, 101):
            writer.publish("log", number)
        # What has not left the writer yet comes to a new subscription, too.
        assert any(message.data == 100 for message in witness)
        witness.close()
        replay = Replay(reader, "log", 30, idle=2)
        assert [message.data for message in replay] == list(range(91, 101))
        assert (replay.position, replay.missing) == (100, 60)
        assert list(replay) == []  # idle ends a loop, and not the replay
        replay.close()


def test_a_quick_follower_is_never_behind_and_ends_with_its_node(mesh_name: str) -> None:
    done: list[int] = []
    behind: list[int] = []
    last = threading.Event()

    def do(message: meshmq.Message) -> None:
        done.append(message.data)
        if message.data == 999:
            last.set()

    node = meshmq.Node("reader", mesh=mesh_name).open()
    reader = threading.Thread(target=follow, args=(node, "numbers", do, behind.append))
    reader.start()
    with meshmq.Node("publisher", mesh=mesh_name) as publisher:
        publisher.wait_for(subscribe="numbers", timeout=20)
        for number in range(1_000):
            publisher.publish("numbers", number)
        assert last.wait(20)
    node.close()
    reader.join(20)
    assert not reader.is_alive()
    assert (done, behind) == (list(range(1_000)), [])


def test_a_follower_that_was_cut_off_gets_the_last_one_that_is_kept(mesh_name: str) -> None:
    done: list[int] = []
    behind: list[int] = []
    stuck, free, went_on = threading.Event(), threading.Event(), threading.Event()

    def do(message: meshmq.Message) -> None:
        done.append(message.data)
        if message.data == 0:
            stuck.set()
            free.wait(20)
        elif message.data == 99:
            went_on.set()

    with meshmq.Node("publisher", mesh=mesh_name) as publisher, meshmq.Node("reader", mesh=mesh_name) as node:
        publisher.topic("numbers", history=1)
        publisher.publish("numbers", 0)
        witness = node.subscribe("numbers", since="last")
        options = {"capacity": 10}
        reader = threading.Thread(target=follow, args=(node, "numbers", do, behind.append), kwargs=options)
        reader.start()
        assert witness.receive(20).data == 0
        assert stuck.wait(20)
        for number in range(1, 100):
            publisher.publish("numbers", number)
        while witness.receive(20).data != 99:
            pass
        free.set()
        assert went_on.wait(20)
        assert len(behind) == 1
        assert done[-1] == 99
        assert behind[0] + len(done) - 1 == 100  # the last one was missed, and came after all
        node.close()
        reader.join()
