"""Many pushers and many pullers on several machines, with devices between them, over TCP."""

from __future__ import annotations

import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from tests.network.children import Child, python
from tests.network.conftest import Namespaces, Start
from tests.network.namespaces import Namespace

CROWD: Final = Path(__file__).parent / "programs" / "crowd.py"
MANY: Final = 20
PROCESSES: Final = 4
JOBS: Final = 400
WORK: Final = 0.02
ESTABLISHED: Final = "01"
#: How many connections pushers may have made that lost sight of a device for a moment, as they may on a busy machine:
#: each keeps the 20 direct ones that it made then.
STRAY: Final = 3 * MANY
#: Seconds that nobody may be without a job while there are some.
PAUSE: Final = 3.0

pytestmark = [pytest.mark.stress, pytest.mark.root, pytest.mark.timeout(300)]


class Crowd:
    """Pushers, pullers and devices, each kind on a machine of its own."""

    def __init__(self, namespaces: Namespaces, start: Start, mesh: str, devices: int) -> None:
        self._start, self._mesh, self._devices = start, mesh, devices
        self.places = dict(zip(("pull", "push", "device"), namespaces(3).nodes, strict=True))
        self.ports: set[int] = set()
        self._told: list[str] = []
        self.devices = [self.run("device", f"hub-{number}") for number in range(devices)]
        each = MANY // PROCESSES
        self.pullers = [
            self.run("pull", f"puller-{part}", "--count", each, "--seconds", WORK, port=None if part else 5555)
            for part in range(PROCESSES)
        ]
        seen = ("--pullers", MANY, "--devices", devices)
        self.pushers = [
            self.run("push", f"pusher-{part}", "--count", each, "--jobs", JOBS, *seen) for part in range(PROCESSES)
        ]
        for child in (*self.devices, *self.pullers, *self.pushers):
            self.opened(child, 1 if child in self.devices else each)
        for child in self.pushers:
            for _ in range(each):
                child.until("ready", 60)

    def run(self, role: str, name: str, *options: object, port: int | None = None) -> Child:
        """Start some nodes; they find the others through the first puller."""
        place = self.places[role]
        where = ("--port", port) if port else ("--peer", f"{self.places['pull'].address}:5555")
        command = python(CROWD, role, "--name", name, *where, *options)
        return self._start(place.command(*command), env={**place.env, "MESHMQ_MESH": self._mesh})

    def opened(self, child: Child, count: int) -> None:
        for _ in range(count):
            *_, line = child.until("open ", 60)
            self.ports.add(int(line.split()[2]))

    def connections(self) -> int:
        """Return how many connections stand to direct ports; each is counted where it was accepted."""
        return sum(accepted(place, self.ports) for place in self.places.values())

    def go(self) -> float:
        for child in self.pushers:
            child.say("go")
        return time.monotonic()

    def until(self, via: str, jobs: int = 1) -> None:
        """Wait until a puller has done so many jobs that came by this way."""
        for _ in range(jobs):
            self._told += self.pullers[-1].until(f" {via} ")

    def flushed(self) -> None:
        """Wait until all is confirmed."""
        for child in self.pushers:
            for _ in range(MANY // PROCESSES):
                child.until("flushed", 120)

    def end(self) -> Done:
        for child in self.pullers:
            child.end_input()
        for child in self.pullers:
            assert child.wait(60) == 0, child.stderr
        return Done([*self._told, *(line for child in self.pullers for line in child.rest())])


class Done:
    """What pullers have told of every job."""

    def __init__(self, lines: list[str]) -> None:
        self.attempts: defaultdict[str, list[int]] = defaultdict(list)
        self.vias: list[tuple[float, str]] = []
        for line in lines:
            if line.startswith("done ") and line.endswith(" ."):
                _, job, attempt, via, moment, _ = line.split()
                self.attempts[job].append(int(attempt))
                self.vias.append((float(moment), via))
        self.vias.sort()

    def check(self) -> None:
        """Nothing is lost, and what ran twice says so."""
        assert len(self.attempts) == MANY * JOBS
        assert not [job for job, attempts in self.attempts.items() if attempts.count(1) > 1]

    @property
    def repeats(self) -> int:
        return sum(len(attempts) - 1 for attempts in self.attempts.values())

    def pause(self) -> float:
        """Return the longest time in which nobody finished a job."""
        moments = [moment for moment, _ in self.vias]
        return max(later - earlier for earlier, later in pairwise(moments))

    def through(self, after: float) -> set[str]:
        return {via for moment, via in self.vias if moment > after}


def accepted(place: Namespace, ports: set[int]) -> int:
    lines = place.run("cat", "/proc/net/tcp").stdout.splitlines()[1:]
    fields = [line.split() for line in lines]
    return sum(int(one[1].rpartition(":")[2], 16) in ports and one[3] == ESTABLISHED for one in fields)


def test_without_a_device_everybody_has_a_connection_to_everybody(
    namespaces: Namespaces, start: Start, mesh_name: str
) -> None:
    crowd = Crowd(namespaces, start, mesh_name, 0)
    crowd.go()
    crowd.flushed()
    assert crowd.connections() == MANY * MANY
    crowd.end().check()


def test_with_a_device_each_has_one_and_it_may_be_killed(namespaces: Namespaces, start: Start, mesh_name: str) -> None:
    crowd = Crowd(namespaces, start, mesh_name, 1)
    crowd.go()
    crowd.until("hub-0-0", 20)
    connections = crowd.connections()
    assert connections <= 2 * MANY + STRAY
    crowd.devices[0].kill()
    crowd.until("-", 20)
    crowd.run("device", "hub-again").until("open ", 60)
    crowd.until("hub-again-0", 20)
    crowd.flushed()
    done = crowd.end()
    done.check()
    print(f"{connections} connections, {done.repeats} repeats, the longest pause was {done.pause():.3f} s")
    assert done.pause() < PAUSE


def test_of_two_devices_one_may_be_killed_and_nobody_pauses(
    namespaces: Namespaces, start: Start, mesh_name: str
) -> None:
    crowd = Crowd(namespaces, start, mesh_name, 2)
    crowd.go()
    crowd.until("hub-0-0", 20)
    crowd.until("hub-1-0", 20)
    connections = crowd.connections()
    assert connections <= 4 * MANY + STRAY
    crowd.devices[0].kill()
    killed = time.monotonic()
    crowd.flushed()
    done = crowd.end()
    done.check()
    print(f"{connections} connections, {done.repeats} repeats, the longest pause was {done.pause():.3f} s")
    assert done.pause() < PAUSE
    assert done.through(0) >= {"hub-0-0", "hub-1-0"}
    assert "-" not in done.through(killed + PAUSE)
