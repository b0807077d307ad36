"""Dead letters: jobs that failed too often, or that a worker rejected. They are kept until somebody decides."""

from __future__ import annotations

from collections import OrderedDict

from meshmq.core.cargo import weight
from meshmq.core.records import Letter


class Dead:
    """The dead letters of one outbox by its own numbers, the oldest first, bounded in number and bytes."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most, self._most_bytes = most, most_bytes
        self.letters: OrderedDict[int, Letter] = OrderedDict()
        self.size = 0
        #: How many there was no room for any more: the oldest go.
        self.dropped = 0

    def __len__(self) -> int:
        return len(self.letters)

    def add(self, number: int, letter: Letter) -> list[Letter]:
        """Keep a letter; returns those that had to go for it."""
        self.letters[number] = letter
        self.size += _size(letter)
        gone: list[Letter] = []
        while len(self.letters) > 1 and (len(self.letters) > self._most or self.size > self._most_bytes):
            gone.append(self.take(next(iter(self.letters))))
        self.dropped += len(gone)
        return gone

    def take(self, number: int) -> Letter:
        """Take a letter out.

        Raises:
            KeyError: there is none of that number.
        """
        letter = self.letters.pop(number)
        self.size -= _size(letter)
        return letter


def _size(letter: Letter) -> int:
    job = letter.job
    return len(job.body) + sum(map(len, job.buffers)) + weight(job.headers or {}) + len(letter.reason)
