"""How much of a topic its publisher keeps for those who come later, or have missed something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from meshmq.errors import ConfigError

_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What is kept of each topic: at most so many messages, bytes, and seconds; what is over any of them goes.

    ``node.topic("weather.kitchen", history=100)`` is short for ``History(messages=100)``.

    Raises:
        ConfigError: a bound is no positive number.
    """

    messages: int | None = None
    """Messages of one topic."""

    size: int = 64 * _MIB
    """Bytes of one topic; the last message is kept though it is larger."""

    seconds: float | None = None
    """How old a message may be."""

    def __post_init__(self) -> None:
        for name, value, kinds in (
            ("messages", self.messages, int),
            ("size", self.size, int),
            ("seconds", self.seconds, int | float),
        ):
            if value is None and name != "size":
                continue
            if isinstance(value, bool) or not isinstance(value, kinds) or not 0 < value < 2**53:
                raise ConfigError(f"History({name}={value!r}): it is a positive number, or None for no such bound")


def check_history(history: object) -> History | None:
    """Return ``history`` as one: a number stands for so many messages.

    Raises:
        ConfigError: it is none.
    """
    if history is None or isinstance(history, History):
        return history
    if isinstance(history, int) and not isinstance(history, bool):
        return History(messages=history)
    raise ConfigError(f"history={history!r}: it is a number of messages, or a meshmq.History(messages=..., ...)")
