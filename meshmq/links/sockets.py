"""A node's links over real ZeroMQ sockets: three bound, and one more for every connection dialled."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import zmq

from meshmq.errors import ConfigError, LinkError
from meshmq.links.authenticator import Authenticator
from meshmq.links.base import Bound, Connection, Decider, LinkName
from meshmq.links.binding import bind_ipc, bind_tcp, let_go
from meshmq.links.context import check_generation, generation
from meshmq.links.dialled import Dial
from meshmq.links.door import Refusals
from meshmq.links.moves import Moves
from meshmq.links.options import Options
from meshmq.links.outside import Outside
from meshmq.links.published import Published
from meshmq.links.race import near_networks
from meshmq.links.reserve import Lookout
from meshmq.links.resolver import Resolver, process_resolver
from meshmq.links.security import Keys
from meshmq.links.sources import Sources
from meshmq.links.surroundings import Surroundings

#: With ``port=P``: control P, topics P + 1, direct P + 2.
_TOPICS_OFFSET: Final = 1
_DIRECT_OFFSET: Final = 2


class ZmqLinks:
    """What carries a node's frames; touched by one thread at a time.

    ``ipc`` maps "control", "topics" and "direct" to the unix sockets to bind, and may be empty;
    ``tcp`` holds the IP addresses to bind, and nothing is bound beyond this machine where it is empty. With
    ``keys`` every connection is encrypted and both ends have proved the secret; the
    ``authenticator``, without which nobody can, must then be given and be driven by somebody.
    Given without keys it keeps out whatever does not speak ZMTP 3. Where ``follow`` is given, it says what ``tcp``
    is to be from then on, whenever the addresses of this machine change.

    Raises:
        ConfigError: keys without an authenticator, or ``tcp`` holds what is no IP address.
        LinkError: an address cannot be bound.
    """

    def __init__(
        self,
        *,
        ipc: Mapping[str, str],
        tcp: Sequence[str],
        port: int | None,
        keys: Keys | None,
        authenticator: Authenticator | None,
        message_bytes: int,
        heartbeat: float,
        silence: float,
        shared_memory: bool = True,
        resolver: Resolver | None = None,
        follow: Callable[[], Sequence[str]] | None = None,
    ) -> None:
        if keys is not None and authenticator is None:
            raise ConfigError("keys need an authenticator: nobody could come in without one")
        try:
            near = near_networks(tcp)
        except ValueError as error:
            raise ConfigError(f"{error}: give the IP addresses of this machine's interfaces") from error
        self._born = generation()
        self._closed = False
        self._moves: Moves | None = None
        self._lookout: Lookout | None = None
        self.bound = Bound((), ())
        self._authenticator = authenticator
        domain = b"" if authenticator is None else b"meshmq-" + secrets.token_hex(8).encode()
        if authenticator is not None:
            authenticator.allow(domain, keys.client_public if keys is not None else None)
        self._domain = domain
        options = Options(
            keys=keys,
            domain=domain,
            message_bytes=message_bytes,
            heartbeat=heartbeat,
            silence=silence,
            shared_memory=shared_memory,
        )
        #: What was dropped off the wire, by reason.
        self.counts: dict[str, int] = {}
        self._sources = Sources()
        self._refusals = Refusals(self.counts, self._sources)
        try:
            self._outside = Outside(options, self._sources, self._refusals, self.counts)
            self._published = Published("control", options, self._sources, self._refusals, self.counts)
            self._topics = Published("topics", options, self._sources, self._refusals, self.counts)
        except zmq.ZMQError as error:
            self._sources.close()
            raise LinkError(f"no socket can be opened: {error.strerror}; raise the limit with ulimit -n") from error
        self._bound_ends = (self._published, self._topics, self._outside)
        self._dials: dict[Connection, Dial] = {}
        names = resolver or process_resolver()
        self._around = Surroundings(options, self._sources, names, near, self.counts, self._forget)
        self._files = [Path(address.removeprefix("ipc://")) for address in ipc.values()]
        try:
            self.bound = self._bind(ipc, tcp, port or 0)
        except BaseException:
            self.close(0)
            raise
        for one in self._bound_ends:
            self._sources.watch(int(one.socket.getsockopt(zmq.FD)), one)
            self._sources.watch(one.door.fileno(), one.ear)
            self._sources.wake(one.ear)
            self._sources.wake(one)  # F 4: binding has touched them
        self._lookout = Lookout((one.door for one in self._bound_ends), self._files, self._sources)
        if tcp and follow is not None:
            ends: dict[LinkName, Published | Outside] = {
                "control": self._published,
                "topics": self._topics,
                "direct": self._outside,
            }
            self._moves = Moves(ends, self.bound, follow, self._sources, self._move)

    def __repr__(self) -> str:
        """Tell the state: how many connections are dialled, came from outside, and are not in yet."""
        waiting = sum(len(one.door) for one in self._bound_ends)
        state = (
            "closed" if self._closed else f"{len(self._dials)} dialled, {len(self._outside)} in, {waiting} at the door"
        )
        return f"<ZmqLinks {state}>"

    def fileno(self) -> int:
        """Return the one descriptor that becomes readable when ``step`` has something to do.

        Raises:
            ForkedError: in a child of the process that made the links; so do all other calls but ``close``.
        """
        check_generation(self._born)
        return self._sources.fileno()

    @property
    def lanes(self) -> int:
        """How many pipes are read from."""
        return self._sources.lanes

    @property
    def deadline(self) -> float | None:
        """The next moment at which ``step`` has something to do without its descriptor saying so."""
        return None if self._closed else self._sources.deadline

    def dial(
        self,
        connection: Connection,
        link: LinkName,
        addresses: Sequence[str],
        subscriptions: Sequence[bytes],
        now: float,
    ) -> None:
        """Begin to connect to whichever of ``addresses`` answers first; see ``Links``.

        Raises:
            ForkedError: in a child of the process that made the links.
        """
        check_generation(self._born)
        if not self._closed:
            self._dials[connection] = Dial(connection, link, addresses, subscriptions, self._around, now)

    def send(self, connection: Connection, frames: Sequence[bytes]) -> bool:
        """Send one message on a direct connection; ``False`` when it is known to have ended.

        Raises:
            ForkedError: in a child of the process that made the links.
        """
        check_generation(self._born)
        if connection & 1:
            return not self._closed and self._outside.send(connection, frames)
        dial = self._dials.get(connection)
        return dial is not None and dial.send(frames)

    def hang_up(self, connection: Connection) -> None:
        """Forget a connection; what was sent on it gets a moment to leave. Unknown ones are ignored.

        Raises:
            ForkedError: in a child of the process that made the links.
        """
        check_generation(self._born)
        if connection & 1:
            self._outside.hang_up(connection)
        elif connection in self._dials:
            self._dials[connection].hang_up()

    def publish(self, frames: Sequence[bytes]) -> None:
        """Publish one message on our control link; the first frame is the topic.

        Raises:
            ForkedError: in a child of the process that made the links.
        """
        check_generation(self._born)
        if not self._closed:
            self._published.publish(frames)

    def spread(self, frames: Sequence[bytes]) -> None:
        """Publish one message on our topics link; see ``Links``.

        Raises:
            ForkedError: in a child of the process that made the links.
        """
        check_generation(self._born)
        if not self._closed:
            self._topics.publish(frames)

    def tune(self, connection: Connection, added: Sequence[bytes], dropped: Sequence[bytes]) -> None:
        """Change the subscriptions of a topics connection that we dialled; see ``Links``.

        Raises:
            ForkedError: in a child of the process that made the links.
        """
        check_generation(self._born)
        dial = self._dials.get(connection)
        if dial is not None:
            dial.tune(added, dropped)

    def step(self, decider: Decider, now: float) -> bool:
        """Hand what has arrived to the decider, at most 256 messages or 2 ms; ``True`` if more is left.

        Raises:
            ForkedError: in a child of the process that made the links.
        """
        check_generation(self._born)
        return not self._closed and self._sources.step(decider, now)

    def close(self, linger: float) -> None:
        """Close everything; libzmq goes on sending for at most ``linger`` seconds, in its own thread.

        In a forked child it does nothing, for what there is to close is the parent's.
        """
        if self._closed or self._born != generation():
            return
        self._closed = True
        linger_ms = max(0, int(linger * 1000))
        for dial in list(self._dials.values()):
            dial.hang_up(linger_ms)
        if self._lookout is not None:
            self._lookout.close()
        if self._moves is not None:
            self._moves.close()
        self._outside.forget()
        for one in self._bound_ends:
            # Not unbound first: that throws away what is on its way, whatever the linger (40 of 100 messages).
            one.door.close()
            one.socket.close(linger=linger_ms)
        let_go([*self.bound.control, *self.bound.topics, *self.bound.direct])
        self._sources.close()
        if self._authenticator is not None:
            self._authenticator.forbid(self._domain)
        for file in self._files:
            with suppress(OSError):
                file.unlink(missing_ok=True)

    def _move(
        self, decider: Decider, addresses: Sequence[str], gone: Collection[str], bound: Bound, now: float
    ) -> None:
        self.bound = bound
        self._around = replace(self._around, near=near_networks(addresses))
        decider.moved(bound.control, bound.topics, bound.direct, now)
        for dial in list(self._dials.values()):
            if dial.local in gone:  # dead, and libzmq would learn it late or never
                dial.hang_up(0)
                decider.ended(dial.connection, now)

    def _forget(self, connection: Connection) -> None:
        self._dials.pop(connection, None)

    def _bind(self, ipc: Mapping[str, str], tcp: Sequence[str], port: int) -> Bound:
        control, topics, direct = self._published.socket, self._topics.socket, self._outside.socket
        for socket, name in ((control, "control"), (topics, "topics"), (direct, "direct")):
            if name in ipc:
                bind_ipc(socket, ipc[name])
        # Known as bound before the next is: what closing lets go of may be asked for again at once.
        self.bound = Bound((*_of(ipc, "control"), *bind_tcp(control, tcp, port)), ())
        to_topics = bind_tcp(topics, tcp, port and port + _TOPICS_OFFSET)
        self.bound = replace(self.bound, topics=(*_of(ipc, "topics"), *to_topics))
        to_direct = bind_tcp(direct, tcp, port and port + _DIRECT_OFFSET)
        return replace(self.bound, direct=(*_of(ipc, "direct"), *to_direct))


def _of(ipc: Mapping[str, str], name: str) -> tuple[str, ...]:
    return (ipc[name],) if name in ipc else ()
