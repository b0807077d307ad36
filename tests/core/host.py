"""A presence alone: the test plays its host, its links and its peers."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from meshmq.core.presence import LAST_WORDS, Presence
from meshmq.core.roster import Peer
from meshmq.settings import Settings
from meshmq.wire.card import (
    CARD_TOPIC,
    Card,
    Word,
    own_string,
    pack_beat,
    pack_card,
    read_peers,
    unpack_body,
)

ME = b"M" * 16


def card_of(name: str, number: int = 1, **fields: object) -> Card:
    """Return the card of a peer whose id and addresses follow from its one letter."""
    given: dict[str, object] = {"control": (f"memory://{name}/c",), "direct": (f"memory://{name}/d",), **fields}
    mesh = str(given.pop("mesh", "m"))
    return Card(name.encode() * 16, name, mesh, number, **given)  # type: ignore[arg-type]  # what the test gives


class World:
    """What a presence sees of the world, and what it asks of it."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.now = 0.0
        self.outputs: list[tuple[object, ...]] = []
        self.told: list[str] = []
        self.alive: set[bytes] = set()
        self.minutes = 0
        self._connections = 0
        card = Card(ME, "me", "m", 1, "up", ("memory://me/c",), ("memory://me/d",), ())
        self.presence = Presence(card, self, settings or Settings(), Random(5), 0.0)

    # What presence asks of its host.

    def next_connection(self) -> int:
        self._connections += 2
        return self._connections

    def say(self, level: int, logger: str, sentence: str) -> None:
        self.told.append(sentence)

    def peer_joined(self, peer: Peer, now: float) -> None:
        self.told.append(f"+{peer.card.name}")

    def peer_doubted(self, peer: Peer, now: float) -> None:
        self.told.append(f"?{peer.card.name}")

    def peer_one_way(self, peer: Peer, now: float) -> None:
        self.told.append(f"one-way {peer.card.name}")

    def peer_alive(self, node_id: bytes) -> bool:
        return node_id in self.alive

    def roster_changed(self) -> None:
        pass

    def minute(self) -> None:
        self.minutes += 1

    # What the test does.

    def names(self) -> str:
        """Return the letters of all peers on the roster."""
        return "".join(sorted(peer.card.name for peer in self.presence.roster.peers.values()))

    def peer(self, name: str) -> Peer:
        return self.presence.roster.peers[name.encode() * 16]

    def dials(self) -> list[int]:
        """Return, and forget, the connections dialled since."""
        dialled = [output[1] for output in self.outputs if output[0] == "dial"]
        self.outputs = [output for output in self.outputs if output[0] != "dial"]
        return [connection for connection in dialled if isinstance(connection, int)]

    def hung_up(self) -> list[object]:
        """Return, and forget, the connections hung up since."""
        ended = [output[1] for output in self.outputs if output[0] == "hang_up"]
        self.outputs = [output for output in self.outputs if output[0] != "hang_up"]
        return ended

    def published(self) -> list[tuple[bytes, Word, dict[str, object]]]:
        """Return, and forget, what was published since: topic, word and fields."""
        sent = [output[1] for output in self.outputs if output[0] == "publish"]
        self.outputs = [output for output in self.outputs if output[0] != "publish"]
        messages = []
        for frames in sent:
            assert isinstance(frames, list)
            messages.append((frames[0], *unpack_body(frames[1])))
        return messages

    def wait(self, seconds: float) -> None:
        """Let time pass, stepping presence when it is due."""
        until = self.now + seconds
        for _ in range(10_000):
            if self.presence.deadline > until:
                self.now = until
                return
            self.now = max(self.now, self.presence.deadline)
            self.presence.tick(self.now)
        raise AssertionError("a deadline does not move on")

    def find(self, name: str, *, given: bool = False) -> int:
        """Let discovery tell of a peer; returns the connection dialled to it."""
        self.presence.found((f"memory://{name}/c",), "test", None, self.now, given=given)
        self.wait(0)
        (connection,) = self.dials()
        return connection

    def hear(self, connection: int, card: Card) -> None:
        """Hear a card on a connection."""
        self.presence.hear(connection, [CARD_TOPIC, pack_card(card)], self.now)

    def word(self, connection: int, body: bytes) -> None:
        """Hear something else on a connection, on our own string."""
        self.presence.hear(connection, [own_string(ME, ("memory://me/c",)), body], self.now)

    def beat(self, connection: int, number: int = 1) -> None:
        self.presence.hear(connection, [CARD_TOPIC, pack_beat(number)], self.now)

    def claim(self, name: str, *, present: bool = True) -> None:
        """Let a peer subscribe to us, or withdraw."""
        self.presence.claim(own_string(name.encode() * 16, (f"memory://{name}/c",)), present, self.now)
        if not present:  # its goodbye is waited for, for a moment
            self.now += LAST_WORDS
            self.presence.tick(self.now)

    def meet(self, name: str, **fields: object) -> int:
        """Let a peer be found, show its card and subscribe; returns our connection to it."""
        connection = self.find(name)
        self.hear(connection, card_of(name, 1, **fields))
        self.claim(name)
        self.outputs.clear()
        self.told.clear()
        return connection


def peers_told(messages: Sequence[tuple[bytes, Word, dict[str, object]]]) -> list[bytes]:
    """Return the ids of the peers that messages tell of."""
    return [node_id for _, word, fields in messages if word is Word.PEERS for node_id, _ in read_peers(fields)]
