"""Changes with the same effect, and fewer: of what is said again only the last counts."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from meshmq.core.records import Bury, Change, Claim, Done, Failed, Forget, Keep, Taken, Tell


def condense(changes: Iterable[Change]) -> list[Change]:
    """Return what is left of changes when those go that a later one makes void, and neighbouring ranges are one.

    What is left is bounded by what the journal holds, however long a disk takes nothing.
    """
    left: list[Change | None] = []
    last: dict[Hashable, int] = {}  # where the newest of each is that a later one can take the place of
    epochs: dict[str, int] = {}
    for change in changes:
        if isinstance(change, Done):
            before = last.get(change.origin)
            if before is not None and (joined := _join(left[before], change)):
                left[before] = joined  # nothing of that origin was kept in between
                continue
            last[change.origin] = len(left)
        elif isinstance(change, Keep | Bury):
            job = change.job if isinstance(change, Keep) else change.letter.job
            last.pop(job.origin, None)
            _void(left, last, (job.origin, job.number))
        elif isinstance(change, Failed):
            _void(left, last, (change.origin, change.number))
            last[change.origin, change.number] = len(left)
        elif isinstance(change, Taken):
            _void(left, last, (change.origin, change.first, change.last))
            last[change.origin, change.first, change.last] = len(left)
        elif isinstance(change, Claim):
            _void(left, last, (change.queue, change.unique))
            last[change.queue, change.unique] = len(left)
        elif isinstance(change, Tell):
            topic, epoch = change.message.topic, change.message.epoch
            if epochs.get(topic) != epoch:
                last.pop(topic, None)  # what is forgotten before and after is not of the same epoch
                epochs[topic] = epoch
        elif isinstance(change, Forget):
            before = last.get(change.topic)
            earlier = left[before] if before is not None else None
            if not isinstance(earlier, Forget) or earlier.below <= change.below:
                _void(left, last, change.topic)
                last[change.topic] = len(left)
        left.append(change)
    return [change for change in left if change is not None]


def _void(left: list[Change | None], last: dict[Hashable, int], key: Hashable) -> None:
    if (before := last.pop(key, None)) is not None:
        left[before] = None


def _join(one: Change | None, other: Done) -> Done | None:
    if not isinstance(one, Done) or other.first > one.last + 1 or one.first > other.last + 1:
        return None
    return Done(one.origin, min(one.first, other.first), max(one.last, other.last))
