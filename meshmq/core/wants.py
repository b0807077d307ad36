"""What the pusher of one job wants beside what holds for many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from meshmq.errors import ConfigError
from meshmq.fate import (
    ORDINARY,
    UNIQUE_WINDOW,
    Fate,
    check_moment,
    check_span,
    check_text,
    check_wait,
    fate_of,
)

#: How a job can end.
Outcome = Literal["done", "dead", "expired"]


@dataclass(slots=True, eq=False)
class Awaited:
    """A job whose pusher wants to learn its end, and why it is dead."""

    outcome: Outcome | None = None
    reason: str = ""


@dataclass(slots=True, eq=False)
class Entry:
    """A durable job that its pusher waits for: whether it is on disk, or why it cannot be."""

    safe: bool = False
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Wants:
    """What is to become of a job (``fate``), and what is its own; spans are seconds."""

    fate: Fate = ORDINARY
    #: Nobody begins it before so many seconds are over.
    delay: float = 0.0
    #: Jobs of one key are done in order.
    key: str | None = None
    #: An id of the user's own, and for how long nobody may give it again.
    unique: str | None = None
    window: float = 0.0
    awaited: Awaited | None = None
    #: Where it is noted that it is on disk; a durable job has one.
    entry: Entry | None = None
    #: The row of the journal that a user's own transaction has left, and that becomes this job.
    staged: int | None = None


PLAIN: Final = Wants()

#: The options of a push that are not its fate.
_OWN: Final = frozenset({"copy", "delay", "at", "key", "unique", "unique_window"})


def wants_of(
    options: Mapping[str, object], *, wall: float, to: str | None = None, awaited: Awaited | None = None
) -> Wants:
    """Return what the options of a push say, which may be any; ``wall`` is what the wall clock shows.

    Raises:
        ConfigError: one cannot be used, or two of them together.
    """
    if not options.keys() - {"copy"} and awaited is None:
        return PLAIN
    delay = check_wait("delay", options["delay"]) if "delay" in options else 0.0
    if "at" in options:
        if delay:
            raise ConfigError("push(delay=..., at=...): give one of them")
        delay = max(0.0, check_moment(options["at"]) - wall)
    key, unique = options.get("key"), options.get("unique")
    if key is not None and (delay or to is not None):
        raise ConfigError(
            "push(key=...): jobs of one key go one after the other to the worker of the key: not at a "
            "moment of their own (delay=, at=), and to nobody else (to=)"
        )
    try:
        fate = fate_of(frozenset((name, value) for name, value in options.items() if name not in _OWN))
    except TypeError as error:
        unknown = sorted(options.keys() - _OWN)
        raise ConfigError(f"push(): options that are none, or have values that cannot be used: {unknown}") from error
    return Wants(
        fate,
        delay,
        check_text("key", key) if key is not None else None,
        check_text("unique", unique) if unique is not None else None,
        check_span("unique_window", options.get("unique_window", UNIQUE_WINDOW)),
        awaited,
        Entry() if fate.durable else None,
    )
