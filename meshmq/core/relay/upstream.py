"""Upstream: one publisher as a device before it hears it: its topics link, tuned to what is wanted of the device."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from meshmq.core.feed.path import Path
from meshmq.core.feed.tuner import Tuner
from meshmq.core.part import Ground
from meshmq.wire.relaying import FROM_DEVICE, Echo

#: Who is asked again and again, and has answered nobody, keeps no more questions than so many.
_ASKED_MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class Question:
    """A probe of a subscriber that is answered when our own ``mark`` has had its echo."""

    subscriber: bytes
    probe: int
    mark: int


class Upstream:
    """A publisher whose news this node sends on."""

    def __init__(self, publisher: bytes, ground: Ground) -> None:
        self.publisher = publisher
        self.tuner = Tuner(ground, FROM_DEVICE)
        self.path = Path(self.tuner)
        #: Whether what is wanted has changed since it was tuned.
        self.stale = True
        self._questions: list[Question] = []

    def __repr__(self) -> str:
        return f"<Upstream of {self.publisher[:4].hex()}, {self.path!r}>"

    def sync(self, wanted: Iterable[bytes], now: float) -> None:
        """Tune to what is wanted now."""
        strings = dict.fromkeys(wanted)
        added = [string for string in strings if string not in self.tuner.strings]
        self.tuner.tune(added, [string for string in self.tuner.strings if string not in strings], now)
        self.stale = False

    def ask(self, subscriber: bytes, probe: int) -> Echo | None:
        """Return the answer to a subscriber's probe: all that it wants comes, or nothing; else it has to wait."""
        mark = self.tuner.mark
        if self.path.live and self.path.echoed >= mark > 0:
            return Echo(self.publisher, self.path.turn, probe)
        if len(self._questions) >= _ASKED_MOST:
            del self._questions[0]
        # Where no connection stands the next one has the next mark.
        self._questions.append(Question(subscriber, probe, mark if self.path.live else mark + 1))
        return None if self.path.live else Echo(self.publisher, 0, 0)

    def answered(self, echo: Echo, now: float) -> list[Question]:
        """Take an echo of the publisher; returns whose questions it answers."""
        self.path.answered(echo, now)
        due = [question for question in self._questions if question.mark <= self.path.echoed]
        self._questions = [question for question in self._questions if question.mark > self.path.echoed]
        return due

    def failed(self, now: float) -> None:
        """Note that the topics link is gone."""
        self.tuner.failed(now)
        self.path.echoed = 0

    def check(self, now: float) -> None:
        """See whether an echo is overdue."""
        self.tuner.check([self.path.echoed >= self.tuner.mark], now)
