"""What every dial of a node needs of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from meshmq.links.base import Connection
from meshmq.links.options import Options
from meshmq.links.race import Networks
from meshmq.links.resolver import Resolver
from meshmq.links.sources import Sources


@dataclass(frozen=True, slots=True)
class Surroundings:
    """One for all dials of a node."""

    options: Options
    sources: Sources
    resolver: Resolver
    near: Networks
    counts: dict[str, int]
    #: To be called by a dial that is over.
    forget: Callable[[Connection], object]
