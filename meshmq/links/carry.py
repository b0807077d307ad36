"""Does with the links what a decider asks for in its outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from meshmq.links.base import Decider, Links


def carry_out(decider: Decider, links: Links, clock: Callable[[], float]) -> None:
    """Do all that is asked for; what has ended asks for more, at the end of what is read here."""
    output: Any
    for output in decider.outputs:
        if output[0] == "send":  # nearly all of them
            if not links.send(output[1], output[2]):
                decider.ended(output[1], clock())
        else:
            _carry(output, links, clock())


def _carry(output: Any, links: Links, now: float) -> None:
    """Do one thing; the forms are told at ``Decider.outputs``."""
    kind = output[0]
    if kind == "spread":
        links.spread(output[1])
    elif kind == "publish":
        links.publish(output[1])
    elif kind == "dial":
        _, connection, link, addresses, subscriptions = output
        links.dial(connection, link, addresses, subscriptions, now)
    elif kind == "hang_up":
        links.hang_up(output[1])
    elif kind == "tune":
        _, connection, added, dropped = output
        links.tune(connection, added, dropped)
    else:
        raise AssertionError(f"no link can do {output!r}")
