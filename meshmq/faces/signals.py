"""SIGINT and SIGTERM for a program that runs in an event loop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from meshmq.links.interrupts import interrupt


@contextmanager
def signals_set(event: asyncio.Event) -> Iterator[None]:
    """Let the first SIGINT or SIGTERM set ``event``; the second strikes: SIGTERM ends the process.

    Does nothing outside the main thread, and where the loop takes no signals.
    """
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    taken: list[signal.Signals] = []

    def strike() -> None:
        give_up()
        signal.signal(signal.SIGINT, interrupt)
        event.set()

    def give_up() -> None:
        while taken:
            loop.remove_signal_handler(taken.pop())

    try:
        with suppress(NotImplementedError, RuntimeError, ValueError):
            for number in before:
                loop.add_signal_handler(number, strike)
                taken.append(number)
        yield
    finally:
        if taken or event.is_set():
            give_up()
            signal.signal(signal.SIGINT, before[signal.SIGINT])
            if not event.is_set():  # else the second one still ends the process
                signal.signal(signal.SIGTERM, before[signal.SIGTERM])
