"""When errors are too many: told once when it begins, and once when it is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from examples.log_processing.levels import ERRORS


class Alarm:
    """More than ``bound`` errors of a service in the window; over at half of that, or it would flicker."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._raised: set[str] = set()

    def check(self, counts: Mapping[tuple[str, str], int]) -> Iterator[tuple[str, bool]]:
        """Yield each service for which it is raised (true), or over, by these counts and not by those before."""
        errors: Counter[str] = Counter()
        for (service, level), number in counts.items():
            errors[service] += number if level in ERRORS else 0
        for service in sorted({*errors, *self._raised}):
            if service not in self._raised and errors[service] > self._bound:
                self._raised.add(service)
                yield service, True
            elif service in self._raised and errors[service] <= self._bound // 2:
                self._raised.remove(service)
                yield service, False
