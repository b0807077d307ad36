"""Devices for topics in processes of their own, killed while news pass: every gap is told, and nothing comes twice."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from typing import Final

import pytest

import meshmq
from tests.network.children import LIMIT, Child
from tests.network.conftest import Spawn, Start
from tests.network.test_device import forwarding, until
from tests.scale import STRESS, scale

KILLS: Final = scale(1, 12)
PAUSE: Final = 3.0
STEP: Final = 0.001 if STRESS else 0.003
#: So many messages in a row by one way: two bring them while one follows the other.
ROW: Final = scale(200, 500)

HUB: Final = """
import sys, meshmq
with meshmq.Node(sys.argv[1]) as node:
    node.device(topics=["weather.**"])
    print("open", flush=True)
    node.run()
"""


def hub(spawn: Spawn, mesh: str, name: str = "hub") -> Child:
    """Start a device; it is open."""
    child = spawn(HUB, name, env={"MESHMQ_MESH": mesh})
    child.until("open")
    return child


class Ear:
    """A subscriber that checks, by numbers, what it hears."""

    def __init__(self, name: str, mesh: str, *patterns: str) -> None:
        self.node = meshmq.Node(name, mesh=mesh).__enter__()
        self.subscription = self.node.subscribe(*patterns)
        self.heard: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self.ways: Counter[str] = Counter()
        self.longest = 0.0
        self.wrong: list[str] = []
        self._changed = threading.Condition()
        self.way, self.row = "", 0
        self._last: dict[str, int] = {}
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        before = 0.0
        for message in self.subscription:
            now, topic = time.monotonic(), message.topic
            expected = self._last.get(topic, 0) + message.gap + 1
            if message.seq != expected or message.data != message.seq or message.sender != "publisher":
                self.wrong.append(f"{message!r} with {message.data}, and not {expected}")
            self._last[topic] = message.seq
            self.heard[topic] += 1
            self.missed[topic] += message.gap
            self.ways[message.via] += 1
            self.longest = max(self.longest, now - before if before else 0.0)
            before = now
            with self._changed:
                self.row = self.row + 1 if message.via == self.way else 1
                self.way = message.via
                self._changed.notify_all()

    def comes_by(self, *ways: str) -> str:
        """Wait until news come by one of these ways, and no other; returns which."""
        with self._changed:
            steady = self._changed.wait_for(lambda: self.way in ways and self.row >= ROW, LIMIT)
            assert steady, f"not by {ways}: {self.ways}"
            return self.way

    def knows_all(self, count: int) -> None:
        """Wait until so many messages are heard, or told as missed."""
        with self._changed:
            known = self._changed.wait_for(lambda: self.heard.total() + self.subscription.missed >= count, LIMIT)
            assert known, f"{self.heard}, and {self.subscription.missed} missed, of {count}"

    def close(self) -> None:
        self.subscription.close()
        self._thread.join(LIMIT)
        self.node.close()


class Mouth:
    """A publisher that goes on and on: one topic is kept, and one is not."""

    def __init__(self, mesh: str) -> None:
        self.node = meshmq.Node("publisher", mesh=mesh).__enter__()
        self.kept, self.loose = self.node.topic("weather.kept", history=1_000_000), self.node.topic("weather.loose")
        self.number = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._talk)

    def begin(self) -> None:
        self._thread.start()

    def _talk(self) -> None:
        while not self._over.wait(STEP):
            self.number += 1
            self.kept.publish(self.number)
            self.loose.publish(self.number)

    def end(self) -> None:
        """Say no more; whoever hears us has confirmed the last number."""
        self._over.set()
        self._thread.join(LIMIT)
        self.node.close()


def settle(ears: list[Ear], mouth: Mouth) -> None:
    for ear in ears:
        ear.subscription.ready(LIMIT)
    mouth.begin()


def finish(ears: list[Ear], mouth: Mouth) -> None:
    """End, and see that every number was heard or told."""
    mouth.end()
    for ear in ears:
        ear.knows_all(2 * mouth.number)
        missed = ear.subscription.missed
        ear.close()
        assert ear.wrong == []
        assert (ear.heard["weather.kept"], ear.missed["weather.kept"]) == (mouth.number, 0)
        untold = mouth.number - ear.heard["weather.loose"] - ear.missed["weather.loose"]
        assert untold == missed - ear.missed["weather.loose"] >= 0
        assert ear.longest < PAUSE
        print(f"{mouth.number} of each, {dict(ear.ways)}, {missed} missed, longest pause {ear.longest:.2f} s")


def test_a_device_is_killed_under_load_and_every_gap_is_told(spawn: Spawn, mesh_name: str) -> None:
    device = hub(spawn, mesh_name)
    mouth = Mouth(mesh_name)
    ears = [Ear(f"ear-{number}", mesh_name, "weather.*") for number in range(2)]
    settle(ears, mouth)
    for _ in range(KILLS):
        for ear in ears:
            ear.comes_by("hub")
        device.kill()
        for ear in ears:
            ear.comes_by("")
        device = hub(spawn, mesh_name)
    for ear in ears:
        ear.comes_by("hub")
    finish(ears, mouth)


def test_two_devices_share_publishers_and_stand_in_for_each_other(spawn: Spawn, mesh_name: str) -> None:
    devices = {name: hub(spawn, mesh_name, name) for name in ("left", "right")}
    mouth = Mouth(mesh_name)
    ears = [Ear(f"ear-{number}", mesh_name, "weather.*") for number in range(2)]
    until(mouth.node, lambda: forwarding(mouth.node) == 2)
    settle(ears, mouth)
    for _ in range((KILLS + 1) // 2):
        while len(ways := {ear.comes_by(*devices) for ear in ears}) > 1:
            pass  # one follows the new device a moment later
        (chosen,) = ways
        other = "left" if chosen == "right" else "right"
        devices[chosen].kill()
        for ear in ears:
            ear.comes_by(other)
        devices[chosen] = hub(spawn, mesh_name, chosen)
    finish(ears, mouth)


@pytest.mark.stress
def test_a_device_that_is_stopped_is_left(spawn: Spawn, mesh_name: str) -> None:
    device = hub(spawn, mesh_name)
    mouth = Mouth(mesh_name)
    ear = Ear("ear", mesh_name, "weather.*")
    settle([ear], mouth)
    ear.comes_by("hub")
    device.stop()
    ear.comes_by("")
    device.resume()
    ear.comes_by("hub")
    ear.longest = 0.0  # it takes as long as a control link may be silent
    finish([ear], mouth)


def test_the_command_is_a_device_for_topics(start: Start, mesh_name: str) -> None:
    command = [sys.executable, "-m", "meshmq", "device", "--name", "hub", "--topic", "weather.**"]
    device = start(command, env={"MESHMQ_MESH": mesh_name})
    mouth = Mouth(mesh_name)
    ear = Ear("ear", mesh_name, "weather.*")
    settle([ear], mouth)
    ear.comes_by("hub")
    mouth.node.request("meshmq.drain", to="hub", timeout=LIMIT)
    assert device.wait() == 0
    ear.comes_by("")
    finish([ear], mouth)
    assert ear.missed == Counter({"weather.kept": 0, "weather.loose": 0})
    assert "stands before 'weather.**'" in device.stderr
