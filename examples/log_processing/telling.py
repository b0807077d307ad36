"""What is told of alarms and counts, in words."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter


def alarm_words(service: str, bound: int, seconds: float, *, raised: bool) -> str:
    """Return the line that tells of an alarm, or of its end."""
    how = f"more than {bound}" if raised else f"at most {bound // 2}"
    return f"{'ALARM' if raised else 'clear'}  {service}: {how} errors in {seconds:g} s"


def count_words(rows: Iterable[tuple[str, str, int]]) -> str:
    """Return counts by service and level; ``rows`` are sorted by service."""
    services = []
    for service, own in groupby(rows, key=itemgetter(0)):
        services.append(f"{service} " + ", ".join(f"{number:,} {level}" for _, level, number in own))
    return " · ".join(services) or "nothing"
