"""One daemon thread per process that drives the engines of all nodes that have no event loop.

So acks, credits, redelivery and presence go on while the program computes. It sleeps in one
selector on the descriptors of all engines until the earliest of their deadlines, and does not wake
while nothing is due. It starts with the first that is attached and ends with the last that goes.

It also watches over the engines of event loops, and over those that a waiting thread has borrowed: where a task blocks
its loop, or a signal handler its thread, they would answer nobody and be taken for dead. What is overdue it steps.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from math import inf
from typing import Final

from meshmq.drivers.base import Service
from meshmq.links.bell import Bell
from meshmq.links.engine import Engine
from meshmq.links.interrupts import shield, start_apart
from meshmq.links.poller import Poller, new_poller

#: The longest sleep: what epoll takes is bounded (24 days), and an hour is as good as for ever.
_HOUR: Final = 3600.0
#: So many seconds after its deadline an engine that we watch over is stepped: half of what others grant.
_OVERDUE: Final = 0.5
#: While an engine is lent again and again we look at it so often: else each return would have to wake us, and that is
#: the change of threads that lending is to spare.
_LENT: Final = 0.05
#: ... where it was lent within so many seconds.
_OFTEN: Final = 1.0

_logger = logging.getLogger("meshmq.keeper")


class Keeper:
    """The thread and what it drives; ``keeper()`` returns the process's own.

    All methods may be called from any thread, but not inside an engine's gate. An engine on a clock
    in a test's hand is stepped when that clock says so, if whoever moves it calls ``engine.wake()``.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: With the descriptors: a closed engine has none to tell any more.
        self._engines: dict[Engine, int] = {}
        self._services: dict[Service, int] = {}
        #: Driven by others, with what tells whether those are at it at all.
        self._wards: dict[Engine, Callable[[], bool]] = {}
        self._poller: Poller | None = None
        self._bell: Bell | None = None
        #: Held by the thread that drives in our place: one at a time. Ten that drove a node each fought for the
        #: interpreter: ten such processes took over 150 s until all knew each other, and take 47 to 67 s so.
        self._loan = threading.Lock()

    def attach(self, engine: Engine) -> None:
        """Drive ``engine`` until it is detached or closed.

        Raises:
            ClosedError: the engine is closed.
            InUseError: the engine is driven already.
            RuntimeError: the system gives no thread; the engine is not driven.
        """
        with shield:
            descriptor = engine.take_helm(lends=True)
            try:
                with self._lock:
                    self._engines[engine] = descriptor
                    self._watch(engine, descriptor)
            except BaseException:
                self._engines.pop(engine, None)
                engine.leave_helm()
                raise

    def detach(self, engine: Engine) -> None:
        """Stop driving ``engine``. A step that is under way in the keeper ends by itself."""
        with shield:
            with self._lock:
                descriptor = self._engines.pop(engine, None)
                if descriptor is None:
                    return
                self._forget(descriptor)
            engine.leave_helm()

    def lend(self, engine: Engine, now: float) -> bool:
        """Leave ``engine`` to the thread that asks, inside its gate; ``False`` where it cannot be had."""
        if not self._loan.acquire(blocking=False):
            return False
        if not engine.helm.borrow(now):
            self._loan.release()
            return False
        descriptor, poller = self._engines.get(engine), self._poller
        if descriptor is not None and poller is not None:
            poller.pause(descriptor)
        return True

    def take_back(self, engine: Engine) -> None:
        """Go on with ``engine``; inside its gate."""
        descriptor, poller = self._engines.get(engine), self._poller
        try:
            if descriptor is not None and poller is not None:
                poller.resume(descriptor)
        finally:
            engine.helm.give_back()
            self._loan.release()

    def watch_over(self, engine: Engine, is_driven: Callable[[], bool]) -> None:
        """Step ``engine``, which another drives, where that is overdue; not while ``is_driven()`` says no.

        Raises:
            RuntimeError: the system gives no thread.
        """
        with shield, self._lock:
            if self._bell is None:
                self._start()
            else:
                self._bell.ring()
            self._wards[engine] = is_driven

    def let_go(self, engine: Engine) -> None:
        """End what ``watch_over`` began. Twice is once."""
        with shield, self._lock:
            if self._wards.pop(engine, None) is not None and self._bell is not None:
                self._bell.ring()

    def attach_service(self, service: Service) -> None:
        """Step ``service`` whenever its descriptor is readable."""
        with shield, self._lock:
            if service not in self._services:
                self._services[service] = service.fileno()
                try:
                    self._watch(service, service.fileno())
                except BaseException:
                    del self._services[service]
                    raise

    def detach_service(self, service: Service) -> None:
        """Stop stepping ``service``; call it before its descriptor is closed."""
        with shield, self._lock:
            descriptor = self._services.pop(service, None)
            if descriptor is not None:
                self._forget(descriptor)

    def _watch(self, driven: Engine | Service, descriptor: int) -> None:
        if self._poller is None or self._bell is None:
            self._start()
        else:  # an epoll may be changed while another thread sleeps on it
            self._poller.watch(descriptor, driven)
            if isinstance(driven, Engine) and driven.helm.borrowed:  # of another driver, which has gone
                self._poller.pause(descriptor)
            self._bell.ring()

    def _forget(self, descriptor: int) -> None:
        if self._poller is not None and self._bell is not None:
            self._poller.unwatch(descriptor)
            self._bell.ring()

    def _start(self) -> None:
        try:
            self._poller = new_poller()
            self._bell = Bell()
            self._poller.watch(self._bell.fileno(), None)
            for driven, descriptor in (*self._engines.items(), *self._services.items()):
                self._poller.watch(descriptor, driven)
            run = (self._poller, self._bell)
            start_apart(threading.Thread(target=self._run, args=run, name="meshmq-keeper", daemon=True))
        except BaseException:  # the next attach tries again
            self._end()
            raise

    def _run(self, poller: Poller, bell: Bell) -> None:
        try:
            while True:
                with self._lock:
                    if not (self._engines or self._services or self._wards):
                        return self._end()
                self._turn(poller, bell)
        except BaseException:  # nothing in here raises; if it does, the next attach starts a new thread
            with self._lock:
                self._end()
            raise

    def _turn(self, poller: Poller, bell: Bell) -> None:
        """Sleep once and step who is ready; a function, so that nothing closed is held through the next sleep."""
        seconds = self._tell(due := self._due())
        while due != (due := self._due()):  # brought forward before it was told how long we sleep
            seconds = self._tell(due)
        stepped = set()
        for driven in poller.poll(seconds):
            if isinstance(driven, Engine):
                stepped.add(driven)
                self._step(driven)  # also one that is lent in this moment: to pass it over would be to spin
            elif driven is None:
                bell.drain()
            else:
                self._step_service(driven)
        for engine in tuple(self._engines):
            late = _OVERDUE if engine.helm.borrowed else 0.0  # who borrowed it may be held up, as by a signal handler
            if engine not in stepped and _seconds_until_due(engine) <= -late:
                self._step(engine)
        for engine, is_driven in tuple(self._wards.items()):
            if is_driven() and _seconds_until_due(engine) <= -_OVERDUE:
                self._step(engine)

    def _due(self) -> list[tuple[Engine, float]]:
        return [(engine, engine.helm.armed) for engine in tuple(self._engines) if not engine.helm.borrowed]

    def _tell(self, due: list[tuple[Engine, float]]) -> float:
        """Return for how many seconds to sleep, and tell all engines."""
        seconds = min((_seconds_until_due(engine) for engine, _ in due), default=_HOUR)
        for engine in tuple(self._engines):
            if engine.helm.borrowed:
                seconds = min(seconds, _OVERDUE)
            if _now(engine) - engine.helm.lent_at < _OFTEN:
                due_in = _seconds_until_due(engine)
                seconds = min(seconds, due_in if 0 < due_in < _LENT else _LENT)
        for engine, is_driven in tuple(self._wards.items()):
            late = _OVERDUE + _seconds_until_due(engine)
            seconds = min(seconds, late if is_driven() else max(late, _OVERDUE))
        seconds = max(seconds, 0.0)
        for engine in tuple(self._engines):
            engine.helm.until = _now(engine) + seconds
        return seconds

    def _end(self) -> None:
        for closable in (self._poller, self._bell):
            if closable is not None:
                closable.close()
        self._poller = self._bell = None

    def _step(self, engine: Engine) -> None:
        try:
            engine.step()
        except Exception as cause:  # this engine's affair and not its neighbours'
            engine.break_(cause)
        if engine.closed:
            self.detach(engine)

    def _step_service(self, service: Service) -> None:
        try:
            service.step()
        except Exception:
            _logger.exception("%r failed and is not served any more", service)
            self.detach_service(service)


class KeeperDriver:
    """The keeper as the driver of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def attach(self) -> None:
        """Let the keeper drive.

        Raises:
            ClosedError: the engine is closed, or driven already.
        """
        keeper().attach(self._engine)

    def detach(self) -> None:
        """Take the engine from the keeper."""
        keeper().detach(self._engine)


def _seconds_until_due(engine: Engine) -> float:
    deadline = engine.deadline
    return _HOUR if deadline is None else deadline - _now(engine)


def _now(engine: Engine) -> float:
    try:
        return engine.now()
    except Exception as cause:  # a clock of the program's own
        engine.break_(cause)
        return inf


_keeper = Keeper()


def keeper() -> Keeper:
    """Return the keeper of this process."""
    return _keeper


def _after_fork() -> None:
    """Give the child a keeper of its own: the thread has not come along."""
    global _keeper
    _keeper._end()  # closes copies: the parent does not feel it
    _keeper = Keeper()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
