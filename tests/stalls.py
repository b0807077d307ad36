"""What the machine itself holds up, measured beside a test of how late a thread is woken."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_NAP: Final = 0.005
_TASKS: Final = Path("/proc/self/task")
#: Seconds after its event by which a thread has to be on its way.
LATE: Final = 0.05


class Stalls:
    """A thread that naps on a plain lock, again and again, and notes what kept this process from running.

    That is how long it overslept, and, on Linux, how long threads of the process were ready and had no core.
    """

    def __init__(self) -> None:
        #: When a nap ended, how long the one before it had ended, and the seconds lost meanwhile.
        self._naps: list[tuple[float, float, float]] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        began, delayed = time.monotonic(), _delayed()
        while not self._end.wait(_NAP):
            ended, now_delayed = time.monotonic(), _delayed()
            self._naps.append((began, ended, max(0.0, ended - began - 2 * _NAP) + now_delayed - delayed))
            began, delayed = ended, now_delayed

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()

    def within(self, began: float, ended: float) -> float:
        """Return how many seconds were lost in the naps between two moments."""
        return sum(lost for since, until, lost in self._naps if since < ended and until > began)

    def late(self, waits: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        """Return of waits ``(happened, woken)`` those that were late, and what the machine took of them."""
        late = [(woken - at, self.within(at, woken)) for at, woken in waits if woken - at > LATE]
        print(f"{len(late)} of {len(waits)} waits over {LATE} s, with what the machine took: {late}")
        return [(seconds, lost) for seconds, lost in late if seconds > LATE + lost]


def _delayed() -> float:
    """Return for how many seconds threads of this process have been ready and not run; 0 where nobody counts it."""
    delayed = 0
    for task in _TASKS.iterdir() if _TASKS.is_dir() else ():
        with suppress(OSError, IndexError):  # it has ended
            delayed += int((task / "schedstat").read_text().split()[1])
    return delayed / 1e9
