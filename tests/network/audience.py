"""Publishers and subscribers in processes of their own, and what they tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from tests.network.children import LIMIT, Child
from tests.network.conftest import Spawn

PROGRAMS: Final = Path(__file__).parent / "programs"


class Publisher:
    """A process that publishes as it is told."""

    def __init__(self, spawn: Spawn, mesh: str, *options: object) -> None:
        self.child: Child = spawn(PROGRAMS / "publisher.py", *options, env={"MESHMQ_MESH": mesh})

    def begin(self, *words: object) -> None:
        """Have something done."""
        self.child.say(" ".join(map(str, words)))

    def done(self, timeout: float = LIMIT) -> Any:
        """Wait until it is done; returns what was measured."""
        return json.loads(self.child.until("done", timeout)[-1].removeprefix("done "))

    def do(self, *words: object, timeout: float = LIMIT) -> Any:
        """Have something done, and wait for it."""
        self.begin(*words)
        return self.done(timeout)

    def leave(self) -> None:
        """Let it leave."""
        self.child.end_input()
        assert self.child.wait() == 0, self.child.stderr


class Subscriber:
    """A process with some subscriptions; ``specs`` as programs/subscriber.py says."""

    def __init__(self, spawn: Spawn, mesh: str, *specs: dict[str, Any], options: tuple[str, ...] = ()) -> None:
        command = (json.dumps(specs), *options)
        self.child: Child = spawn(PROGRAMS / "subscriber.py", *command, env={"MESHMQ_MESH": mesh})
        self.readers = sum(spec.get("read", True) for spec in specs)
        self.subscribed_at = 0.0

    def ready(self, timeout: float = LIMIT) -> None:
        """Wait until all publishers who are here know of its subscriptions."""
        self.subscribed_at = float(self.child.until("subscribed", timeout)[-1].split()[1])
        self.child.until("ready", timeout)

    def told(self, timeout: float = LIMIT) -> list[dict[str, Any]]:
        """Wait until all subscriptions are over, let it leave; returns what each has told."""
        rows = [json.loads(self.child.line(timeout)) for _ in range(self.readers)]
        self.child.end_input()
        assert self.child.wait() == 0, self.child.stderr
        return sorted(rows, key=lambda row: row["subscription"])

    def total(self, count: int, timeout: float = LIMIT) -> list[dict[str, Any]]:
        """As ``told``, once each got or missed so many."""
        self.child.say(f"total {count}")
        return self.told(timeout)
