"""``make faults``: every fault under the load of all three patterns, one after the other, as a table."""

from __future__ import annotations

import sys
import time

from tests.faults.books import Outcome
from tests.faults.faults import FAULTS, Fault
from tests.faults.promises import broken
from tests.faults.rig import PATTERNS, WHOLE, Pace, Rig
from tests.network.namespaces import reason_against

COLUMNS = (
    "fault",
    "load during it (jobs, messages, requests a second)",
    "detected after",
    "recovered after (jobs, topics, requests)",
    "lost (jobs; messages: told, untold; requests: failed)",
    "repeated (flagged, not)",
)


def run(fault: Fault, pace: Pace) -> Outcome:
    """Have one fault strike; returns what became of everything."""
    with Rig(pace, detoured=fault.detoured, few=fault.few, durable=fault.durable) as rig:
        return rig.measure(fault.strike)


def row(fault: Fault, outcome: Outcome) -> str:
    """Return a row of the table."""
    load = (outcome.jobs_per_second, outcome.messages_per_second, outcome.requests_per_second)
    detected = "not" if outcome.detected is None else f"{outcome.detected:.1f} s"
    died = f" and {outcome.messages_died} with their publisher" if outcome.messages_died else ""
    cells = (
        fault.name if outcome.cpu is None else f"{fault.name} ({outcome.cpu:.0%} of a core)",
        ", ".join(f"{rate:.0f}" for rate in load),
        detected,
        ", ".join(f"{outcome.recovered[what]:.1f} s" for what in PATTERNS),
        f"{outcome.jobs_lost}; {outcome.messages_missed}, {outcome.messages_untold}{died}; {outcome.requests_failed}",
        f"{outcome.jobs_repeated - outcome.jobs_unflagged}, {outcome.jobs_unflagged}",
    )
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Print the table; what is promised and was not kept stands under it."""
    if reason := reason_against():
        print(f"no faults can be brought about: {reason}", file=sys.stderr)
        return 1
    begun, breaches = time.monotonic(), list[str]()
    print(f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|", sep="\n", flush=True)
    for fault in FAULTS:
        outcome = run(fault, WHOLE)
        print(row(fault, outcome), flush=True)
        breaches += [f"{fault.name}: {breach}" for breach in broken(fault, outcome)]
    print(f"\n{time.monotonic() - begun:.0f} s; broken promises: {', '.join(breaches) or 'none'}")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
