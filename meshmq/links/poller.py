"""Asks the system which of many descriptors are ready; can itself be slept on, and stand in another poller [F 29].

The standard library's selectors do the same. Asked directly, epoll answers in a third of their time: they make
a key for each event, and a round trip asks four times.
"""

from __future__ import annotations

import contextlib
import select
import selectors
from typing import Any, Final, Protocol

#: What a descriptor is watched for.
READ: Final = selectors.EVENT_READ
WRITE: Final = selectors.EVENT_WRITE


class Poller(Protocol):
    """Descriptors, and what stands for each; may be asked by one thread and changed by another."""

    def fileno(self) -> int:
        """Return the descriptor that is readable while one of those watched is ready."""

    def watch(self, fileno: int, data: Any, events: int = READ) -> None:
        """Watch a descriptor; one that is watched already, from now on for this."""

    def unwatch(self, fileno: int) -> None:
        """Watch it no more, if it was watched."""

    def pause(self, fileno: int) -> None:
        """Let a descriptor rest that is watched for reading; one that is not watched is left alone."""

    def resume(self, fileno: int) -> None:
        """End what ``pause`` began."""

    def poll(self, seconds: float | None) -> list[Any]:
        """Return what stands for those that are ready; sleeps until there is one, at most ``seconds``."""

    def close(self) -> None:
        """Give the own descriptor back."""


class EpollPoller:
    """A poller where the system has epoll."""

    __slots__ = ("_data", "_epoll", "_poll", "fileno")

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._poll = self._epoll.poll
        self.fileno = self._epoll.fileno
        self._data: dict[int, Any] = {}

    def watch(self, fileno: int, data: Any, events: int = READ) -> None:
        """Watch a descriptor; one that is watched already, from now on for this."""
        mask = (select.EPOLLIN if events & READ else 0) | (select.EPOLLOUT if events & WRITE else 0)
        if fileno in self._data:
            self._epoll.modify(fileno, mask)
        else:
            self._epoll.register(fileno, mask)
        self._data[fileno] = data

    def unwatch(self, fileno: int) -> None:
        """Watch it no more, if it was watched."""
        if self._data.pop(fileno, self) is not self:
            with contextlib.suppress(OSError):  # it was closed first
                self._epoll.unregister(fileno)

    def pause(self, fileno: int) -> None:
        """Let a descriptor rest that is watched for reading; one that is not watched is left alone."""
        try:  # cheaper than suppress
            self._epoll.modify(fileno, 0)
        except (OSError, ValueError):
            return  # it is not watched, or all is closed

    def resume(self, fileno: int) -> None:
        """End what ``pause`` began."""
        try:
            self._epoll.modify(fileno, select.EPOLLIN)
        except (OSError, ValueError):
            return

    def poll(self, seconds: float | None) -> list[Any]:
        """Return what stands for those that are ready; sleeps until there is one, at most ``seconds``."""
        data, ready = self._data, []
        for fileno, _ in self._poll(seconds):  # a comprehension is a call more in Python 3.11
            if fileno in data:
                ready.append(data[fileno])
        return ready

    def close(self) -> None:
        """Give the own descriptor back."""
        self._epoll.close()


class SelectorPoller:
    """A poller over the selector of the system, whatever that is."""

    __slots__ = ("_paused", "_selector")

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._paused: dict[int, Any] = {}

    def fileno(self) -> int:
        """Return the descriptor that is readable while one of those watched is ready."""
        return self._selector.fileno()

    def watch(self, fileno: int, data: Any, events: int = READ) -> None:
        """Watch a descriptor; one that is watched already, from now on for this."""
        self._paused.pop(fileno, None)
        if fileno in self._selector.get_map():
            self._selector.modify(fileno, events, data)
        else:
            self._selector.register(fileno, events, data)

    def unwatch(self, fileno: int) -> None:
        """Watch it no more, if it was watched."""
        self._paused.pop(fileno, None)
        with contextlib.suppress(KeyError):
            self._selector.unregister(fileno)

    def pause(self, fileno: int) -> None:
        """Let a descriptor rest that is watched for reading; one that is not watched is left alone."""
        key = self._selector.get_map().get(fileno)
        if key is not None:
            self._paused[fileno] = key.data
            self._selector.unregister(fileno)

    def resume(self, fileno: int) -> None:
        """End what ``pause`` began."""
        if fileno in self._paused:
            self._selector.register(fileno, READ, self._paused.pop(fileno))

    def poll(self, seconds: float | None) -> list[Any]:
        """Return what stands for those that are ready; sleeps until there is one, at most ``seconds``."""
        return [key.data for key, _ in self._selector.select(seconds)]

    def close(self) -> None:
        """Give the own descriptor back."""
        self._selector.close()


def new_poller() -> Poller:
    """Return the quickest poller that this system has."""
    return EpollPoller() if hasattr(select, "epoll") else SelectorPoller()
