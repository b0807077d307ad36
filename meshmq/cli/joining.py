"""A command's node: made from the options, left in bounded time whatever happens."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from meshmq.cli.terminal import words
from meshmq.errors import TimedOut, Undelivered
from meshmq.faces.blocking import Node
from meshmq.links.security import load_secret
from meshmq.settings import Settings

#: Seconds that leaving may take when somebody wants us gone.
HASTE: Final = 1.0
#: Seconds in which discovery settles, or is told to be slow.
SETTLE: Final = 5.0
ALONE: Final = "open to this user on this machine only; to meet others: meshmq keys new"


def secret_of(arguments: argparse.Namespace) -> str | None:
    """Return the secret in the file that was named; ``None`` leaves it to the environment.

    Raises:
        ConfigError: the file cannot be used.
    """
    if arguments.secret_file is None:
        return None
    return load_secret(None, {"MESHMQ_SECRET_FILE": str(arguments.secret_file)})


def is_alone(arguments: argparse.Namespace) -> bool:
    """Whether the node is open to this user on this machine only."""
    return not arguments.insecure and secret_of(arguments) is None and load_secret(None, os.environ) is None


@contextmanager
def joined(
    arguments: argparse.Namespace,
    settings: Settings | None = None,
    *,
    takes_port: bool = False,
    journal: Path | None = None,
) -> Iterator[Node]:
    """Open a node as the options say; leave it well, or in haste where an exception is on its way.

    Only one that ``takes_port`` binds to ``MESHMQ_PORT``: the others pass by, and a node that stays may have it.

    Raises:
        MeshError: it cannot be opened, or left well.
    """
    node = Node(
        arguments.name,
        mesh=arguments.mesh,
        secret=secret_of(arguments),
        insecure=arguments.insecure,
        peers=arguments.peers,
        journal=journal,
        settings=settings,
    )
    if not takes_port:
        node._whereabouts = replace(node._whereabouts, port=None)
    node.open()
    try:
        yield node
        node.close()
    except BaseException:
        with suppress(Undelivered):  # the command has counted it, or says it now
            node.close(HASTE)
        raise


def settle(node: Node) -> None:
    """Wait until discovery has had its first answers, or say that it takes longer."""
    try:
        node.settle(SETTLE)
    except TimedOut:
        words("not everybody has answered yet; these have")
