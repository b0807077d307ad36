"""Custody: a job is acked only when what was made of it is safe.

A worker that makes jobs of a job *joins* them: its outputs to their inputs. An input that is handled while an
output of it is not yet confirmed is **in custody**: it has left the worker's hands and its window, and its pusher
keeps it still. When the last output is confirmed, so is the input. Thus a chain of stages acks from its end.

The **id of an output derives from its input's**, so a stage that runs again makes the same jobs again, and whoever
remembers one drops the repeat. The first output keeps its input's number, under an origin that follows from the
input's: what a stage makes one by one stays consecutive, and travels in batches. Further ones are counted under an
origin of that input alone. Of several inputs, all of them make the id: were it the first, a batch cut otherwise the
next time would be taken for the one before, and what is new in it lost.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

from meshmq.core.runs import Run, merged
from meshmq.core.sources import Source
from meshmq.wire.fields import Ranges

_PERSON: Final = b"meshmq output"


@dataclass(slots=True, eq=False)
class Input:
    """A job in hand, or in custody, of which something was made, or which is kept."""

    queue: str
    origin: bytes
    number: int
    attempt: int
    source: Source
    consumer: Hashable
    #: How many of its outputs are not safe.
    open: int = 0
    #: Whether its consumer said that it will confirm it by word.
    kept: bool = False
    #: Whether it has left its consumer's hands: then it is in custody, as long as it is held.
    handled: bool = False
    #: Whether it was confirmed or given back: what is made of it then stands for itself.
    settled: bool = False
    #: How many outputs were made of it, by queue.
    made: Counter[str] = field(default_factory=Counter)

    def __repr__(self) -> str:
        return f"<Input {self.number} of {self.queue!r}, {self.open} open{', handled' if self.handled else ''}>"

    @property
    def held(self) -> bool:
        """Whether it cannot be confirmed yet."""
        return self.kept or self.open > 0


def output_id(inputs: Sequence[Input], queue: str) -> tuple[bytes, int]:
    """Return origin and number of the next output that is made of inputs for a queue, and count it."""
    first = inputs[0]
    made, first.made[queue] = first.made[queue], first.made[queue] + 1
    name = blake2b(queue.encode(), digest_size=16, person=_PERSON).digest()
    if len(inputs) == 1 and not made:
        return _origin(name, first.origin), first.number
    ids = b"".join(one.origin + one.number.to_bytes(8, "big") for one in inputs)
    return _origin(name, ids), made + 1


def _origin(name: bytes, origins: bytes) -> bytes:
    return blake2b(name + origins, digest_size=16, person=_PERSON).digest()


class Outputs:
    """The jobs of one outbox that were made of others: by the outbox's own number, their ids and their inputs."""

    def __init__(self) -> None:
        self._ids: dict[int, tuple[bytes, int]] = {}
        self._numbers: dict[bytes, dict[int, int]] = {}
        self._inputs: dict[int, list[Input]] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def find(self, origin: bytes, number: int) -> int | None:
        """Return the outbox's number of a job that is still there."""
        return self._numbers.get(origin, {}).get(number)

    def add(self, own: int, origin: bytes, number: int) -> None:
        """Note the id of a job."""
        self._ids[own] = (origin, number)
        self._numbers.setdefault(origin, {})[number] = own

    def join(self, own: int, inputs: Iterable[Input]) -> None:
        """Have inputs wait until a job is safe."""
        joined = self._inputs.setdefault(own, [])
        for one in inputs:
            if one not in joined and not one.settled:
                joined.append(one)
                one.open += 1

    def awaited(self, own: int) -> bool:
        """Whether a job is not safe yet, as far as its inputs are concerned."""
        return own in self._inputs

    def id_of(self, run: Run) -> tuple[bytes, int] | None:
        """Return origin and number of the first job of a run, ``None`` where they are the outbox's own."""
        return self._ids.get(run.first)

    def fitting(self, run: Run, most: int) -> int:
        """Return how many jobs of a run have consecutive numbers of one origin, at most ``most``, at least one."""
        if not self._ids:
            return most
        first = self._ids.get(run.first)
        for index in range(1, most):
            here = self._ids.get(run.first + index)
            if here != (None if first is None else (first[0], first[1] + index)):
                return index
        return most

    def own(self, origin: bytes, ranges: Ranges) -> Iterator[tuple[int, int]]:
        """Yield the ranges as the outbox counts; the numbers come from the network, and may be any."""
        numbers = self._numbers.get(origin)
        if not numbers:
            return
        spans = merged(ranges)
        if sum(last - first + 1 for first, last in spans) <= len(numbers):
            found = [number for first, last in spans for number in range(first, last + 1) if number in numbers]
        else:
            lasts = [last for _, last in spans]
            places = ((number, bisect_left(lasts, number)) for number in sorted(numbers))
            found = [number for number, place in places if place < len(spans) and spans[place][0] <= number]
        for number in found:
            yield numbers[number], numbers[number]

    def drop(self, run: Run) -> list[Input]:
        """Forget jobs that are settled; returns the inputs in custody that waited for them alone."""
        free: list[Input] = []
        if not self._ids:
            return free
        for own in range(run.first, run.last + 1):
            known = self._ids.pop(own, None)
            if known is None:
                continue
            origin, number = known
            del self._numbers[origin][number]
            if not self._numbers[origin]:
                del self._numbers[origin]
            free += self.release(own)
        return free

    def release(self, own: int) -> list[Input]:
        """Let inputs wait no more for a job, which is safe; returns those in custody that waited for it alone."""
        free: list[Input] = []
        for one in self._inputs.pop(own, ()):
            one.open -= 1
            if one.handled and not one.held and not one.settled:
                free.append(one)
        return free
