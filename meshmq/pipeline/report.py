"""What is known of a run: each stage in numbers, and which of them holds the others back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

#: From which share of its time on at work a stage has no more to give.
AT_ITS_LIMIT: Final = 0.8


@dataclass(slots=True)
class StageReport:
    """One stage, summed over all processes of it that were seen, wherever they run.

    A process that is killed takes with it what it counted since it was last looked at (four times a second).
    """

    name: str
    processes: int = 0
    """How many are here now."""
    done: int = 0
    """Values that its function has done, in all processes; of the source 0."""
    given: int = 0
    """Values it has given to stages after it."""
    waiting: int = 0
    """Values given to it that its function has not yet done: they wait, are on their way, or worked at."""
    repeats: int = 0
    """Values that were sent to it again, because a process was lost or the function raised."""
    seconds: float = 0.0
    """Seconds in its function, in all processes; waiting for values, or for room behind it, is not among them."""
    restarts: int = 0
    """How often processes of it were started again, of those that this run looks after."""
    rate: float = 0.0
    """Values done (of the source: given) per second, lately."""
    busy: float = 0.0
    """The share of its processes' time in its function, lately."""


@dataclass(slots=True)
class Report:
    """One look at a run, or its summary."""

    pipeline: str
    seconds: float = 0.0
    complete: bool = False
    """Whether the source has ended by itself, and all it gave is done."""
    stages: dict[str, StageReport] = field(default_factory=dict)
    """By name, in the order of declaration."""
    after: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """After which stages each of them comes."""
    processes: dict[str, int] = field(default_factory=dict)
    """The process ids of those that this run looks after, by stage and number: ``count-2``."""
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What each node last said of itself (``node.stats()``), by its name."""

    @property
    def held_back_by(self) -> str | None:
        """The stage that the others wait for; ``None`` where none is at its limit.

        That is one whose processes are in its function for 80 % of their time and more: those before it wait for room,
        those behind it for values. Where there are several, it is the one for which most values wait.
        """
        full = [stage for stage in self.stages.values() if stage.busy >= AT_ITS_LIMIT]
        return max(full, key=lambda stage: stage.waiting).name if full else None
