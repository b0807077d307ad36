"""A survey: the same question to all who serve a name, those included that come while it goes on."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace

from meshmq.core.calls.call import Asking, Call
from meshmq.core.calls.caller import Caller
from meshmq.core.calls.choice import Choice
from meshmq.core.part import Ground


@dataclass(slots=True, eq=False)
class Survey:
    """One survey: who was asked, in which order, and what came of it."""

    asking: Asking
    deadline: float | None
    #: Woken when somebody has answered.
    wake: Hashable
    calls: dict[bytes, Call] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<Survey of {self.asking.service!r}, {len(self.calls)} asked>"


class Surveys:
    """The surveys of this node that go on."""

    def __init__(self, ground: Ground, choice: Choice, caller: Caller) -> None:
        self._ground, self._choice, self._caller = ground, choice, caller
        self._going_on: dict[Survey, None] = {}

    def begin(self, asking: Asking, now: float, wake: Hashable = None) -> Survey:
        """Ask all who are here, and from now on all who come, until it is ended."""
        survey = Survey(asking, None if asking.timeout is None else now + asking.timeout, wake)
        self._going_on[survey] = None
        self._ground.work(now)  # the roster may have changed just now
        self._ask(survey, now)
        self._ground.work(now)
        return survey

    def goes_on(self, survey: Survey) -> bool:
        """Whether it was not ended."""
        return survey in self._going_on

    def over(self, survey: Survey, now: float) -> bool:
        """Whether nothing more is to come: its time is over, or all have answered and discovery is settled."""
        if survey.deadline is not None and now >= survey.deadline:
            self.end(survey, now)
        if survey not in self._going_on:
            return True
        if any(call.outcome is None for call in survey.calls.values()) or not self._ground.settled(now):
            return False
        self.end(survey, now)
        return True

    def end(self, survey: Survey, now: float) -> None:
        """Ask nobody more, and give up who has not answered; those without an answer count as too late."""
        if self._going_on.pop(survey, survey) is None:
            for call in survey.calls.values():
                self._caller.expire(call, now)
            self._ground.work(now)

    def roster_changed(self, now: float) -> None:
        """Ask who is new."""
        for survey in list(self._going_on):
            self._ask(survey, now)

    def _ask(self, survey: Survey, now: float) -> None:
        for peer in self._choice.servers(survey.asking.service):
            if peer not in survey.calls:
                left = None if survey.deadline is None else max(0.0, survey.deadline - now)
                asking = replace(survey.asking, to=peer.hex(), timeout=left)
                survey.calls[peer] = self._caller.add(asking, now, survey.wake)
