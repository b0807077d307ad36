"""What is done where descriptors run out: who knocks is turned away, who is here is served.

Where libzmq 4.3.5 gets no descriptor for the next connection, it asks again and again at a TCP door, which takes most
of a core for as long as somebody waits there [F 21], and aborts the process at that of a unix socket (an assertion in
``ipc_listener.cpp``). To unbind prevents both, and ends all connections that came in by that door. So:

- A few descriptors are held back for the whole process. When only a few others are left, they are given to libzmq: it
  takes in who knocks over TCP, and the door cuts the connection at once.
- Whatever else eats these, too, cannot eat the last: with it we take who knocks off the queue ourselves, one by one.
- Unix sockets are renamed: who looks for one finds nobody, and who is connected does not feel it.

One way into the assertion is left: processes of this user that knock at a unix socket, all within the moment that it
takes us to look, and more of them than descriptors were left.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

from meshmq.links.accepted import as_socket
from meshmq.links.base import Decider
from meshmq.links.context import descriptor_limit
from meshmq.links.sources import Sources

#: How many descriptors are held back, and how many must be left beside them: a tenth, within bounds.
HELD: Final = 8
LEAST_LEFT: Final = 8
MOST_LEFT: Final = 1024
_LOOK: Final = 1.0
#: Where more than half are used.
_LOOK_SOON: Final = 0.1
#: What the name of a unix socket ends with while nobody is to find it.
HIDDEN: Final = "-"


class Listening(Protocol):
    """A door behind which others may wait."""

    def listeners(self) -> Iterable[int]:
        """Return the descriptors that it listens with."""


def least_left() -> int:
    """Return how many descriptors must be left."""
    return max(LEAST_LEFT, min(MOST_LEFT, descriptor_limit() // 10))


class Reserve:
    """The descriptors that a process holds back; any thread may look."""

    def __init__(self) -> None:
        self.scarce = False
        #: Whether more than half are used.
        self.near = False
        self._lock = threading.Lock()
        self._held: list[int] = []

    def look(self) -> tuple[int, str] | None:
        """See how many descriptors are left; returns what is to be logged, once for each change."""
        with self._lock:
            if self.scarce:
                self._fill()
                if len(self._held) == HELD and self._is_room(2 * least_left()):
                    self.scarce = False
                    return logging.INFO, "there are descriptors again: newcomers are let in"
                self._give_back()
                return None
            self._fill()
            if len(self._held) == HELD and self._is_room(least_left()):
                return None
            self.scarce = True
            self._give_back()
            return (
                logging.WARNING,
                f"less than {least_left()} descriptors are left of {descriptor_limit():,}: peers that are here are "
                "served, newcomers are turned away; raise the limit (ulimit -n, LimitNOFILE=), or open fewer files",
            )

    def is_low(self, fileno: int) -> bool:
        """Whether a descriptor of this number tells that few are left: the lowest that is free is given."""
        return fileno >= descriptor_limit() - least_left()

    def clear(self, listener: int) -> int:
        """Turn away all who wait to be taken in and cannot, for want of a descriptor; returns how many."""
        turned_away = 0
        with self._lock:
            if self._is_room(0):
                return 0  # libzmq gets them by itself
            os.set_blocking(listener, False)  # libzmq expects both; whom we wait for it may have taken
            with as_socket(listener) as bound:
                while self._held:
                    os.close(self._held.pop())  # for the one that is accepted
                    try:
                        bound.accept()[0].close()
                        turned_away += 1
                    except OSError:  # nobody waits any more, or somebody else was quicker
                        break
                    finally:
                        self._fill(1)
        return turned_away

    @contextmanager
    def spare(self) -> Iterator[None]:
        """Have one descriptor more for a moment, where one is held back."""
        with self._lock:
            held = len(self._held)
            self._give_back(max(0, held - 1))
            try:
                yield
            finally:
                self._fill(held)

    def close(self) -> None:
        """Hold nothing back any more."""
        with self._lock:
            self._give_back(0)
            self.scarce = False

    def _fill(self, count: int = HELD) -> None:
        try:
            while len(self._held) < count:
                self._held.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        except OSError:
            return

    def _give_back(self, but: int = 1) -> None:
        while len(self._held) > but:
            os.close(self._held.pop())

    def _is_room(self, left: int) -> bool:
        try:
            lowest = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        os.close(lowest)
        self.near = lowest > descriptor_limit() // 2
        return lowest < descriptor_limit() - left


class Lookout:
    """Looks at the reserve for the doors of one node; a source."""

    def __init__(self, doors: Iterable[Listening], files: Iterable[Path], sources: Sources) -> None:
        self._doors, self._files = tuple(doors), tuple(files)
        self._hidden = False
        self._sources = sources
        self.reserve = _take()
        sources.later(self, 0.0)

    def drain(self, decider: Decider, now: float, quota: int) -> int:
        """Look, and clear what waits at doors where libzmq cannot."""
        tell(decider, self.reserve)
        if self.reserve.scarce != self._hidden:
            self._hide(hidden=self.reserve.scarce)
        if self.reserve.scarce:
            for door in self._doors:
                for listener in door.listeners():
                    self.reserve.clear(listener)
        self._sources.later(self, now + (_LOOK_SOON if self.reserve.scarce or self.reserve.near else _LOOK))
        return 0

    def close(self) -> None:
        """Look no more; the last of a process gives back what is held."""
        if self._hidden:
            self._hide(hidden=False)
        _leave(self.reserve)

    def _hide(self, *, hidden: bool) -> None:
        self._hidden = hidden
        for file in self._files:
            away = hidden_name(file)
            with suppress(OSError):
                file.rename(away) if hidden else away.rename(file)


def hidden_name(file: Path) -> Path:
    """Return the name of a unix socket while nobody is to find it."""
    return file.with_name(file.name + HIDDEN)


def tell(decider: Decider, reserve: Reserve) -> None:
    """Look, and have said what is new."""
    if (news := reserve.look()) is not None:
        level, sentence = news
        decider.words.append((level, "meshmq.links", sentence))


_lock = threading.Lock()
_reserve = Reserve()
_users = 0


def _forked() -> None:
    global _lock, _reserve, _users
    _lock, _reserve, _users = threading.Lock(), Reserve(), 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def process_reserve() -> Reserve:
    """Return the reserve of this process."""
    return _reserve


def _take() -> Reserve:
    global _users
    with _lock:
        _users += 1
        return _reserve


def _leave(reserve: Reserve) -> None:
    global _users
    with _lock:
        if reserve is _reserve:
            _users -= 1
            if not _users:
                reserve.close()
