"""What all nodes of a mesh say of themselves, asked all at once."""

from __future__ import annotations

import math
from typing import Any, Final

from meshmq.cli.terminal import words
from meshmq.faces.blocking import Node
from meshmq.names import counted
from meshmq.seeing import PeerView

#: Seconds that nodes have to answer.
PATIENCE: Final = 3.0


def ask_all(node: Node, service: str, data: object = None) -> list[tuple[PeerView, dict[str, Any]]]:
    """Return each peer that is here, with its answer; an empty one where it has not said what it was asked."""
    peers = {peer.id: peer for peer in node.peers()}
    answers: dict[str, dict[str, Any]] = {}
    if peers:  # alone there is nobody to wait for
        for answer in node.survey(service, data, timeout=PATIENCE):
            if answer.error is None and isinstance(answer.data, dict):
                answers[answer.id] = answer.data
        peers = {peer.id: peer for peer in node.peers()} | peers
    silent = [peer.name for peer in peers.values() if peer.id not in answers]
    if silent:
        shown = ", ".join(sorted(silent)[:5]) + (", ..." if len(silent) > 5 else "")
        words(f"{counted(len(silent), 'node')} did not answer and may offer more: {shown}")
    order = sorted(peers.values(), key=lambda peer: (peer.name, peer.id))
    return [(peer, answers.get(peer.id, {})) for peer in order]


def number(answer: Any, *path: str) -> float:
    """Return a number in an answer, 0 where there is none: what peers say is checked, never trusted."""
    found = part(answer, *path)
    return found if type(found) is int or (type(found) is float and math.isfinite(found)) else 0


def part(answer: Any, *path: str) -> Any:
    """Return what stands in an answer at the end of a path of keys; an empty dict where nothing does."""
    for key in path:
        answer = answer.get(key) if isinstance(answer, dict) else None
    return {} if answer is None else answer


def names(answer: Any, *path: str) -> list[str]:
    """Return the keys of a dict in an answer that can be names."""
    found = part(answer, *path)
    return [key for key in found if isinstance(key, str)] if isinstance(found, dict) else []
