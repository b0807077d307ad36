"""Topics that pass through a device: news go on as they are, to who subscribed here, with the publisher's numbers.

Subscribers say by strings on our topics link what of which publisher they want, and probe whether it comes; what is
wanted together is asked of each publisher once. Nothing is kept: what is lost here its publisher is asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import Final

from meshmq.core.feed.patterns import Patterns, prefix
from meshmq.core.part import Ground
from meshmq.core.relay.upstream import Upstream
from meshmq.errors import ProtocolError
from meshmq.wire.news import read_label
from meshmq.wire.relaying import (
    ENTRIES_LIMIT,
    FROM_DEVICE,
    RELAYED,
    TO_DEVICE,
    Echo,
    is_echo,
    pack_echo,
    pack_relayed,
    probe,
    read_probe,
    read_wanted,
    unpack_echo,
)

TOPICS_KNOWN: Final = 100_000
#: Of how many subscribers probes are remembered, and of each how many: anybody may subscribe to anything.
SUBSCRIBERS_MOST: Final = 65_536
_EACH: Final = 8


class Topics:
    """All topics that pass through this node."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        #: What became of the news of each pattern.
        self.counts: dict[str, Counter[str]] = {}
        self.upstreams: dict[bytes, Upstream] = {}
        #: What is wanted of each publisher, and how often.
        self.wanted: dict[bytes, Counter[bytes]] = {}
        #: The probes of each subscriber that stand, counted: an old one may be withdrawn after the new one came [F 45].
        self.probes: dict[bytes, Counter[int]] = {}
        self._by_connection: dict[int, Upstream] = {}
        self._index: Patterns[str] = Patterns()
        self._prefixes: tuple[bytes, ...] = ()
        self._known: dict[bytes, str] = {}
        self._fresh: dict[bytes, None] = {}
        self._changed: dict[bytes, None] = {}

    def __repr__(self) -> str:
        return f"<Topics {', '.join(self.counts) or 'none'} of {len(self.upstreams)} publishers>"

    def forward(self, pattern: str) -> None:
        """Stand between publishers and subscribers of what a pattern matches from now on."""
        self.counts.setdefault(pattern, Counter())
        self._index.add(pattern, pattern)
        self._prefixes = tuple(map(prefix, self.counts))
        self._known.clear()
        self._changed.update(dict.fromkeys(self.wanted))
        self._fresh.update(dict.fromkeys(self.probes))

    # -- what subscribers want ---------------------------------------------------------------------

    def tuned(self, string: bytes, present: bool) -> None:
        """Learn of a subscription to our topics link.

        All are counted, also before we are a device: who wanted something of the one that was at our address before
        us, and comes to us by itself, withdraws that later.
        """
        found, asked = read_wanted(string), read_probe(string)
        if found is not None:
            self._want(*found, 1 if present else -1)
        elif asked is not None and asked[2] == TO_DEVICE:
            self._probe(asked[0], asked[1], 1 if present else -1)

    def _want(self, publisher: bytes, string: bytes, sign: int) -> None:
        wanted = self.wanted.setdefault(publisher, Counter())
        wanted[string] += sign
        if wanted[string] <= 0:
            del wanted[string]
        if not wanted:
            del self.wanted[publisher]
        self._changed[publisher] = None

    def _probe(self, subscriber: bytes, mark: int, sign: int) -> None:
        if subscriber not in self.probes and (sign < 0 or len(self.probes) >= SUBSCRIBERS_MOST):
            return
        marks = self.probes.setdefault(subscriber, Counter())
        marks[mark] += sign
        for gone in [known for known, count in marks.items() if count <= 0]:
            del marks[gone]
        while len(marks) > _EACH:
            del marks[min(marks)]
        if not marks:
            del self.probes[subscriber]
        elif sign > 0:
            self._fresh[subscriber] = None

    # -- what publishers send ----------------------------------------------------------------------

    def overhear(self, connection: int, frame: bytes, now: float) -> bool:
        """Take one message of a publisher's topics link; whether it came for others."""
        upstream = self._by_connection.get(connection)
        if upstream is None:
            return False
        try:
            if is_echo(frame):
                self._echoed(upstream, frame, now)
            elif not frame.startswith(RELAYED):  # a device never sends on what another does
                self._relay(upstream, frame, now)
        except ProtocolError:
            self._ground.counts["foreign news"] += 1
        return True

    def _relay(self, upstream: Upstream, frame: bytes, now: float) -> None:
        label = read_label(frame)
        if label.publisher != upstream.publisher:
            return
        upstream.path.heard(label.turn, now)
        pattern = self._known.get(label.topic)
        if pattern is None:
            pattern = self._find(label.topic)
        if not pattern:  # it only begins as one that we forward
            return
        counts = self.counts[pattern]
        counts["batches"] += 1
        counts["received"] += label.count
        counts["bytes"] += len(frame)
        held = self._ground.round_trip(upstream.publisher) / 2
        self._ground.outputs.append(("spread", [pack_relayed(label.publisher, frame, label.place, held)]))

    def _find(self, topic: bytes) -> str:
        if len(self._known) >= TOPICS_KNOWN:
            self._known.clear()
        found = self._index.matching(topic.decode(errors="replace"))
        self._known[topic] = pattern = found[0] if found else ""
        return pattern

    def _echoed(self, upstream: Upstream, frame: bytes, now: float) -> None:
        string, entries = unpack_echo(frame)
        asked = read_probe(string)
        if asked is None or asked[0] != self._ground.node_id or asked[2] != FROM_DEVICE:
            return
        for entry in entries:
            if entry.publisher == upstream.publisher and entry.mark <= upstream.tuner.mark:
                for question in upstream.answered(entry, now):
                    self._tell(question.subscriber, [Echo(upstream.publisher, upstream.path.turn, question.probe)])

    def _tell(self, subscriber: bytes, entries: list[Echo]) -> None:
        """Answer a subscriber, by the probe of it that came last."""
        marks = self.probes.get(subscriber)
        if marks and entries:
            frames = pack_echo(probe(subscriber, max(marks), TO_DEVICE), entries)
            self._ground.outputs += [("spread", [frame]) for frame in frames]

    # -- who comes and goes ------------------------------------------------------------------------

    def roster_changed(self) -> None:
        """Look which publishers are here."""
        roster = self._ground.roster
        for publisher, upstream in list(self.upstreams.items()):
            if publisher in roster:
                upstream.tuner.addresses = roster[publisher].card.topics
            else:
                self._drop(publisher)
                self._gone(upstream)
        self._changed.update(dict.fromkeys(one for one in self.wanted if one not in self.upstreams))

    def _drop(self, publisher: bytes) -> None:
        upstream = self.upstreams.pop(publisher)
        if upstream.tuner.connection is not None:
            del self._by_connection[upstream.tuner.connection]
        upstream.tuner.hang_up()

    def _gone(self, upstream: Upstream) -> None:
        """Tell subscribers that nothing of a publisher comes here any more: they turn to it themselves."""
        for subscriber in self.probes:
            self._tell(subscriber, [Echo(upstream.publisher, 0, 0)])

    def lost(self, connection: int, now: float) -> bool:
        """Learn that a connection that we dialled is gone; whether it was one of ours."""
        upstream = self._by_connection.pop(connection, None)
        if upstream is None:
            return False
        upstream.failed(now)
        self._gone(upstream)
        self._ask_all(upstream)
        return True

    def _ask_all(self, upstream: Upstream) -> None:
        """Have all subscribers told when it brings what they want: they may have asked before it was here."""
        for subscriber, marks in self.probes.items():
            upstream.ask(subscriber, max(marks))

    # -- work and time -----------------------------------------------------------------------------

    def work(self, now: float) -> None:
        """Ask publishers for what is wanted, and answer who asked whether it comes."""
        if not self.counts:
            self._changed.clear()
            self._fresh.clear()
            return
        changed, self._changed = self._changed, {}
        for publisher in changed:
            self._look(publisher, now)
        for upstream in self.upstreams.values():
            if upstream.tuner.due(now):
                self._sync(upstream, upstream.tuner.strings, now)
            elif upstream.tuner.overdue(now):
                upstream.check(now)
        fresh, self._fresh = self._fresh, {}
        # It may have missed that we lost them.
        absent = (publisher for publisher in self.wanted if publisher not in self.upstreams)
        unheard = [Echo(publisher, 0, 0) for publisher in islice(absent if fresh else (), ENTRIES_LIMIT)]
        for subscriber in [one for one in fresh if one in self.probes]:
            probe = max(self.probes[subscriber])
            asked = [upstream.ask(subscriber, probe) for upstream in self.upstreams.values()]
            self._tell(subscriber, [*unheard, *(answer for answer in asked if answer is not None)])

    def _look(self, publisher: bytes, now: float) -> None:
        """Hear a publisher of which something is wanted, and no other."""
        peer, upstream = self._ground.roster.get(publisher), self.upstreams.get(publisher)
        wanted = [string for string in self.wanted.get(publisher, ()) if string.startswith(self._prefixes)]
        if not wanted:
            if upstream is not None:
                self._drop(publisher)
            return
        if upstream is not None:
            self._sync(upstream, wanted, now)
        elif peer is not None and peer.reached and peer.card.publishes and peer.card.topics:
            upstream = self.upstreams[publisher] = Upstream(publisher, self._ground)
            upstream.tuner.addresses = peer.card.topics
            self._sync(upstream, wanted, now)
            self._ask_all(upstream)

    def _sync(self, upstream: Upstream, wanted: Iterable[bytes], now: float) -> None:
        before = upstream.tuner.connection
        upstream.sync(wanted, now)
        after = upstream.tuner.connection
        if before != after:
            self._by_connection.pop(before or 0, None)
            if after is not None:
                self._by_connection[after] = upstream

    @property
    def deadline(self) -> float | None:
        """The next moment at which ``work`` has something to do by itself."""
        return min((moment for one in self.upstreams.values() for moment in one.tuner.moments), default=None)

    def owes(self) -> bool:
        """Whether subscribers still hear anything through us."""
        return bool(self.upstreams)
