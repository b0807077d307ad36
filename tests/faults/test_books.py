"""The books of the laboratory find what they are to find: each loss and repeat is one that was put there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest

from tests.faults.books import Far, Near, Outcome, settle
from tests.faults.faults import FAULTS, Fault
from tests.faults.promises import broken, rows
from tests.test_readme import TEXT

STRUCK, MENDED = 10.0, 18.0
LINES: Final = ["job 0 1 .", "done 0 .", "job 1 1 .", "done 1 .", "asked 0 .", "said 1 .", "said 2 .", "said 3 ."]
REQUEST: Final = {"number": 0, "begun": 11.0, "ended": 11.1, "error": "", "may_have_run": True}
NEAR: Final = Near(
    pushed=[10.5, 11.0],
    left=0,
    received=[(11.0, "far-1", 1, 0), (12.0, "far-1", 3, 1)],
    missed=1,
    requests=[REQUEST],
    events=[],
)
PLAIN: Final = Fault("nothing", lambda rig: (0.0, 0.0))


def outcome(near: Near = NEAR, *fars: list[str]) -> Outcome:
    return settle(near, [Far.read(lines) for lines in fars or [LINES]], STRUCK, MENDED, {"jobs": MENDED + 0.5})


def asked(**changes: Any) -> Near:
    return replace(NEAR, requests=[REQUEST | changes])


def test_where_all_is_well_nothing_is_broken() -> None:
    seen = outcome()
    assert broken(PLAIN, seen) == []
    assert (seen.jobs_repeated, seen.messages_missed, seen.requests_failed) == (0, 1, 0)
    assert seen.recovered == {"jobs": 0.5}
    assert seen.detected is None
    assert seen.jobs_per_second == 2 / 8


@pytest.mark.parametrize(
    ("near", "lines", "breach"),
    [
        (NEAR, [line for line in LINES if line != "done 1 ."], "1 jobs lost"),
        (replace(NEAR, left=2), LINES, "2 jobs lost"),
        (NEAR, [*LINES, "job 1 1 .", "done 1 ."], "1 jobs run twice without a flag"),
        (replace(NEAR, missed=0), LINES, "1 messages missed without a word"),
        (NEAR, [*LINES, "said 4 ."], "1 messages missed without a word"),
        (replace(NEAR, received=[*NEAR.received, (13.0, "far-1", 3, 0)]), LINES, "1 messages out of order"),
        (NEAR, [*LINES, "asked 0 ."], "1 requests run twice"),
        (asked(error="PeerLost", may_have_run=False), LINES, "1 requests that ran and were said not to have"),
        (asked(ended=20.0), LINES, "1 requests without an end"),
    ],
)
def test_each_breach_is_found(near: Near, lines: list[str], breach: str) -> None:
    assert breach in broken(PLAIN, outcome(near, lines))


def test_a_flagged_repeat_breaks_only_a_promise_of_none() -> None:
    seen = outcome(NEAR, [*LINES, "job 1 2 .", "done 1 ."])
    assert (seen.jobs_repeated, seen.jobs_unflagged) == (1, 0)
    assert broken(PLAIN, seen) == []
    assert broken(replace(PLAIN, repeats=False, gaps=False, failures=False), seen) == [
        "1 jobs repeated",
        "1 messages missed",
    ]


def test_a_line_that_a_kill_has_cut_counts_for_nothing() -> None:
    assert Far.read(["done 1 .", "done 2", "done 34 "]).done == [1]


def test_what_a_publisher_took_into_its_death_is_counted_apart() -> None:
    near = replace(NEAR, received=[*NEAR.received, (19.0, "far-2", 1, 0)])
    seen = outcome(near, [*LINES, "said 4 .", "said 5 ."], ["said 1 ."])
    assert (seen.messages_died, seen.messages_untold) == (2, 0)
    assert broken(PLAIN, seen) == ["2 messages that died with their publisher"]
    assert broken(replace(PLAIN, deadly=True), seen) == []


def test_the_first_word_of_a_fault_is_when_it_is_detected() -> None:
    events = [(9.0, "lost", "far-1"), (10.5, "joined", "far-2"), (12.0, "lost", "far-1")]
    assert outcome(replace(NEAR, events=events)).detected == 2.0
    failing = replace(asked(error="TimedOut", ended=11.5), events=events)
    assert outcome(failing).detected == 1.5


def test_the_readme_promises_what_the_laboratory_holds() -> None:
    lines = TEXT.splitlines()
    begin = lines.index(rows()[0])
    assert lines[begin : begin + len(rows())] == rows()
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
