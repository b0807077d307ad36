"""What the nodes of ``programs/member.py`` tell, as a test wants to know it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.network.children import LIMIT, Child, python
from tests.network.conftest import Start
from tests.network.namespaces import Namespace

MEMBER: Final = Path(__file__).parent / "programs" / "member.py"
#: Of nodes that do not find each other by zeroconf, nor as those of one host do.
ADDRESSES_ONLY: Final[dict[str, Any]] = {"insecure": True, "apart": True, "deaf": True}
#: A busy machine is given ten times what it should take.
TIMES: Final = 10


@dataclass(frozen=True, slots=True)
class Seen:
    """An event of a roster, as one node had it; the moment is on the clock that all processes share."""

    node: str
    kind: str
    peer: str
    moment: float
    reason: str


@dataclass(frozen=True, slots=True)
class Opened:
    """When a node opened, and where its control link is bound."""

    before: float
    after: float
    addresses: tuple[str, ...]


class Member:
    """One process with the nodes of ``names``."""

    def __init__(self, child: Child, names: Iterable[str]) -> None:
        self.child, self.names = child, tuple(names)
        self.opened: dict[str, Opened] = {}
        self.events: list[Seen] = []
        self.jobs: list[tuple[float, str]] = []
        self._answers: list[list[str]] = []

    def hear(self, until: Callable[[], bool], timeout: float = LIMIT) -> None:
        """Take in what is told until the condition holds.

        Raises:
            AssertionError: it does not in time.
        """
        deadline = time.monotonic() + timeout
        while not until():
            word, *rest = self.child.line(max(0.0, deadline - time.monotonic())).split(" ")
            if word == "open":
                self.opened[rest[0]] = Opened(float(rest[1]), float(rest[2]), tuple(rest[3:]))
            elif word == "event":
                node, kind, peer, moment, *reason = rest
                self.events.append(Seen(node, kind, peer, float(moment), " ".join(reason)))
            elif word == "job":
                self.jobs.append((float(rest[1]), " ".join(rest[2:])))
            else:
                self._answers.append(rest)

    def ready(self, timeout: float = LIMIT) -> Opened:
        """Wait until all nodes are open, and return what is told of the last."""
        self.hear(lambda: len(self.opened) == len(self.names), timeout)
        return self.opened[self.names[-1]]

    def saw(self, kind: str, peer: str, *, after: float = 0.0, timeout: float = LIMIT) -> Seen:
        """Wait until every node of this process has seen it; returns the last to see it."""

        def all_seen() -> dict[str, Seen]:
            seen = [one for one in self.events if (one.kind, one.peer) == (kind, peer) and one.moment > after]
            return {one.node: one for one in seen if one.node != peer}

        wanted = {name for name in self.names if name != peer}
        self.hear(lambda: all_seen().keys() >= wanted, timeout)
        return max(all_seen().values(), key=lambda one: one.moment)

    def met(self, count: int, timeout: float = LIMIT) -> float:
        """Wait until each of the nodes has ``count`` peers, and return the moment when the last had them."""
        read, here = 0, dict.fromkeys(self.names, 0)
        full: dict[str, float] = {}

        def all_met() -> bool:
            nonlocal read
            for one in self.events[read:]:
                here[one.node] += (one.kind == "joined") - (one.kind in ("left", "lost"))
                if here[one.node] == count:
                    full[one.node] = one.moment
                else:
                    full.pop(one.node, None)
            read = len(self.events)
            return len(full) == len(self.names)

        self.hear(all_met, timeout)
        return max(full.values())

    def kinds(self, peer: str) -> list[str]:
        """Return how a peer came and went until now, as the first of the nodes saw it."""
        mine = [one for one in self.events if one.node == self.names[0] and one.peer == peer]
        return [one.kind for one in mine if one.kind in ("joined", "left", "lost")]

    def refusals(self) -> str:
        """Return the reasons of all refusals seen until now, one in a line."""
        return "\n".join(one.reason for one in self.events if one.kind == "refused")

    def peers(self) -> dict[str, list[str]]:
        """Ask each node who is here now."""
        told = len(self._answers)
        self.child.say("peers")
        self.hear(lambda: len(self._answers) == told + len(self.names))
        return {name: peers for name, *peers in self._answers[told:]}

    def cpu(self) -> float:
        """Ask for the seconds of processor time that the process has used."""
        told = len(self._answers)
        self.child.say("cpu")
        self.hear(lambda: len(self._answers) > told)
        return float(self._answers[told][0])

    def push(self, data: str) -> None:
        """Have the first node push one job."""
        self.child.say(f"push {data}")

    def leave(self) -> None:
        """Close all nodes and end the process."""
        self.child.end_input()
        assert self.child.wait() == 0, self.child.stderr


def member(
    start: Start, *names: str, env: Mapping[str, str], within: Namespace | None = None, **options: object
) -> Member:
    """Start a process with a node for each name; ``pull="jobs"`` means ``--pull jobs``.

    ``within`` a namespace it has the surroundings of another machine, and nobody tells it the interface.
    """
    words: list[object] = list(names)
    for option, value in options.items():
        if value is True:
            words.append(f"--{option}")
        elif value not in (None, False):
            words += [f"--{option}", value]
    command = python(MEMBER, *words)
    if within is not None:
        command = within.command(*command)
        env = {**within.env, "MESHMQ_INTERFACES": "", **env}
    return Member(start(command, env=env), names)


def held(what: str, seconds: float, limit: float) -> None:
    """Print a figure, and hold it at ten times its limit."""
    print(f"{what}: {seconds:.3f} s (limit {limit:g} s)")
    assert seconds < limit * TIMES
