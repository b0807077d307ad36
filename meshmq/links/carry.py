"""Does with the links what a decider has put into its outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from meshmq.links.base import Decider, Links


def carry(output: Any, links: Links, decider: Decider, clock: Callable[[], float]) -> None:
    """Carry out one output; the forms are told at ``Decider.outputs``.

    A send on a connection that has ended is told to the decider, which may append further outputs.
    """
    kind = output[0]
    if kind == "send":
        _, connection, frames = output
        if not links.send(connection, frames):
            decider.ended(connection, clock())
    elif kind == "spread":
        links.spread(output[1])
    elif kind == "publish":
        links.publish(output[1])
    elif kind == "dial":
        _, connection, link, addresses, subscriptions = output
        links.dial(connection, link, addresses, subscriptions, clock())
    elif kind == "hang_up":
        links.hang_up(output[1])
    elif kind == "tune":
        _, connection, added, dropped = output
        links.tune(connection, added, dropped)
    else:
        raise AssertionError(f"no link can do {output!r}")
