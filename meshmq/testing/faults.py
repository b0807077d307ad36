"""How much a simulated network lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Rates are per second of the whole mesh, shares lie between 0 and 1, spans are in seconds."""

    until: float = 20.0
    """When faults stop: everybody runs again, and what is left must converge."""

    delay_least: float = 0.0001
    """The shortest way of a message."""

    delay_most: float = 0.005
    """The longest way of a message that is not slow."""

    slow: float = 0.01
    """Share of messages that are slow; those behind them on the connection wait."""

    slow_most: float = 0.5
    """The longest way of a slow message."""

    lateness: float = 0.002
    """How late a node is stepped after its deadline, at most."""

    resets: float = 1.0
    """Direct connections cut, with what is on its way in either direction."""

    half_opens: float = 0.4
    """Direct connections that lose everything from now on, one way or both, without a word."""

    told_late: float = 0.2
    """Share of ends that are told late, up to ``late_most``."""

    untold: float = 0.1
    """Share of ends that one side is never told."""

    late_most: float = 5.0
    """How late an end is told, at most, where it is told."""

    control_breaks: float = 0.5
    """Control and topics connections that break and reconnect; the old end may be told after the new beginning."""

    control_ends: float = 0.1
    """Share of those breaks of which the dialler is told, and which then do not reconnect."""

    dial_failures: float = 0.05
    """Share of dials that fail though somebody listens."""

    partitions: float = 0.1
    """Pairs that are parted without a word, one way or both, for up to ``partition_most``."""

    partition_most: float = 6.0
    """The longest partition."""

    crashes: float = 0.1
    """Nodes that die at once and start again as a new incarnation."""

    power_cuts: float = 0.25
    """Share of crashes after which nobody is told that connections ended, and dials are not answered."""

    down_most: float = 5.0
    """The longest time between a crash and the new start."""

    same_address: float = 0.5
    """Share of new starts on the address that the old incarnation had."""

    stalls: float = 0.15
    """Nodes that are stopped (SIGSTOP), for up to ``stall_most``; then everything arrives."""

    stall_most: float = 8.0
    """The longest stall."""

    doubles: float = 0.0
    """Connections on which for up to ``double_most`` everything arrives twice, the second time late. None unless asked
    for: a connection never does that, a broken or hostile box in between might."""

    double_most: float = 3.0
    """The longest time for which a connection does that."""

    jumps: float = 0.05
    """Clocks that jump forward, by up to ``jump_most``; monotonic clocks never go back."""

    jump_most: float = 10.0
    """The longest jump."""

    drift: float = 0.02
    """Share by which a node's clock is slower or faster than the others, at most."""

    strikes: int = 0
    """If not 0: exactly so many faults, of any kind, drawn evenly, and the rates above do not count."""

    @classmethod
    def few(cls, strikes: int, *, until: float = 6.0) -> Self:
        """Return a network on which exactly so many faults strike before ``until``: for many short runs."""
        return cls(
            until=until,
            strikes=strikes,
            lateness=0.02,
            partition_most=until,
            stall_most=until,
            down_most=until / 4,
        )

    @classmethod
    def none(cls, *, until: float = 0.0) -> Self:
        """Return a network without faults until ``until``: delays, and nothing else."""
        return cls(
            until=until,
            slow=0,
            resets=0,
            half_opens=0,
            told_late=0,
            untold=0,
            control_breaks=0,
            dial_failures=0,
            partitions=0,
            crashes=0,
            stalls=0,
            jumps=0,
            drift=0,
        )
