"""A queue's handle, as far as it needs no waiting: what both faces share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from meshmq.fate import JobOptions, QueueOptions
from meshmq.letters import DeadLetters
from meshmq.node import BaseNode
from meshmq.pushing import Job


class BaseQueue:
    """A node's handle of one queue.

    Its options hold for every job that is pushed by it, unless the push says otherwise, and its lease for who pulls
    by it.
    """

    def __init__(self, node: BaseNode, queue: str, options: QueueOptions) -> None:
        node._wants(options)
        self._node, self.name = node, queue
        self._options: JobOptions = {**options}  # type: ignore[typeddict-item]  # a queue says less than a job

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} of {self._node!r}>"

    @property
    def depth(self) -> int:
        """How many jobs pushed here are not confirmed."""
        return self._node._depth(self.name)

    @property
    def dead(self) -> DeadLetters:
        """The jobs pushed here that failed too often: to look at, to try again, to drop."""
        return DeadLetters(self._node, self.name)

    def _jobs(self, values: Iterable[object], options: JobOptions) -> Iterator[Job]:
        return (
            self._node._job(self.name, value, wants=self._node._wants(options), copy=options.get("copy", True))
            for value in values
        )

    def _lease(self, lease: float | None) -> float | None:
        return lease if lease is not None else self._options.get("lease")
