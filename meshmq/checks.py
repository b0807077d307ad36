"""What users may give to receivers and waits: one clear error at the call."""

from __future__ import annotations

import math
from typing import Final, Literal

from meshmq.blame import speakable
from meshmq.errors import ConfigError
from meshmq.settings import COUNT_LIMIT

#: When a job is acked: when it is done, or when it is handed out.
Ack = Literal["done", "receipt"]
#: The most handlers of one receiver that are at work at once: each may have a thread.
CONCURRENCY_LIMIT: Final = 10_000


def check_ack(ack: object) -> bool:
    """Return whether ``ack`` says that jobs are acked on arrival.

    Raises:
        ConfigError: it is neither ``"done"`` nor ``"receipt"``.
    """
    if ack not in ("done", "receipt"):
        raise ConfigError(f"pull(ack={ack!r}): it is 'done' (acked when handled) or 'receipt' (acked on arrival)")
    return ack == "receipt"


def check_limit(limit: object) -> int:
    """Return ``limit`` if it is a whole number from 1.

    Raises:
        ConfigError: it is none.
    """
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise ConfigError(f"a limit of messages is a whole number from 1, not {limit!r}")
    return limit


def check_prefetch(prefetch: object) -> None:
    """Return if ``prefetch`` is a number of jobs that can be granted, or ``None``.

    Raises:
        ConfigError: it is none.
    """
    if prefetch is not None and (type(prefetch) is not int or not 0 < prefetch <= COUNT_LIMIT):
        raise ConfigError(f"pull(prefetch={prefetch!r}): it is a whole number from 1 to {COUNT_LIMIT:,}")


def check_concurrency(concurrency: object, default: int) -> int:
    """Return ``concurrency`` if it is a number of handlers that can be at work at once; ``default`` for ``None``.

    Raises:
        ConfigError: it is none.
    """
    if concurrency is None:
        return default
    if type(concurrency) is not int or not 0 < concurrency <= CONCURRENCY_LIMIT:
        raise ConfigError(f"concurrency={concurrency!r}: it is a whole number from 1 to {CONCURRENCY_LIMIT:,}")
    return concurrency


def check_delay(delay: object) -> None:
    """Return if ``delay`` is a number of seconds from 0, or ``None``.

    Raises:
        ConfigError: it is none.
    """
    if delay is not None and (not isinstance(delay, int | float) or not 0 <= delay < math.inf):
        raise ConfigError(f"nack(delay={delay!r}): it is a number of seconds from 0")


def check_reason(reason: object) -> str:
    """Return why a job is given back, as it can be sent.

    Raises:
        ConfigError: it is no text.
    """
    if not isinstance(reason, str):
        raise ConfigError(f"reason={reason!r}: it is a text")
    return speakable(reason)


def check_timeout(timeout: object) -> float | None:
    """Return ``timeout`` if it is a number of seconds from 0, or ``None``.

    Raises:
        ConfigError: it is none.
    """
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout >= 0:
        raise ConfigError(f"timeout={timeout!r}: it is a number of seconds from 0, or None to wait")
    return float(timeout)
