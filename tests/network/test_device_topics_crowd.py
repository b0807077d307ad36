"""Many subscribers and a publisher on several machines, with a device between them that is killed, over TCP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest

from tests.network.children import Child, python
from tests.network.conftest import Namespaces, Start
from tests.network.namespaces import Namespace
from tests.network.test_device_crowd import accepted

PROGRAMS: Final = Path(__file__).parent / "programs"
HUB: Final = """
import meshmq
with meshmq.Node("hub", insecure=True) as node:
    node.device(topics=["load.**"])
    print("open", flush=True)
    node.run()
"""
PORT: Final = 5555
TOPICS_PORT: Final = PORT + 1
SUBSCRIBERS: Final = 8
#: Of messages in a second, and of all: a publisher is young for 5 s, and keeps everything.
RATE, COUNT = 2_000, 50_000
KILLS: Final = 4
WAIT: Final = 60.0

pytestmark = [pytest.mark.stress, pytest.mark.root, pytest.mark.timeout(300)]


class Crowd:
    """A publisher, subscribers and a device, each kind on a machine of its own."""

    def __init__(self, namespaces: Namespaces, start: Start, mesh: str) -> None:
        self._start, self._mesh = start, mesh
        self.publishes, self.subscribes, self.stands_between = namespaces(3).nodes
        self.publisher = self._run(self.publishes, PROGRAMS / "publisher.py", "--insecure", port=PORT)
        self.do("say load.start first")
        spec = json.dumps([{"patterns": ["load.*"], "capacity": 2 * COUNT}])
        program = PROGRAMS / "subscriber.py"
        self.subscribers = [self._run(self.subscribes, program, spec, "--insecure") for _ in range(SUBSCRIBERS)]
        for child in self.subscribers:
            child.until("ready", WAIT)
        self.do(f"wait load.a {SUBSCRIBERS}")

    def _run(self, place: Namespace, program: Path | str, *options: object, port: int | None = None) -> Child:
        given = {"MESHMQ_PORT": str(port)} if port else {"MESHMQ_PEERS": f"{self.publishes.address}:{PORT}"}
        return self._start(
            place.command(*python(program, *options)), env={**place.env, **given, "MESHMQ_MESH": self._mesh}
        )

    def hub(self) -> Child:
        child = self._run(self.stands_between, HUB)
        child.until("open", WAIT)
        return child

    def do(self, line: str) -> None:
        self.publisher.say(line)
        self.publisher.until("done", WAIT)

    def hears_the_publisher(self, count: int) -> None:
        """Wait until so many connections stand to its topics link."""
        for _ in range(600):
            if accepted(self.publishes, {TOPICS_PORT}) == count:
                return
        raise AssertionError(f"{accepted(self.publishes, {TOPICS_PORT})} connections, and not {count}")


def test_one_link_instead_of_many_and_every_gap_is_told(namespaces: Namespaces, start: Start, mesh_name: str) -> None:
    crowd = Crowd(namespaces, start, mesh_name)
    crowd.hears_the_publisher(SUBSCRIBERS)
    device = crowd.hub()
    crowd.hears_the_publisher(1)
    crowd.publisher.say(f"publish load.a {COUNT} {RATE} 0")
    for _ in range(KILLS):
        device.kill()
        crowd.hears_the_publisher(SUBSCRIBERS)
        device = crowd.hub()
        crowd.hears_the_publisher(1)
    crowd.publisher.until("done", WAIT)
    for child in crowd.subscribers:
        child.say(f"total {COUNT}")
    missed = []
    for child in crowd.subscribers:
        *_, line = child.until("{", WAIT)
        told = json.loads(line)
        assert (told["wrong"], told["received"] + told["missed"]) == (0, COUNT)
        assert told["gaps"] <= told["missed"]
        missed.append(told["missed"])
    print(f"{KILLS} kills, missed of {COUNT}: {missed}")
