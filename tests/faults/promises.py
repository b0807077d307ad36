"""What the README promises of each fault, and whether an outcome keeps it."""

from __future__ import annotations

from tests.faults.books import Outcome
from tests.faults.faults import FAULTS, Fault


def broken(fault: Fault, outcome: Outcome) -> list[str]:
    """Return what an outcome breaks of what is promised of a fault; nothing where all is kept."""
    zeros = {
        "jobs lost": outcome.jobs_lost,
        "jobs run twice without a flag": outcome.jobs_unflagged,
        "messages missed without a word": outcome.messages_untold,
        "messages out of order": outcome.messages_disordered,
        "requests run twice": outcome.requests_repeated,
        "requests that ran and were said not to have": outcome.requests_misled,
        "requests without an end": outcome.requests_hung,
    }
    if not fault.repeats:
        zeros["jobs repeated"] = outcome.jobs_repeated
    if not fault.gaps:
        zeros["messages missed"] = outcome.messages_missed
    if not fault.failures:
        zeros["requests failed"] = outcome.requests_failed
    if not fault.deadly:
        zeros["messages that died with their publisher"] = outcome.messages_died
    return [f"{count} {what}" for what, count in zeros.items() if count]


def rows() -> list[str]:
    """Return the table of the README, a line each."""
    head = ["| fault | push / pull | publish / subscribe | request / reply |", "|---|---|---|---|"]
    return head + [_row(fault) for fault in FAULTS]


def _row(fault: Fault) -> str:
    jobs = "0 lost, repeats flagged" if fault.repeats else "0 lost, 0 repeated"
    if fault.deadly:
        topics = "every gap told, but for what the dead had on its way"
    else:
        topics = "every gap told" if fault.gaps else "0 missed"
    requests = "0 run twice, errors say whether it may have run" if fault.failures else "0 failed"
    return f"| {fault.name} | {jobs} | {topics} | {requests} |"
