"""Names handlers that take long, and tells whether those of a node make no progress at all."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import Any, Final

from meshmq.handling import Crew, Place
from meshmq.links.interrupts import start_apart
from meshmq.waiting import AGAIN_AFTER

#: How many frames of a handler the log shows, the innermost of the program's own.
FRAMES: Final = 3
_OURS: Final = __file__.rpartition("/")[0] + "/"
_logger: Final = logging.getLogger("meshmq.handlers")


class Watchdog:
    """Looks at the handlers of one node: so often that none is slow for long without a word.

    It sleeps in a thread of its own, for what is slow may hold the keeper's or the loop's up; while
    nothing is slow it looks once in ``slow`` seconds.
    """

    def __init__(
        self, slow: float, crews: Callable[[], Iterable[Crew[Any, Any]]], tell: Callable[[list[Crew[Any, Any]]], None]
    ) -> None:
        self._slow, self._crews, self._tell = slow, crews, tell
        self._bell = threading.Event()
        self._thread: threading.Thread | None = None
        self._over = False
        self._stuck: list[Crew[Any, Any]] = []

    def start(self) -> None:
        """Begin to look; again is no more than once."""
        if self._thread is None and not self._over:
            self._thread = threading.Thread(target=self._run, name="meshmq-watchdog", daemon=True)
            start_apart(self._thread)

    def ring(self) -> None:
        """Look at once: one that was slow is done."""
        self._bell.set()

    def stop(self) -> None:
        """Look no more."""
        self._over = True
        self._bell.set()

    def _run(self) -> None:
        while not self._over:
            self._bell.wait(max(0.0, self.look(time.monotonic()) - time.monotonic()))
            self._bell.clear()

    def look(self, now: float) -> float:
        """Name what is slow, and tell what is stuck where that may have changed; returns when to look next."""
        after, stuck = now + self._slow, []
        for crew in self._crews():
            slow = 0
            for place in list(crew.places):
                since = place.since
                if since is None:
                    continue
                if now >= since + self._slow:
                    slow += 1
                    if place.told_at < since or now >= place.told_at + AGAIN_AFTER:
                        place.told_at = now
                        self._name(crew, place, now - since)
                    after = min(after, place.told_at + AGAIN_AFTER)
                else:
                    after = min(after, since + self._slow)
            if slow >= crew.limit:
                stuck.append(crew)
        if stuck or self._stuck:
            self._stuck = stuck
            self._tell(stuck)
        return min(after, now + self._slow) if stuck else after  # work may come meanwhile

    def _name(self, crew: Crew[Any, Any], place: Place[Any], seconds: float) -> None:
        _logger.warning(
            "%s of %s has been at work for %.0f s: it stands %s",
            *(crew.handler.name, crew.supply.title, seconds, where(place.worker) or "nowhere"),
        )


def where(worker: Any) -> str:
    """Return in short where a thread or a task stands, innermost first."""
    frames = _frames(worker)
    own = [frame for frame in frames if not frame.f_code.co_filename.startswith(_OURS)]
    shown = (own or frames)[::-1][:FRAMES]
    return ", called ".join(
        f"at {frame.f_code.co_filename.rpartition('/')[2]}:{frame.f_lineno} in {frame.f_code.co_name}"
        for frame in shown
    )


def _frames(worker: Any) -> list[FrameType]:
    """Return the frames of a thread or a task, outermost first."""
    if isinstance(worker, threading.Thread):
        return list(_outwards(sys._current_frames().get(worker.ident or 0)))[::-1]  # what faulthandler shows
    return list(_inwards(worker.get_coro())) if worker is not None else []


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _inwards(coroutine: Any) -> Iterator[FrameType]:
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "ag_frame", None)
        if frame is not None:
            yield frame
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "ag_await", None)
