"""Pushing, for threads."""

from __future__ import annotations

from contextlib import suppress
from typing import ClassVar

from meshmq.checks import check_timeout
from meshmq.core.trade import MadeOf
from meshmq.core.tray import TRAY_BYTES
from meshmq.errors import WouldBlock
from meshmq.faces.calling import CallingNode
from meshmq.faces.threads import wait
from meshmq.message import Message
from meshmq.pushing import Job
from meshmq.wire.batches import Headers


class PushingNode(CallingNode):
    """The verb of a node with which it pushes."""

    _messages: ClassVar[type[Message]] = Message

    def push(
        self,
        queue: str,
        data: object,
        *,
        headers: Headers | None = None,
        timeout: float | None = None,
        to: str | None = None,
    ) -> None:
        """Give a job to exactly one worker of ``queue``; it is kept here until a worker has confirmed it.

        Waits only while the queue's outbox is full; ``timeout=0`` never waits. ``data`` is copied
        before the call returns. ``to`` names the only node that is to do it (or gives its id in hex); it waits
        here until that one pulls the queue.

        Raises:
            EncodeError: ``data`` would not come back equal; nothing was pushed.
            TimedOut: the outbox stayed full; nothing was pushed.
            NoPeersError: it is full and nobody has pulled it for ``settings.patience``.
            AmbiguousPeer: several nodes are named ``to``; nothing was pushed.
            ClosedError: the node is closed.
        """
        if timeout is not None:
            timeout = check_timeout(timeout)
        engine = self._engine
        outbox = self._quick.get(queue) if type(queue) is str else None  # what else it is the check below tells
        if engine is not None and outbox is not None and headers is None and to is None:
            body, buffers = self._codec.encode(data)
            tray = outbox.tray
            if len(tray.jobs) < tray.room and len(body) <= TRAY_BYTES and not (buffers or engine.closed):
                tray.jobs.append(body)
                if not tray.room:
                    self._look_for(tray, body)
                return
            job: Job = queue, body, buffers, None, None, ()
        else:
            job = self._job(queue, data, headers, to)
        self._push(job, timeout)

    def _push_made(
        self,
        made_of: MadeOf,
        queue: str,
        data: object,
        *,
        headers: Headers | None,
        timeout: float | None,
        to: str | None,
    ) -> None:
        """Push what was made of jobs in hand; see ``Message.push``."""
        limit = check_timeout(timeout)
        self._push(self._job(queue, data, headers, to, made_of), limit)

    def _push(self, job: Job, timeout: float | None) -> None:
        with suppress(WouldBlock):
            self._push_nowait(job)
            return
        wait(self, self._push_wish(job), timeout)
