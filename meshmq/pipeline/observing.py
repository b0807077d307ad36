"""Looks at a run: a thread whose node asks the nodes of the pipeline for their counters, four times a second."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, Final

from meshmq.errands import STATS
from meshmq.faces.aio import AsyncNode
from meshmq.links.interrupts import start_apart
from meshmq.pipeline.report import Report
from meshmq.pipeline.tallies import Tallies
from meshmq.pipeline.worker import ended_service

#: Seconds from one look to the next; that a node has to answer.
EVERY: Final = 0.25
ANSWER: Final = 1.0

_logger: Final = logging.getLogger("meshmq.pipeline")


class Observer:
    """Asks, adds up, and has ``show`` called with each report."""

    def __init__(self, node: AsyncNode, tallies: Tallies, show: Callable[[Report], object]) -> None:
        self._node, self._tallies, self._show = node, tallies, show
        self._stop = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="meshmq-observer", daemon=True)
        #: What the supervisor knows: process ids and restarts by label.
        self.processes: Callable[[], dict[str, int]] = dict
        self.restarts: Callable[[], Mapping[str, int]] = dict

    @property
    def id(self) -> str:
        """The id of its node, by which a source tells that all is done."""
        return self._node.id

    def start(self) -> None:
        """Begin; raises what its node raises when it is opened."""
        start_apart(self._thread)
        self._opened.result()

    def stop(self) -> None:
        """End; its node leaves."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def report(self) -> Report:
        """Return what is known now; from any thread, but not while it looks."""
        return self._tallies.report(processes=self.processes(), restarts=self.restarts())

    def _run(self) -> None:
        try:
            asyncio.run(self._observe())
        except BaseException as error:
            if self._opened.done():
                _logger.exception("nobody looks at the run any more; it goes on")
            else:
                self._opened.set_exception(error)

    async def _observe(self) -> None:
        looking = asyncio.Lock()

        async def look(_: object = None) -> None:
            async with looking:
                await self._look()

        self._node.reply(ended_service(self._node.name))(look)  # the source waits for the last look at it
        async with self._node:
            self._loop = asyncio.get_running_loop()
            self._opened.set_result(None)
            while not self._stop.is_set():
                await look()
                self._show(self.report())
                try:
                    await asyncio.wait_for(self._stop.wait(), EVERY)
                except TimeoutError:
                    continue

    async def _look(self) -> None:
        peers = [peer for peer in self._node.peers() if self._tallies.stage_of(peer.name) is not None]
        told = await asyncio.gather(*(self._ask(peer.id) for peer in peers))
        self._tallies.look({peer: answer for peer, answer in told if answer is not None}, {peer.id for peer in peers})

    async def _ask(self, peer: str) -> tuple[str, dict[str, Any] | None]:
        try:
            answer = await self._node.request(STATS, to=peer, timeout=ANSWER)
        except Exception:  # it is gone, or at something that holds its interpreter: it counts as before
            return peer, None
        return peer, answer if isinstance(answer, dict) else None
