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
from meshmq.wire.fields import NUMBERS, read_name, read_texts
from meshmq.wire.frames import LOWEST, MAGIC, VERSION, VersionMismatch

CARD_TOPIC: Final = b"card"
OWN: Final = b"\xff"
#: 0xFF and a node's id; the addresses follow.
OWN_BYTES: Final = 17
STRING_LIMIT: Final = 512
ADDRESSES_LIMIT: Final = 32
#: The most queues and services on one card: of the longest names it stays below the limit on a body.
NAMES_LIMIT: Final = 4_096
PEERS_LIMIT: Final = 1_000
BODY_LIMIT: Final = 1024 * 1024
#: What a peer takes in a list of peers, beside its addresses.
_PEER_BYTES: Final = 32

State = Literal["up", "draining", "left"]


class Word(IntEnum):
    """What a message of the control link is."""

    CARD = 1
    BEAT = 2
    PEERS = 3
    ASK = 4
    PING = 5
    PONG = 6


#: A state that a later version invents takes no new work, as far as we know.
_STATES: Final[dict[str, State]] = {state: state for state in get_args(State)}
_WORDS: Final = {int(word): word for word in Word}


@dataclass(frozen=True, slots=True)
class Forwards:
    """What a device stands between many and many for."""

    queues: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    services: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.queues) + len(self.topics) + len(self.services)


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
    topics: tuple[str, ...] = ()
    serves: tuple[str, ...] = ()
    publishes: bool = False
    subscribes: bool = False
    stalled: bool = False
    forwards: Forwards = Forwards()


def own_string(node_id: bytes, addresses: Sequence[str]) -> bytes:
    """Return the string a node subscribes to at every peer; it says who comes, and from where."""
    kept: list[str] = []
    for address in addresses[:ADDRESSES_LIMIT]:
        if len(",".join([*kept, address]).encode()) > STRING_LIMIT - OWN_BYTES:
            break
        kept.append(address)
    return OWN + node_id + ",".join(kept).encode()


def read_own_string(string: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Return ``(node id, control addresses)`` of an own string.

    Raises:
        ProtocolError: it is none.
    """
    if not OWN_BYTES <= len(string) <= STRING_LIMIT or string[:1] != OWN:
        raise ProtocolError("a subscription that is none of ours")
    try:
        addresses = string[17:].decode()
    except UnicodeDecodeError as error:
        raise ProtocolError("a subscription with an address that is none") from error
    return string[1:17], read_texts([text for text in addresses.split(",") if text], ADDRESSES_LIMIT, STRING_LIMIT)


def pack_card(card: Card) -> bytes:
    """Return the body that carries a card."""
    queues, patterns, services = card.forwards.queues, card.forwards.topics, card.forwards.services
    return _pack(
        Word.CARD,
        {
            "id": card.node_id,
            "name": card.name,
            "mesh": card.mesh,
            "number": card.number,
            "state": card.state,
            "versions": [LOWEST, VERSION],
            "control": list(card.control[:ADDRESSES_LIMIT]),
            "direct": list(card.direct[:ADDRESSES_LIMIT]),
            "pulls": list(card.pulls),
            "topics": list(card.topics[:ADDRESSES_LIMIT]),
            "serves": list(card.serves),
            "publishes": card.publishes,
            "subscribes": card.subscribes,
            "stalled": card.stalled,
            "forwards": [list(names) for names in (queues, patterns, services)],
        },
    )


def pack_beat(number: int) -> bytes:
    """Return the body of a beat: the number of the card it stands for."""
    return _pack(Word.BEAT, {"number": number})


def pack_peers(peers: Iterable[tuple[bytes, Sequence[str]]]) -> bytes:
    """Return the body that tells a newcomer where this node reached others: as many as fit."""
    told: list[list[object]] = []
    room = BODY_LIMIT - _PEER_BYTES
    for node_id, addresses in peers:
        kept = list(addresses[:ADDRESSES_LIMIT])
        room -= _PEER_BYTES + sum(len(address.encode()) + 3 for address in kept)
        if room < 0 or len(told) == PEERS_LIMIT:
            break
        told.append([node_id, kept])
    return _pack(Word.PEERS, {"peers": told})


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
        fields = unpack_plain(memoryview(body)[4:], limit=BODY_LIMIT)
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
    node_id, number, state = fields.get("id"), fields.get("number"), fields.get("state")
    if type(node_id) is not bytes or len(node_id) != 16:
        raise ProtocolError("a card without an id")
    if type(number) is not int or not 0 <= number < NUMBERS or type(state) is not str:
        raise ProtocolError("a card without a number or state")
    control = read_texts(fields.get("control", []), ADDRESSES_LIMIT, STRING_LIMIT)
    direct = read_texts(fields.get("direct", []), ADDRESSES_LIMIT, STRING_LIMIT)
    topics = read_texts(fields.get("topics", []), ADDRESSES_LIMIT, STRING_LIMIT)
    queues, services = fields.get("pulls", []), fields.get("serves", [])
    if type(queues) is not list or type(services) is not list:
        raise ProtocolError("a card with queues or services that are none")
    forwards = _read_forwards(fields.get("forwards", []))
    if len(queues) + len(services) + len(forwards) > NAMES_LIMIT:
        raise ProtocolError("a card with too many names")
    return Card(
        node_id,
        read_name(fields.get("name")),
        read_name(fields.get("mesh")),
        number,
        _STATES.get(state, "draining"),
        control,
        direct,
        tuple(map(read_name, queues)),
        topics,
        tuple(map(read_name, services)),
        fields.get("publishes") is True,
        fields.get("subscribes") is True,
        fields.get("stalled") is True,
        forwards,
    )


def _read_forwards(names: object) -> Forwards:
    if type(names) is not list or not all(type(part) is list and len(part) <= NAMES_LIMIT for part in names[:3]):
        raise ProtocolError("a card that forwards what is none")
    queues, topics, services = (tuple(map(read_name, part)) for part in [*names, [], [], []][:3])
    return Forwards(queues, topics, services)


def read_peers(fields: dict[str, object]) -> list[tuple[bytes, tuple[str, ...]]]:
    """Return what a PEERS message tells.

    Raises:
        ProtocolError: it is none.
    """
    peers = fields.get("peers")
    if type(peers) is not list or len(peers) > PEERS_LIMIT:
        raise ProtocolError("a list of peers that is none")
    told = []
    for peer in peers:
        if type(peer) is not list or len(peer) < 2 or type(peer[0]) is not bytes or len(peer[0]) != 16:
            raise ProtocolError("a list of peers that is none")
        told.append((peer[0], read_texts(peer[1], ADDRESSES_LIMIT, STRING_LIMIT)))
    return told


def read_stamp(fields: dict[str, object], key: str = "stamp") -> int:
    """Return a whole number out of a map; 0 where it is none."""
    value = fields.get(key)
    return value if type(value) is int and 0 <= value < NUMBERS else 0


def _pack(word: Word, fields: dict[str, object]) -> bytes:
    return MAGIC + bytes((VERSION, word)) + pack_plain(fields)
