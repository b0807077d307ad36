"""The part of a participant that makes it a device: what it stands between many and many for."""

from __future__ import annotations

from collections.abc import Sequence

from meshmq.core.moments import earliest
from meshmq.core.relay.passages import Passages
from meshmq.core.relay.queues import Place, Queues
from meshmq.core.relay.topics import Topics
from meshmq.core.relay.transit import Transit
from meshmq.errors import ConfigError
from meshmq.wire.card import NAMES_LIMIT, Forwards
from meshmq.wire.frames import Kind


class Relay:
    """What passes through this node for others."""

    kinds: frozenset[Kind] = frozenset()

    def __init__(self, ground: Place) -> None:
        self._ground = ground
        self._jobs = Queues(ground)
        self.passages = Passages(ground)
        self.topics = Topics(ground)

    def __repr__(self) -> str:
        return f"<Relay of {len(self.forwards)} names>"

    @property
    def queues(self) -> dict[str, Transit]:
        """The queues that pass, by name."""
        return self._jobs.transits

    @property
    def busy(self) -> dict[Transit, None]:
        """Those of them that are to be looked at with the next work."""
        return self._jobs.busy

    @property
    def forwards(self) -> Forwards:
        """What stands on our card."""
        return Forwards(tuple(self.queues), tuple(self.topics.counts), tuple(self.passages.services))

    def forward(self, names: Forwards, now: float) -> None:
        """Stand between many and many for these names from now on.

        Raises:
            ConfigError: this node pushes, pulls or serves one of them itself, or there is no room for so many.
        """
        ground = self._ground
        for queue in names.queues:
            if queue in ground.outboxes or queue in ground.inboxes or queue in ground.shut:
                raise ConfigError(f"this node pushes or pulls {queue!r} itself: let another be the device for it")
        for service in names.services:
            if ground.serves(service):
                raise ConfigError(f"this node serves {service!r} itself: let another be the device for it")
        if ground.names_shown() + len(names) > NAMES_LIMIT:
            raise ConfigError(f"a node shows at most {NAMES_LIMIT:,} names at once")
        for queue in names.queues:
            self._jobs.forward(queue)
        for service in names.services:
            self.passages.forward(service)
        for pattern in names.topics:
            self.topics.forward(pattern)
        ground.change_card(now)
        ground.copies.offer(now, passing=True)

    def refuse(self, *, queue: str = "", service: str = "") -> None:
        """Refuse to push, pull or serve here what this node forwards.

        Raises:
            ConfigError: it does.
        """
        if queue in self.queues:
            raise ConfigError(f"this node is a device for {queue!r}: push and pull it from others")
        if service in self.passages.services:
            raise ConfigError(f"this node is a device for {service!r}: serve it from others")

    # -- what sessions and the roster bring --------------------------------------------------------

    def took(self, peer: bytes, kind: Kind, frames: Sequence[bytes], now: float) -> bool:
        """Take what a session brought, if it passes through; whether it does.

        Raises:
            ProtocolError: it is none; the session ends.
        """
        if self.queues and self._jobs.took(peer, kind, frames, now):
            return True
        return bool(self.passages.services) and self.passages.took(peer, kind, frames, now)

    def read(self, peer: bytes, kind: Kind, frames: Sequence[bytes], now: float) -> None:
        """Read nothing: what passes is taken by ``took``."""

    def awaits(self, peer: bytes) -> bool:
        """Whether a peer may send anything that is large."""
        return bool(self.passages.services) or self._jobs.awaits(peer)

    def session_up(self, peer: bytes, now: float) -> None:
        """Look whom we reach now."""
        self._jobs.seek()
        self.passages.session_up(peer, now)

    def session_ended(self, peer: bytes, reason: str, now: float, *, clean: bool) -> None:
        """Tell those behind a peer, on either side, that it is lost."""
        self._jobs.session_ended(peer, reason, clean=clean)
        self.passages.session_ended(peer, reason, now)

    def roster_changed(self, now: float) -> None:
        """Look who pulls, serves and publishes."""
        self._jobs.seek()
        self.passages.roster_changed()
        self.topics.roster_changed()

    # -- what goes on ------------------------------------------------------------------------------

    def work(self, now: float) -> None:
        """Send on what may be sent."""
        self._jobs.work(now)
        self.passages.work(now)
        self.topics.work(now)

    def drain(self) -> None:
        """Take nothing new."""
        self._jobs.drain()
        self.passages.draining = True

    @property
    def away(self) -> dict[str, int]:
        """How many jobs of each queue are with workers."""
        return self._jobs.away

    def owes(self, now: float) -> bool:
        """Whether somebody would not learn what becomes of a job or a request, or still hears news through us."""
        return self._jobs.owes() or self.passages.owes() or self.topics.owes()

    def tick(self, now: float) -> None:
        """Do what is due."""
        self._jobs.tick(now)
        self.passages.tick(now)

    @property
    def deadline(self) -> float | None:
        """The next moment at which ``tick`` has something to do."""
        return earliest(self._jobs.deadline, self.passages.deadline, self.topics.deadline)
