"""What is to become of a job, as its pusher says: how often it is tried, how long it counts, what goes first."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Final, TypedDict

from meshmq.errors import ConfigError
from meshmq.settings import SPAN_LIMIT

#: 0 is ordinary, the highest goes first.
PRIORITIES: Final = 10


class FateOptions(TypedDict, total=False):
    """The options of a push that decide about its job; those of ``Fate``, by the same names."""

    durable: bool
    max_attempts: int | None
    backoff: float | tuple[float, float] | None
    lease: float | None
    ttl: float | None
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What holds for a job wherever it is; spans are seconds.

    Raises:
        ConfigError: a field has a value that cannot be used.
    """

    durable: bool = False
    """Whether it survives its pusher's own end, in the node's journal."""

    max_attempts: int | None = None
    """After so many failures it is a dead letter: a nack, an exception, a lease that ran out, or the loss of the
    worker that had begun it. ``None``: it is tried for ever."""

    backoff: float | tuple[float, float] | None = None
    """The first pause after a failure, which doubles; or the first and the longest. ``None``: as the settings say."""

    lease: float | None = None
    """A worker that has begun it and neither finishes nor extends in so many seconds loses it."""

    ttl: float | None = None
    """Nobody begins it later than so many seconds after it was pushed."""

    priority: int = 0
    """From 0 to 9; of what waits, the highest goes first."""

    def __post_init__(self) -> None:
        if not isinstance(self.durable, bool):
            raise ConfigError(f"durable={self.durable!r}: it is True or False")
        if self.max_attempts is not None and (type(self.max_attempts) is not int or self.max_attempts < 1):
            raise ConfigError(f"max_attempts={self.max_attempts!r}: it is a whole number from 1, or None")
        if type(self.priority) is not int or not 0 <= self.priority < PRIORITIES:
            raise ConfigError(f"priority={self.priority!r}: it is a whole number from 0 to {PRIORITIES - 1}")
        for name in ("lease", "ttl"):
            if (value := getattr(self, name)) is not None:
                check_span(name, value)
        if self.backoff is not None:
            pair = self.backoff if isinstance(self.backoff, tuple) else (self.backoff, self.backoff)
            if len(pair) != 2:
                raise ConfigError(f"backoff={self.backoff!r}: it is a number of seconds, or the first and the longest")
            for value in pair:
                check_span("backoff", value)
            if pair[0] > pair[1]:
                raise ConfigError(f"backoff={self.backoff!r}: the first pause is longer than the longest")

    def __repr__(self) -> str:
        changed = (f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if getattr(self, f.name) != f.default)
        return f"Fate({', '.join(changed)})"


#: What becomes of a job of which nothing is said.
ORDINARY: Final = Fate()


def check_span(name: str, value: object) -> float:
    """Return a span of seconds above 0.

    Raises:
        ConfigError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= SPAN_LIMIT:
        raise ConfigError(f"{name}={value!r}: it is a number of seconds above 0 and up to {SPAN_LIMIT:,}")
    return float(value)


def check_wait(name: str, value: object) -> float:
    """Return a span of seconds from 0.

    Raises:
        ConfigError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= SPAN_LIMIT:
        raise ConfigError(f"{name}={value!r}: it is a number of seconds from 0 to {SPAN_LIMIT:,}")
    return float(value)


def check_moment(value: object) -> float:
    """Return a moment by the wall clock (seconds since 1970).

    Raises:
        ConfigError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"at={value!r}: it is a moment, in seconds since 1970, or a datetime with its zone")
    return float(value)
