"""Keys: jobs of one key are done one after the other, in order, by one worker as long as it is there.

Of each key one job is out at most: it goes to the worker that the key belongs to, by rendezvous hashing over all who
pull the queue, so that every pusher finds the same. The next goes out when that one has ended. So a key that moves,
because its worker is gone or a new one has come, never has jobs in two places. Jobs with a key go to their worker
directly, where devices stand, too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from hashlib import blake2b

from meshmq.core.directed import Directed
from meshmq.core.runs import Run, count_jobs, sift
from meshmq.wire.fields import Ranges


class Keys:
    """The jobs of one outbox that have a key: those that are out, and those behind them."""

    def __init__(self, directed: Directed) -> None:
        self._directed = directed
        #: The key of each job that has one, by number; and which of them is out.
        self.of: dict[int, str] = {}
        self._out: dict[str, int] = {}
        self._lines: dict[str, deque[Run]] = {}
        #: Those that are to go out, and have no worker.
        self._unplaced: deque[Run] = deque()
        self._pullers: list[bytes] = []

    def __len__(self) -> int:
        """How many wait behind others of their key, or for a worker."""
        return sum(map(count_jobs, self._lines.values())) + len(self._unplaced)

    @property
    def runs(self) -> list[Run]:
        """All that wait so."""
        return [run for line in (*self._lines.values(), self._unplaced) for run in line]

    def add(self, run: Run, key: str) -> None:
        """Take a job that is to be done after all of its key that are here."""
        self.of[run.first] = key
        if key in self._out:
            self._lines.setdefault(key, deque()).append(run)
        else:
            self._out[key] = run.first
            self._place(run)

    def put_back(self, runs: Iterable[Run]) -> list[Run]:
        """Let those that have a key, and come back, go out again; returns the others."""
        others: list[Run] = []
        for run in runs:
            if run.first not in self.of:
                others.append(run)
                continue
            for index in range(len(run.bodies)):
                self._place(run.cut(index, index + 1))
        return others

    def _place(self, run: Run) -> None:
        owner = owner_of(self.of[run.first], self._pullers)
        if owner is None:
            self._unplaced.append(run)
        else:
            run.to = owner.hex()
            self._directed.put_back([run])

    def ended(self, number: int) -> None:
        """Let the next job of a key go out."""
        key = self.of.pop(number, None)
        if key is None or self._out.get(key) != number:
            return
        line = self._lines.get(key)
        if not line:
            del self._out[key]
            return
        run = line.popleft()
        if not line:
            del self._lines[key]
        self._out[key] = run.first
        self._place(run)

    def seek(self, pullers: Collection[bytes]) -> None:
        """Learn who pulls; what waits for another worker than its key belongs to now goes to that one."""
        fresh = sorted(pullers)
        if fresh == self._pullers:
            return
        self._pullers = fresh
        waiting, self._unplaced = self._unplaced, deque()
        numbers = [(number, number) for number in sorted(self._out.values())]
        for run in (*waiting, *self._directed.sift(numbers)):
            for index in range(len(run.bodies)):
                self._place(run.cut(index, index + 1))

    def sift(self, spans: Ranges) -> list[Run]:
        """Take out the numbers of all ``spans``, which are sorted and apart, of what waits here."""
        if not self.of:
            return []
        found = sift(self._unplaced, spans)
        for key, line in list(self._lines.items()):
            found += sift(line, spans)
            if not line:
                del self._lines[key]
        return found


def owner_of(key: str, pullers: Collection[bytes]) -> bytes | None:
    """Return whose a key is; ``None`` where there is nobody."""
    text = key.encode()
    return max(pullers, key=lambda peer: blake2b(text, key=peer, digest_size=8).digest(), default=None)
