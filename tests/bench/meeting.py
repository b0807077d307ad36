"""How soon nodes find and miss each other, in milliseconds."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import monotonic as clock
from typing import Any, Final

from tests.network.children import Child
from tests.network.members import Member, member

LIMIT: Final = 5.0


def meetings(rounds: int) -> None:
    """Print how soon two nodes know each other at both ends, and how soon a killed one is missed."""
    print("\nDiscovery, from open() until both know each other; a kill, until it is told. Medians.")
    met, missed = [], []
    for _ in range(rounds):
        with place() as (start, env):
            first = member(start, "first", env=env)
            took, second = meet(start, first, env)
            met.append(took)
            killed = clock()
            second.child.kill()
            missed.append(first.saw("lost", "second").moment - killed)
    tell("same host", met)
    tell("killed peer", missed)
    met = []
    for _ in range(rounds):
        with place() as (start, env):
            first = member(start, "first", env=env, insecure=True, apart=True)
            try:
                met.append(meet(start, first, env, insecure=True, apart=True)[0])
            except AssertionError:
                print("zeroconf: no multicast on the loopback here")
                return
    tell("zeroconf", met)


def meet(start: Any, first: Member, env: Mapping[str, str], **options: Any) -> tuple[float, Member]:
    """Start another and wait until both know each other; returns how long it took."""
    first.ready()
    second = member(start, "second", env=env, **options)
    opened = second.ready().before
    seen = [first.saw("joined", "second", timeout=LIMIT), second.saw("joined", "first", timeout=LIMIT)]
    return max(one.moment for one in seen) - opened, second


@contextmanager
def place() -> Iterator[tuple[Any, dict[str, str]]]:
    """Give a mesh and a runtime directory of their own, and end whatever was started there."""
    children: list[Child] = []

    def start(command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | str | None = None) -> Child:
        children.append(Child(command, env=env, cwd=cwd))
        return children[-1]

    with tempfile.TemporaryDirectory(prefix="mq-", dir="/tmp") as directory:
        mesh = f"bench-{os.getpid()}-{secrets.token_hex(4)}"
        env = {"MESHMQ_MESH": mesh, "MESHMQ_RUNTIME_DIR": directory, "MESHMQ_INTERFACES": "127.0.0.1"}
        try:
            yield start, env
        finally:
            for child in children:
                child.close()


def tell(what: str, took: Sequence[float]) -> None:
    print(
        f"{what:<26} {median(took) * 1000:8.1f} ms   (of {len(took)}: {min(took) * 1000:.1f} to {max(took) * 1000:.1f})"
    )
