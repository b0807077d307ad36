"""Rounds: all works and sides in turn, in the same processes, so that a slow minute is everybody's."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from meshmq.bench.actors import Crew
from meshmq.bench.kinds import Run, Side, Told, figures
from meshmq.bench.work import Place, Work

#: Characters of a secret made for a run.
_SECRET: Final = 32


@dataclass(slots=True)
class Compared:
    """All runs of a work: of each side one a round, as far as they have come."""

    work: Work
    sides: Sequence[Side]
    runs: dict[str, list[Run]] = field(default_factory=dict)

    def figure(self, side: Side, key: str) -> float | None:
        """Return the median of a figure; ``None`` where this side has none."""
        found = [run.figures[key] for run in self.runs.get(side.name, ()) if key in run.figures]
        return median(found) if found else None

    def ratio(self, one: Side, other: Side, key: str) -> float | None:
        """Return the median of the rounds' ratios; ``None`` where there is none."""
        pairs = zip(self.runs.get(one.name, ()), self.runs.get(other.name, ()), strict=False)
        found = [
            mine.figures[key] / theirs.figures[key]
            for mine, theirs in pairs
            if key in mine.figures and theirs.figures.get(key)
        ]
        return median(found) if found else None

    @property
    def rounds(self) -> int:
        """How many rounds all sides have come through."""
        return min(len(self.runs.get(side.name, ())) for side in self.sides)


@dataclass(frozen=True, slots=True)
class Scene:
    """The processes that take part."""

    senders: Crew
    receivers: Crew
    interfaces: str = "127.0.0.1"
    secret: str | None = None
    """The secret of all; ``None`` makes one for each run that is to have one."""

    def run(self, side: Side, work: Work) -> Run:
        """Do the work once.

        Raises:
            MeshError: a process has ended, or has said nothing for long.
        """
        work = side.part_of(work)
        with tempfile.TemporaryDirectory(prefix="mq-", dir="/tmp") as directory:
            secret = self.secret or (secrets.token_urlsafe(_SECRET) if work.secure else None)
            place = Place(
                mesh=f"bench-{secrets.token_hex(4)}",
                directory=directory,
                transport=work.transport,
                secret=secret,
                interfaces=self.interfaces,
            )
            self.receivers.begin(side.receiver, work, place, work.receivers, ())
            addresses = [told["address"] for told in self.receivers.hear("address")]
            self.senders.begin(side.sender, work, place, work.senders, self.between(side, work, place, addresses))
            self.senders.hear("ready")
            if side.greets:
                self.receivers.hear("here")
            before = self.cpu(side)
            self.senders.say("go")
            sent = self.senders.hear("seconds")
            heard = self.receivers.hear("received") if work.kind == "publish" else []
            if side.counted:
                ended = max(told["ended"] for told in self.receivers.hear("ended"))
                sent = [{"seconds": ended - min(told["begun"] for told in sent)}]
            cpu = self.cpu(side) - before
            self.senders.stop()
            done = self.receivers.stop()
        return self.figures(work, sent, heard or done, cpu)

    def between(self, side: Side, work: Work, place: Place, addresses: Sequence[str]) -> Sequence[str]:
        """Start what stands between; return the addresses that senders are given."""
        return addresses

    def cpu(self, side: Side) -> float:
        """Return the seconds of processor time used until now by all who take part."""
        return self.senders.cpu() + self.receivers.cpu()

    def figures(self, work: Work, senders: Told, receivers: Told, cpu: float) -> Run:
        """Return what came of what all have told, and of the seconds of processor time they used."""
        return figures(work, senders, receivers, cpu)

    def close(self) -> None:
        """End the processes."""
        self.senders.close()
        self.receivers.close()


def compare(
    all_compared: Sequence[Compared],
    scene: Scene,
    rounds: int,
    progress: Callable[[int, Compared, Side, Run], None] = lambda number, compared, side, run: None,
    seconds: float = float("inf"),
) -> None:
    """Do all works in turn, round by round, and add the runs; no further round begins after so many seconds.

    ``progress`` is told after every run. Whatever ends it early leaves what there is.

    Raises:
        MeshError: a process has ended, or has said nothing for long.
    """
    ended = time.monotonic() + seconds
    for number in range(1, rounds + 1):
        if number > 1 and time.monotonic() > ended:
            break
        for compared in all_compared:
            sides = compared.sides if number % 2 else compared.sides[::-1]
            for side in sides:
                run = scene.run(side, compared.work)
                compared.runs.setdefault(side.name, []).append(run)
                progress(number, compared, side, run)
