"""What is to become of a job, as its pusher says: how often it is tried, how long it counts, what goes first."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, TypedDict

from meshmq.errors import ConfigError
from meshmq.settings import SPAN_LIMIT

#: 0 is ordinary, the highest goes first.
PRIORITIES: Final = 10
#: The most bytes of a key, or of an id of the user's.
TEXT_LIMIT: Final = 1_000


#: For how long an id given as ``unique=`` is taken, where nothing else is said.
UNIQUE_WINDOW: Final = 3_600.0


class QueueOptions(TypedDict, total=False):
    """What a queue's handle says of all jobs that are pushed by it, and a push of its own job."""

    durable: bool
    """Whether it survives its pusher's own end, in the node's journal."""

    max_attempts: int | None
    """After so many failures it is a dead letter (default: it is tried for ever)."""

    backoff: float | tuple[float, float] | None
    """The first pause after a failure in seconds, or the first and the longest (default: as the settings say)."""

    lease: float | None
    """Who has begun it, and neither finishes nor extends in so many seconds, loses it (default: no lease)."""

    ttl: float | None
    """Nobody begins it later than so many seconds after it was pushed (default: it never expires). A worker counts what
    was left when the job was sent: one that stands still while it is under way may begin so much later."""

    priority: int
    """From 0 to 9; of what waits the highest goes first (default: 0)."""

    unique_window: float
    """For how many seconds an id given as ``unique=`` is taken (default: 3,600)."""


class JobOptions(QueueOptions, total=False):
    """What a push says of its job alone, too."""

    delay: float
    """Nobody begins it before so many seconds are over."""

    at: float | datetime
    """Nobody begins it earlier, by this node's wall clock: seconds since 1970, or a ``datetime`` with a zone. How long
    that is, is reckoned when it is pushed, and once more when a durable one comes back from the journal: a clock that
    is set meanwhile changes nothing."""

    key: str | None
    """Jobs of one key are done one after the other, in order, by one worker as long as it is there."""

    within: Any
    """A connection to the SQLite file that is the node's journal: the job is pushed when its transaction is committed,
    and only then. ``push`` returns at once; the job is durable."""

    copy: bool
    """``False`` gives large arrays, bytearrays and memoryviews away: they are not copied as long as they wait, and you
    write to them no more; arrays become read-only. ``True``, the default: write again when the call has returned."""

    unique: str | None
    """An id of your own: a job with the same is refused (``NotUnique``) within ``unique_window`` seconds."""


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
    """Return a moment by the wall clock, in seconds since 1970.

    Raises:
        ConfigError: it is none.
    """
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.timestamp()
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**60:
        raise ConfigError(f"at={value!r}: it is a moment, in seconds since 1970, or a datetime with its zone")
    return float(value)


def check_text(name: str, value: object) -> str:
    """Return a key or an id of the user's.

    Raises:
        ConfigError: it is none.
    """
    if not isinstance(value, str) or not 0 < len(value.encode("utf-8", "replace")) <= TEXT_LIMIT:
        raise ConfigError(f"{name}={value!r}: it is a text of 1 to {TEXT_LIMIT} bytes")
    try:
        return str.__str__(value).encode().decode()
    except UnicodeEncodeError as error:
        raise ConfigError(f"{name}={value!r}: it holds half a surrogate pair, which UTF-8 cannot") from error


@lru_cache(1_000)
def fate_of(options: frozenset[tuple[str, object]]) -> Fate:
    """Return the fate that options say, by name and value; equal ones are one object, so that their jobs are one run.

    Raises:
        ConfigError: one cannot be used.
    """
    return Fate(**dict(options)) if options else ORDINARY  # type: ignore[arg-type]  # it checks what it is given
