"""What nodes publish on their control link: cards, beats, and words to one peer.

A message there has two frames: a topic and a body. The topic is ``card`` for everybody, or a peer's
*own string* (0xFF, its id, its control addresses) for that peer alone; the body is::

    body = magic "MQ" · version u8 · kind u8 · msgpack map (unknown keys are ignored)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Literal, get_args

from meshmq.codecs.msgpack import pack_plain, unpack_plain
from meshmq.errors import DecodeError, ProtocolError
from meshmq.wire.frames import LOWEST, MAGIC, VERSION, VersionMismatch

CARD_TOPIC: Final = b"card"
OWN: Final = b"\xff"
STRING_LIMIT: Final = 512
_ADDRESS_LIMIT: Final = 32
_NAMES_LIMIT: Final = 10_000
_LIMIT: Final = 1024 * 1024

State = Literal["up", "draining", "left"]


class Word(IntEnum):
    """What a message of the control link is."""

    CARD = 1
    BEAT = 2
    PEERS = 3
    ASK = 4
    PING = 5
    PONG = 6


_WORDS: Final = {int(word): word for word in Word}


@dataclass(frozen=True, slots=True)
class Card:
    """What a node says of itself. ``number`` grows with every change."""

    node_id: bytes
    name: str
    mesh: str
    number: int
    state: State = "up"
    control: tuple[str, ...] = ()
    direct: tuple[str, ...] = ()
    pulls: tuple[str, ...] = ()


def own_string(node_id: bytes, addresses: Sequence[str]) -> bytes:
    """Return the string a node subscribes to at every peer; it says who comes, and from where."""
    kept: list[str] = []
    for address in addresses:
        if len(",".join([*kept, address]).encode()) > STRING_LIMIT - 17:
            break
        kept.append(address)
    return OWN + node_id + ",".join(kept).encode()


def read_own_string(string: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Return ``(node id, control addresses)`` of an own string.

    Raises:
        ProtocolError: it is none.
    """
    if len(string) < 18 or len(string) > STRING_LIMIT or string[:1] != OWN:
        raise ProtocolError("a subscription that is none of ours")
    try:
        addresses = string[17:].decode()
    except UnicodeDecodeError as error:
        raise ProtocolError("a subscription with an address that is none") from error
    return string[1:17], tuple(address for address in addresses.split(",") if address)


def pack_card(card: Card) -> bytes:
    """Return the body that carries a card."""
    return _pack(
        Word.CARD,
        {
            "id": card.node_id,
            "name": card.name,
            "mesh": card.mesh,
            "number": card.number,
            "state": card.state,
            "versions": [LOWEST, VERSION],
            "control": list(card.control),
            "direct": list(card.direct),
            "pulls": list(card.pulls),
        },
    )


def pack_beat(number: int) -> bytes:
    """Return the body of a beat: the number of the card it stands for."""
    return _pack(Word.BEAT, {"number": number})


def pack_peers(peers: Iterable[tuple[bytes, Sequence[str]]]) -> bytes:
    """Return the body that tells a newcomer where this node reached others."""
    return _pack(Word.PEERS, {"peers": [[node_id, list(addresses)] for node_id, addresses in peers]})


def pack_word(word: Word, stamp: int = 0) -> bytes:
    """Return the body of an ASK, PING or PONG; ``stamp`` comes back as it went."""
    return _pack(word, {"stamp": stamp})


def unpack_body(body: bytes) -> tuple[Word, dict[str, object]]:
    """Return ``(word, map)`` of a control message.

    Raises:
        VersionMismatch: it is of MeshMQ, in a version we do not speak.
        ProtocolError: it is not of MeshMQ.
    """
    if len(body) < 4 or body[:2] != MAGIC:
        raise ProtocolError("the message does not start as a MeshMQ message does")
    if body[2] != VERSION:
        raise VersionMismatch(body[2])
    word = _WORDS.get(body[3])
    if word is None:
        raise ProtocolError(f"there is no control message of kind {body[3]}")
    try:
        fields = unpack_plain(memoryview(body)[4:], limit=_LIMIT)
    except DecodeError as error:
        raise ProtocolError(str(error)) from error
    if not isinstance(fields, dict):
        raise ProtocolError("a control message without a map")
    return word, fields


def read_card(fields: dict[str, object]) -> Card:
    """Return the card in the map of a CARD message.

    Raises:
        ProtocolError: it is none.
    """
    node_id, name, mesh = fields.get("id"), fields.get("name"), fields.get("mesh")
    number, state = fields.get("number"), fields.get("state")
    if not isinstance(node_id, bytes) or len(node_id) != 16:
        raise ProtocolError("a card without an id")
    if not isinstance(name, str) or not isinstance(mesh, str) or not 0 < len(name) <= 200 or not 0 < len(mesh) <= 200:
        raise ProtocolError("a card without names")
    if type(number) is not int or not 0 <= number < 2**63 or state not in get_args(State):
        raise ProtocolError("a card without a number or state")
    control = _texts(fields.get("control", []), _ADDRESS_LIMIT)
    direct = _texts(fields.get("direct", []), _ADDRESS_LIMIT)
    pulls = _texts(fields.get("pulls", []), _NAMES_LIMIT)
    return Card(node_id, name, mesh, number, state, control, direct, pulls)  # type: ignore[arg-type]  # checked by get_args


def read_peers(fields: dict[str, object]) -> list[tuple[bytes, tuple[str, ...]]]:
    """Return what a PEERS message tells.

    Raises:
        ProtocolError: it is none.
    """
    peers = fields.get("peers")
    if not isinstance(peers, list) or len(peers) > _NAMES_LIMIT:
        raise ProtocolError("a list of peers that is none")
    told = []
    for peer in peers:
        if not isinstance(peer, list) or len(peer) != 2 or not isinstance(peer[0], bytes) or len(peer[0]) != 16:
            raise ProtocolError("a list of peers that is none")
        told.append((peer[0], _texts(peer[1], _ADDRESS_LIMIT)))
    return told


def read_stamp(fields: dict[str, object], key: str = "stamp") -> int:
    """Return a whole number out of a map; 0 where it is none."""
    value = fields.get(key)
    return value if type(value) is int and 0 <= value < 2**63 else 0


def _pack(word: Word, fields: dict[str, object]) -> bytes:
    return MAGIC + bytes((VERSION, word)) + pack_plain(fields)


def _texts(values: object, most: int) -> tuple[str, ...]:
    if not isinstance(values, list) or len(values) > most:
        raise ProtocolError("a list of texts that is none")
    if not all(isinstance(value, str) and 0 < len(value) <= STRING_LIMIT for value in values):
        raise ProtocolError("a list of texts that is none")
    return tuple(values)
