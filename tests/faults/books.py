"""What became of all that was pushed, published and asked while a fault struck: counted from what both ends say."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

#: A request that ends so much later than its deadline has hung.
SLACK: Final = 5.0
#: As programs/near.py asks.
REQUEST: Final = 1.0


@dataclass
class Far:
    """What one process of the far side said until its end, or until it was killed."""

    done: list[int] = field(default_factory=list)
    #: Of every job: the attempts that it was run as.
    runs: list[tuple[int, int]] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    said: int = 0

    @classmethod
    def read(cls, lines: Iterable[str]) -> Self:
        """Read lines; one that a kill has cut counts for nothing."""
        far = cls()
        for line in lines:
            if not line.endswith(" ."):
                continue
            word, *rest = line.removesuffix(" .").split()
            if word == "job":
                far.runs.append((int(rest[0]), int(rest[1])))
            elif word == "done":
                far.done.append(int(rest[0]))
            elif word == "asked":
                far.asked.append(int(rest[0]))
            elif word == "said":
                far.said = int(rest[0])
        return far


@dataclass(frozen=True, slots=True)
class Near:
    """What the near side tells of all that it did; moments are on the monotonic clock."""

    pushed: Sequence[float]
    left: int
    #: Of each message: when, whose, its number, and how many are told as missed before it.
    received: Sequence[tuple[float, str, int, int]]
    missed: int
    requests: Sequence[dict[str, Any]]
    events: Sequence[tuple[float, str, str]]

    @classmethod
    def read(cls, line: str) -> Self:
        """Read its account."""
        return cls(**json.loads(line))


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row of the table; spans are seconds, ``None`` where nothing came about."""

    jobs_per_second: float
    messages_per_second: float
    requests_per_second: float
    detected: float | None
    recovered: dict[str, float]
    #: Jobs whose push returned and that nobody did.
    jobs_lost: int
    #: Executions beyond the first of a job, and how many jobs had more than one that called itself the first.
    jobs_repeated: int
    jobs_unflagged: int
    #: Messages that did not come: told as missed, and not told.
    messages_missed: int
    messages_untold: int
    #: Of those not told: what a publisher took with it into its death.
    messages_died: int
    #: Messages that came twice or out of order.
    messages_disordered: int
    requests_failed: int
    #: Requests that ran more than once, that ran though their error said they had not, and that did not end in time.
    requests_repeated: int
    requests_misled: int
    requests_hung: int
    #: The share of a core that the far process took, where the fault measures it.
    cpu: float | None = None


def settle(
    near: Near,
    fars: Sequence[Far],
    struck: float,
    mended: float,
    recovered: dict[str, float],
    cpu: float | None = None,
) -> Outcome:
    """Return what became of everything, the fault having struck and been mended at these moments."""
    runs: defaultdict[int, list[int]] = defaultdict(list)
    for far in fars:
        for number, attempt in far.runs:
            runs[number].append(attempt)
    done = {number for far in fars for number in far.done}
    disordered, died, untold = _topics(near, fars)
    asked = Counter(number for far in fars for number in far.asked)
    failed = [request for request in near.requests if request["error"]]
    span = max(mended, struck + 1.0) - struck
    return Outcome(
        jobs_per_second=_within(near.pushed, struck, span),
        messages_per_second=_within([when for when, *_ in near.received], struck, span),
        requests_per_second=_within([request["begun"] for request in near.requests], struck, span),
        detected=_detected(near, failed, struck),
        recovered={what: moment - mended for what, moment in recovered.items()},
        jobs_lost=len(set(range(len(near.pushed))) - done) + near.left,
        jobs_repeated=sum(len(attempts) - 1 for attempts in runs.values()),
        jobs_unflagged=sum(attempts.count(1) > 1 for attempts in runs.values()),
        messages_missed=near.missed,
        messages_untold=untold,
        messages_died=died,
        messages_disordered=disordered,
        requests_failed=len(failed),
        requests_repeated=sum(count > 1 for count in asked.values()),
        requests_misled=sum(not request["may_have_run"] and request["number"] in asked for request in failed),
        requests_hung=sum(request["ended"] - request["begun"] > REQUEST + SLACK for request in near.requests),
        cpu=cpu,
    )


def _topics(near: Near, fars: Sequence[Far]) -> tuple[int, int, int]:
    """Return how many messages came out of order, died with their publisher, and are missing without a word."""
    last: dict[str, int] = {}
    disordered = 0
    for _, sender, seq, gap in near.received:
        disordered += seq != last.get(sender, 0) + 1 + gap
        last[sender] = seq
    # Publishers come one after the other, and of the dead nobody can tell what was on its way.
    heads = list(last.values())
    died = sum(max(0, far.said - head) for far, head in zip(fars[:-1], heads[:-1], strict=False))
    total = sum(max(far.said, head) for far, head in zip(fars, heads, strict=False))
    return disordered, died, total - len(near.received) - near.missed - died


def _within(moments: Sequence[float], struck: float, span: float) -> float:
    return sum(struck <= moment < struck + span for moment in moments) / span


def _detected(near: Near, failed: Sequence[dict[str, Any]], struck: float) -> float | None:
    moments = [
        when for when, kind, name in near.events if kind in ("lost", "full") and name != "near" and when > struck
    ]
    moments += [request["ended"] for request in failed if request["ended"] > struck]
    return min(moments) - struck if moments else None
