"""One process of a pipeline: one worker of a stage, or the source."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any, Final

from meshmq.errors import ClosedError, MeshError, TimedOut
from meshmq.faces.crews import ThreadCrew
from meshmq.faces.receiving import Receiver
from meshmq.faces.threads import take
from meshmq.handling import Crew, Handler, Place
from meshmq.links.interrupts import is_signal
from meshmq.message import Message
from meshmq.pipeline.definition import Definition, Stage
from meshmq.pipeline.routes import Routes
from meshmq.pipeline.stage_node import StageNode
from meshmq.pipeline.work import Work
from meshmq.pulling import Jobs
from meshmq.supply import Taker

#: How a process ends whose source raised: nobody starts it again.
FAILED: Final = 70
#: Seconds in which the last look at a source is done.
LAST_LOOK: Final = 10.0

_logger: Final = logging.getLogger("meshmq.pipeline")


def ended_service(pipeline: str) -> str:
    """Return the service that a source tells when all it gave is done."""
    return f"{pipeline}.ended"


def run_source(definition: Definition, node: StageNode, *, observer: str | None) -> int:
    """Push what the source gives, until it ends and all is done, or a signal comes; returns the exit status.

    ``observer`` is the id of the node that is told when all is done.
    """
    stage = definition.source
    routes, status, struck = Routes(definition, stage), 0, False
    with node, closing(Work(stage)) as work:
        try:
            for output in node.timed(work.values()):
                for target, value in routes.of(output):
                    node.push(target.queue_for(value), value)
        except (KeyboardInterrupt, SystemExit) as signal:
            if not is_signal(signal):
                raise
            struck = True
        except Exception:
            _logger.exception("source %r raised; what it gave before is done", stage.name)
            status = FAILED
        if not struck:  # else leaving waits as long as there is progress
            node.flush()
            if observer is not None:
                with suppress(MeshError):
                    node.request(ended_service(definition.name), to=observer, timeout=LAST_LOOK)
    return status


def run_worker(definition: Definition, stage: Stage, number: int, node: StageNode) -> int:
    """Work until somebody ends it; returns the exit status."""
    worker = Worker(definition, stage, number, node)
    node.run()
    return worker.status


class Worker:
    """One worker of a stage: what its node does with each value, or with each batch."""

    def __init__(self, definition: Definition, stage: Stage, number: int, node: StageNode) -> None:
        self._node, self._stage = node, stage
        self._routes = Routes(definition, stage)
        self._work: Work | None = None
        self.status = 0
        queue, prefetch = stage.queue_of(number), stage.batch[0] if stage.batch is not None else None

        def handle(value: object, message: Message) -> None:
            others = self._gather()
            try:
                self._give(value if self._stage.batch is None else _values(message, others), message, others)
            except BaseException:
                for other in others:
                    other.nack()
                raise
            for other in others:
                other.ack()

        handle.__qualname__ = stage.name  # what logs call it
        receiver = _Receiver(node, Jobs(node._codec, node, queue, prefetch=prefetch, receipt=False), None, 1)
        receiver.begin, receiver.end = self._begin, self._end
        receiver(handle)
        #: Takes the rest of a batch. It asks for good: so each has one job in hand, and they come in order.
        self._more = node.pull(queue, prefetch=prefetch) if stage.batch is not None else None
        self._taker: Taker[Message] | None = None

    def _begin(self) -> None:
        try:
            self._work = Work(self._stage)
        except Exception:
            _logger.exception("stage %r cannot begin", self._stage.name)
            self.status = 1
            self._node.drain()

    def _end(self) -> None:
        try:
            if self._work is not None:
                self._work.close()
        except Exception:
            _logger.exception("stage %r cannot be closed", self._stage.name)
            self.status = 1

    def _gather(self) -> list[Message]:
        """Take what belongs to a batch beside its first; fewer where the node drains."""
        others: list[Message] = []
        if self._stage.batch is None or self._more is None:
            return others
        size, seconds = self._stage.batch
        deadline = time.monotonic() + seconds
        with suppress(TimedOut, ClosedError):
            self._taker = self._taker or self._more._new_loop()
            while len(others) < size - 1:
                left = max(0.0, deadline - time.monotonic())
                other = take(self._node, self._more._supply, self._taker, left, logging.DEBUG)
                other.hold()
                others.append(other)
        return others

    def _give(self, value: object, message: Message, others: list[Message]) -> None:
        assert self._work is not None
        with closing(self._work.outputs(value)) as outputs:
            for output in self._node.timed(outputs):
                for target, given in self._routes.of(output):
                    message.push(target.queue_for(given), given, also=others)
        self._node.done += 1 + len(others)


def _values(message: Message, others: list[Message]) -> list[Any]:
    return [message.data, *(other.data for other in others)]


class _Receiver(Receiver[Message]):
    """Its handler begins and ends in the one thread it works in: what a program opens there may be of that thread."""

    begin: Callable[[], None]
    end: Callable[[], None]

    def _new_crew(self, handler: Handler) -> Crew[Any, Message]:
        crew = _Crew(self._node, handler, self._supply, self._new_place, 1)
        crew.begin, crew.end = self.begin, self.end
        return crew


class _Crew(ThreadCrew[Message]):
    begin: Callable[[], None]
    end: Callable[[], None]

    def _work(self, place: Place[Message]) -> None:
        self.begin()
        super()._work(place)

    def _leave(self, place: Place[Message]) -> None:
        self.end()  # before: a node that drains waits for it
        super()._leave(place)
