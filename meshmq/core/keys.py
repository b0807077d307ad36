"""Keys: jobs of one key are done one after the other, in order, by one worker as long as it is there.

Of each key one job is out at most: it goes to the worker that the key belongs to, by rendezvous hashing over all who
pull the queue and take jobs (``owners``), so that every pusher finds the same. The next goes out when that one has
ended. So a key that moves, because its worker is gone or a new one has come, never has jobs in two places. Jobs with a
key go to their worker directly, where devices stand, too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from hashlib import blake2b

from meshmq.core.directed import Directed
from meshmq.core.runs import Run, count_jobs, merged, sift
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
        #: How many wait behind others of their key.
        self._behind = 0

    def __len__(self) -> int:
        """How many wait behind others of their key, or for a worker."""
        return self._behind + len(self._unplaced)

    @property
    def runs(self) -> list[Run]:
        """All that wait so."""
        return [run for line in (*self._lines.values(), self._unplaced) for run in line]

    def add(self, run: Run, key: str) -> None:
        """Take a job that is to be done after all of its key that are here."""
        self.of[run.first] = key
        if key in self._out:
            self._lines.setdefault(key, deque()).append(run)
            self._behind += 1
        else:
            self._out[key] = run.first
            self._place([run])

    def put_back(self, runs: Iterable[Run]) -> list[Run]:
        """Let those that have a key, and come back, go out again; returns the others."""
        others: list[Run] = []
        keyed: list[Run] = []
        for run in runs:
            (keyed if run.first in self.of else others).append(run)
        self._place(keyed)
        return others

    def _place(self, runs: Iterable[Run]) -> None:
        placed: list[Run] = []
        for run in runs:
            for index in range(len(run.bodies)):
                one = run.cut(index, index + 1) if len(run.bodies) > 1 else run
                owner = owner_of(self.of[one.first], self._pullers)
                if owner is None:
                    self._unplaced.append(one)
                else:
                    one.to = owner.hex()
                    placed.append(one)
        self._directed.put_back(placed)

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
        self._behind -= 1
        if not line:
            del self._lines[key]
        self._out[key] = run.first
        self._place([run])

    def seek(self, pullers: Collection[bytes]) -> None:
        """Learn who pulls; what waits for another worker than its key belongs to now goes to that one."""
        fresh = sorted(pullers)
        if fresh == self._pullers:
            return
        self._pullers = fresh
        waiting, self._unplaced = self._unplaced, deque()
        numbers = [(number, number) for number in sorted(self._out.values())]
        self._place((*waiting, *self._directed.sift(merged(numbers))))

    def sift(self, spans: Ranges) -> list[Run]:
        """Take out the numbers of all ``spans``, which are sorted and apart, of what waits here."""
        if not self.of:
            return []
        found = sift(self._unplaced, spans)
        for key in {self.of[number] for number in self._numbers(spans)}:
            if (line := self._lines.get(key)) is not None:
                taken = sift(line, spans)
                self._behind -= count_jobs(taken)
                found += taken
                if not line:
                    del self._lines[key]
        return found

    def _numbers(self, spans: Ranges) -> Iterator[int]:
        """Yield the numbers in the spans that have a key, by the shorter way."""
        if sum(last - first + 1 for first, last in spans) < len(self.of):
            yield from (number for first, last in spans for number in range(first, last + 1) if number in self.of)
        else:
            yield from (number for number in self.of if any(first <= number <= last for first, last in spans))


def owner_of(key: str, pullers: Collection[bytes]) -> bytes | None:
    """Return whose a key is; ``None`` where there is nobody."""
    text = key.encode()
    return max(pullers, key=lambda peer: blake2b(text, key=peer, digest_size=8).digest(), default=None)
