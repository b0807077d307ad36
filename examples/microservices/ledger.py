"""What was decided about each order, on disk: the memory of a service that may be killed at any moment."""

from __future__ import annotations

import json
import os
from pathlib import Path


class Ledger:
    """Decisions by order, each a line that is on the disk before anybody hears of it."""

    def __init__(self, path: Path) -> None:
        path.touch()
        self._file = path.open("r+b")
        self._decisions: dict[str, dict[str, object]] = {}
        whole = 0
        for line in self._file:
            if not line.endswith(b"\n"):
                break  # its writer was killed over it, and nobody was told
            decision = json.loads(line)
            self._decisions[decision["order"]] = decision
            whole += len(line)
        self._file.seek(whole)
        self._file.truncate()

    def sold(self, article: str) -> int:
        """Return how many orders got the article."""
        return sum(1 for decision in self._decisions.values() if decision["article"] == article and decision["sold"])

    def find(self, order: str) -> bool | None:
        """Return whether the order got its article, ``None`` where nothing was decided yet."""
        decision = self._decisions.get(order)
        return None if decision is None else bool(decision["sold"])

    def add(self, order: str, article: str, *, sold: bool) -> None:
        """Decide an order."""
        decision: dict[str, object] = {"order": order, "article": article, "sold": sold}
        self._file.write(json.dumps(decision).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._decisions[order] = decision

    def close(self) -> None:
        """Close the file."""
        self._file.close()
