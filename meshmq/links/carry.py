"""Does with the links what a decider has put into its outputs; what it sends the engine sends itself."""

from __future__ import annotations

from typing import Any

from meshmq.links.base import Links


def carry(output: Any, links: Links, now: float) -> None:
    """Carry out one output; the forms are told at ``Decider.outputs``."""
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
