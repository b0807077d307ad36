"""Copies: what this node has read or passed on, published to who taps it, and never in the way of what it is a copy of.

Whoever follows the topic ``meshmq.tap.<name>`` gets a copy of each job of that queue and each request of that service,
as it goes to its receiver. While nobody does, nothing is noted. So many copies are made a second and no more; what is
beyond that is dropped and told in a header of the next one. Copies are news like any other: a subscriber that is slow,
stopped or gone loses them alone. They are not kept, go to no group, and are not waited for when the node leaves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from meshmq.codecs.base import Buffer
from meshmq.core.feed.feed import Feed
from meshmq.core.feed.publisher import TOPICS_BYTES
from meshmq.core.part import Ground
from meshmq.names import GROUP, NAME_BYTES, RESERVED, TAP
from meshmq.wire.batches import Batch, peek_batch, unpack_batch
from meshmq.wire.calls import unpack_request
from meshmq.wire.card import Card
from meshmq.wire.frames import Kind
from meshmq.wire.headers import Headers

#: What a node copies in a second, and at once: beyond it copying would cost the others more than a part of the time.
COPIES: Final = 10_000
COPIES_AT_ONCE: Final = 1_000
BYTES: Final = 16 * 1024 * 1024
BYTES_AT_ONCE: Final = 1024 * 1024
COPIED: Final = frozenset({Kind.JOBS, Kind.REQUEST})
#: Says what a copy is one of, beside the headers of the sender.
KIND_HEADER: Final = "meshmq-kind"
SENDER_HEADER: Final = "meshmq-sender"
RECEIVER_HEADER: Final = "meshmq-receiver"
ID_HEADER: Final = "meshmq-id"
ATTEMPT_HEADER: Final = "meshmq-attempt"
#: How many bytes a value has that is too large; and how many of this name were not copied right before it.
OMITTED_HEADER: Final = "meshmq-omitted"
DROPPED_HEADER: Final = "meshmq-dropped"
#: Nothing, as MessagePack: what stands for a value that is left out.
_NOTHING: Final = b"\xc0"


@dataclass(slots=True)
class Allowance:
    """So many a second, and as many as ``most`` at once."""

    rate: float
    most: float
    left: float
    at: float

    def refill(self, now: float) -> int:
        """Return how many there are now."""
        self.left = min(self.most, self.left + max(0.0, now - self.at) * self.rate)
        self.at = now
        return int(self.left)


class Copies:
    """What a node copies of that which is read or passed on, as far as its settings agree."""

    def __init__(self, ground: Ground, feed: Feed, now: float) -> None:
        self._ground, self._feed = ground, feed
        self._copies = Allowance(COPIES, COPIES_AT_ONCE, COPIES_AT_ONCE, now)
        self._bytes = Allowance(BYTES, BYTES_AT_ONCE, BYTES_AT_ONCE, now)
        #: The topic of each name that somebody taps, "" where nobody does; as of a version of who follows what.
        self._topics: dict[str, str] = {}
        self._version = -1
        self._noted: list[tuple[str, bytes, Headers]] = []
        #: How many were made and dropped, by name; and by topic how many of the latter were not told yet.
        self.made: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self._untold: Counter[str] = Counter()
        #: Who follows anything of it: where nobody does, nothing is to be noted.
        self.tappers = feed.audience.tappers

    def __repr__(self) -> str:
        return f"<Copies {self.made.total():,} made, {self.dropped.total():,} dropped>"

    def told(self, card: Card) -> dict[str, dict[str, int]]:
        """Return what was copied of each name on our card that may be."""
        passing, own = (*card.forwards.queues, *card.forwards.services), (*card.pulls, *card.serves)
        names = {*(passing if self._agrees(passing=True) else ()), *(own if self._agrees(passing=False) else ())}
        return {name: {"copied": self.made[name], "dropped": self.dropped[name]} for name in sorted(names)}

    def _agrees(self, *, passing: bool) -> bool:
        tap = self._ground.settings.tap
        return passing if tap is None else tap

    def offer(self, now: float, *, passing: bool = False) -> None:
        """Say on our card that we publish, if the settings agree: who taps something then asks us for it."""
        if self._agrees(passing=passing):
            self._feed.announce(now)

    # -- what is noted -----------------------------------------------------------------------------

    def came(self, sender: bytes, kind: Kind, frames: Sequence[bytes], now: float) -> None:
        """Note what a session brought, after it was read well."""
        if kind in COPIED and self._agrees(passing=False):
            self._note_all(sender, self._ground.node_id, kind, frames, now)

    def passes(self, receiver: bytes, kind: Kind, frames: Sequence[bytes], now: float) -> None:
        """Note what this node sends on as a device; its frames name the sender."""
        if self.tappers and self._agrees(passing=True):
            self._note_all(self._ground.node_id, receiver, kind, frames, now)

    def _note_all(self, sender: bytes, receiver: bytes, kind: Kind, frames: Sequence[bytes], now: float) -> None:
        if kind is Kind.JOBS:
            queue, count = peek_batch(frames[0])
            topic = self._topic(queue)
            if topic and self._copies.refill(now):
                batch = unpack_batch(frames)
                self._note_jobs(topic, batch, batch.pusher or sender, receiver, now)
            elif topic:
                self._count(topic, 0, count)
            return
        request, here = unpack_request(frames), self._ground.node_id
        if receiver == here and not self._ground.serves(request.service):
            return  # it was refused
        topic, value = self._topic(request.service), request.value
        if topic:
            told = self._told("request", request.caller or sender, receiver, request.attempt)
            headers = {**(request.headers or {}), **told, ID_HEADER: request.id.hex()}
            noted = self._copies.refill(now) and self._note(topic, value.body, value.buffers, headers, now)
            self._count(topic, int(bool(noted)), 1)

    def _note_jobs(self, topic: str, batch: Batch, sender: bytes, receiver: bytes, now: float) -> None:
        told, origin = self._told("job", sender, receiver, batch.attempt), batch.origin.hex()
        noted, most = 0, min(batch.count, int(self._copies.left))
        while noted < most:
            headers = {**batch.headers.get(noted, {}), **told, ID_HEADER: f"{origin}-{batch.first + noted:x}"}
            if not self._note(topic, batch.body(noted), batch.buffers_of(noted, noted + 1), headers, now):
                break
            noted += 1
        self._count(topic, noted, batch.count)

    def _told(self, kind: str, sender: bytes, receiver: bytes, attempt: int) -> dict[str, str]:
        name_of = self._ground.name_of
        return {
            KIND_HEADER: kind,
            SENDER_HEADER: name_of(sender),
            RECEIVER_HEADER: name_of(receiver),
            ATTEMPT_HEADER: str(attempt),
        }

    def _note(
        self, topic: str, body: bytes | memoryview, buffers: Sequence[Buffer], headers: dict[str, str], now: float
    ) -> bool:
        """Note one, unless there have been too many bytes; whether it is."""
        size = len(body) + sum(map(len, buffers))
        if buffers or size > TOPICS_BYTES:  # what has to be fetched would be kept, in place of what users publish
            body, headers[OMITTED_HEADER] = _NOTHING, str(size)
        if self._bytes.refill(now) < len(body):
            return False
        if self._untold[topic]:
            headers[DROPPED_HEADER] = str(self._untold.pop(topic))
        self._copies.left -= 1
        self._bytes.left -= len(body)
        self._noted.append((topic, bytes(body), headers))
        return True

    def _count(self, topic: str, noted: int, count: int) -> None:
        name = topic.removeprefix(TAP)
        self.made[name] += noted
        self.dropped[name] += count - noted
        self._untold[topic] += count - noted

    def _topic(self, name: str) -> str:
        """Return the topic of the copies of a name, "" where nobody follows it."""
        index = self._feed.publisher.index
        if index.version != self._version:
            self._version = index.version
            self._topics.clear()
        topic = self._topics.get(name)
        if topic is None:
            topic = f"{TAP}{name}"
            shown = not name.startswith((GROUP, RESERVED)) and len(topic.encode()) <= NAME_BYTES
            topic = self._topics[name] = topic if shown and index.matching(topic) else ""
        return topic

    # -- what goes out -----------------------------------------------------------------------------

    def work(self, now: float) -> None:
        """Publish what was noted: not before, for what is noted may be on its way into a session."""
        if self._noted:
            noted, self._noted = self._noted, []
            self._feed.publish_copies(noted, now)
