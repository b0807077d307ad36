"""A module with handlers, as programs have one: imported, it opens nothing."""

from __future__ import annotations

import meshmq

node = meshmq.Node("served")


@node.pull("jobs")
def double(number: int) -> None:
    """Push what is twice as much."""
    node.push("doubled", 2 * number)


@node.reply("add")
def add(numbers: list[int]) -> int:
    """Return the sum."""
    return sum(numbers)


def serve() -> None:
    """Run the node of this module."""
    node.run()
