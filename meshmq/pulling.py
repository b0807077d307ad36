"""Queues, as what a receiver takes from."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from typing import Any

from meshmq import wishes
from meshmq.blame import reason_of
from meshmq.checks import check_prefetch
from meshmq.codecs.base import Codec
from meshmq.consumer import Consumer
from meshmq.core.participant import Participant
from meshmq.errors import ClosedError
from meshmq.fate import check_span
from meshmq.links.engine import Engine
from meshmq.message import Message, Outlet
from meshmq.names import counted
from meshmq.supply import Taker
from meshmq.waiting import Wish


class Jobs:
    """The jobs of one queue; a ``Supply``."""

    #: Who takes them: the seam for simulations, which watch what becomes of each.
    consumers: type[Consumer] = Consumer

    def __init__(
        self,
        codec: Codec,
        outlet: Outlet,
        queue: str,
        *,
        prefetch: int | None,
        receipt: bool,
        lease: float | None = None,
    ) -> None:
        check_prefetch(prefetch)
        self.queue, self._codec, self._prefetch, self._receipt = queue, codec, prefetch, receipt
        self._lease = None if lease is None else check_span("lease", lease)
        self._outlet = outlet
        self._engine: Engine | None = None
        self._participant: Participant | None = None

    @property
    def key(self) -> Hashable:
        """The line of those who wait for a job of this queue."""
        return ("inbox", self.queue)

    @property
    def title(self) -> str:
        """What words call it."""
        return f"queue {self.queue!r}"

    @property
    def answers(self) -> bool:
        """Nobody waits for what a handler of jobs returns."""
        return False

    def open(self, engine: Engine, participant: Participant) -> None:
        """Pull the queue.

        Raises:
            ConfigError: there is no room for one more name on the card.
        """
        self._engine, self._participant = engine, participant
        participant.open_queue(self.queue, self._prefetch, engine.now())

    def close(self) -> None:
        """Stop pulling the queue."""
        if self._engine is not None and self._participant is not None:
            self._participant.close_queue(self.queue, self._engine.now())

    def taker(self, owner: object) -> Consumer:
        """Return a new consumer."""
        engine, participant = self._opened()
        codec, outlet, receipt, lease = self._codec, self._outlet, self._receipt, self._lease
        return self.consumers(engine, participant, codec, self.queue, outlet, receipt=receipt, lease=lease, owner=owner)

    def waiting(self) -> int:
        """Return how many jobs are here that no consumer was given."""
        inbox = self._participant.inboxes.get(self.queue) if self._participant is not None else None
        return inbox.waiting if inbox is not None else 0

    def waits(self) -> bool:
        """Whether jobs wait, here or at a pusher."""
        inbox = self._participant.inboxes.get(self.queue) if self._participant is not None else None
        return inbox is not None and (inbox.waiting > 0 or inbox.sources.busy > 0)

    def ready(self, taker: Taker[Message]) -> Wish[Any]:
        """Wish that a job is here."""
        _, participant = self._opened()
        return wishes.job_here(participant, self.queue, self.words, lambda: taker.left)

    def words(self) -> str:
        """Say what who waits for a job waits for."""
        participant = self._participant
        inbox = participant.inboxes.get(self.queue) if participant is not None else None
        if participant is not None and inbox is not None and inbox.keeping.handled >= participant.settings.custody:
            done = counted(inbox.keeping.handled, "job")
            return f"what was made of {done} of {self.queue!r} to be confirmed; no more are taken before"
        here = len(participant.roster) if participant is not None else 0
        return f"a job of {self.queue!r}; {counted(here, 'peer')} here"

    def began(self, item: Message, leave_off: Callable[[], object] | None) -> None:
        """Let it: a job that is begun is finished."""

    def returned(self, item: Message, value: object) -> None:
        """Leave the ack to the next ask, which comes at once: it costs nothing there."""

    def raised(self, item: Message, error: BaseException) -> int:
        """Give the job back as failed."""
        item.nack(reason=reason_of(error))
        return logging.ERROR

    def _opened(self) -> tuple[Engine, Participant]:
        if self._engine is None or self._participant is None:
            raise ClosedError(f"the receiver of {self.title} is not open")
        return self._engine, self._participant
