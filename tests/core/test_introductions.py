"""Whoever comes is told of those who are here: in every order of calls and cards, of each pair one at least."""

from __future__ import annotations

from itertools import permutations
from typing import Final

import pytest

from meshmq.core.participant import Participant
from meshmq.wire.card import CARD_TOPIC, Card, own_string, pack_card, read_peers, unpack_body
from tests.core.host import World, card_of, peers_told
from tests.core.stranger import dialled, participant

IDS: Final = (b"A" * 16, b"B" * 16)
STEPS: Final = [(word, node_id) for node_id in IDS for word in ("calls", "card")]


def address(node_id: bytes) -> str:
    return f"tcp://10.0.0.{node_id[0]}:5555"


def string(node_id: bytes) -> bytes:
    return own_string(node_id, (address(node_id),))


@pytest.mark.parametrize("order", list(permutations(STEPS)))
def test_of_two_who_come_at_once_one_is_told_of_the_other(order: list[tuple[str, bytes]]) -> None:
    hub = participant()
    connections: dict[bytes, int] = {}
    told: set[tuple[bytes, bytes]] = set()
    for node_id in IDS:
        hub.found((address(node_id),), "addresses", None, 0.0)
        hub.tick(0.0)
        connections[node_id] = dialled(hub)
        hub.outputs.clear()
        hub.reached(connections[node_id], address(node_id), 0.0)
    for word, node_id in order:
        if word == "calls":
            hub.claim(string(node_id), True, 0.0)
        else:
            card = Card(node_id, "peer", "m", 1, "up", (address(node_id),), (), ())
            hub.hear(connections[node_id], [CARD_TOPIC, pack_card(card)], 0.0)
        hub.tick(0.0)
        told |= introductions(hub)
    assert told & {IDS, IDS[::-1]}


def introductions(hub: Participant) -> set[tuple[bytes, bytes]]:
    """Take what the hub wants, and return who was told of whom."""
    published = [output[1] for output in hub.outputs if output[0] == "publish"]
    hub.outputs.clear()
    told = set()
    for frames in published:
        assert isinstance(frames, list)
        word, fields = unpack_body(frames[1])
        if word.name == "PEERS":
            (listener,) = [node_id for node_id in IDS if string(node_id) == frames[0]]
            told |= {(listener, node_id) for node_id, _ in read_peers(fields)}
    return told


def test_neighbours_of_one_directory_are_not_told_of_each_other() -> None:
    """Each announces there before it looks: they find each other, and of all who do not share it they are told."""
    world = World()
    for name, address in (
        ("a", "ipc:///run/mesh/a.c"),
        ("b", "ipc:///run/mesh/b.c"),
        ("c", "ipc:///else/c.c"),
        ("d", "tcp://10.0.0.4:1"),
    ):
        world.presence.found((address,), "test", None, 0.0)
        world.wait(0)
        (connection,) = world.dials()
        world.presence.reached(connection, address, 0.0)
        world.hear(connection, card_of(name, control=(address,)))
        world.published()
        world.presence.claim(own_string(name.encode() * 16, (address,)), True, 0.0)
        told = "".join(peer[:1].decode() for peer in peers_told(world.published()))
        assert told == {"a": "", "b": "", "c": "ab", "d": "abc"}[name]
