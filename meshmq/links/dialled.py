"""One connection that we dial: first the race, then ZeroMQ, until it is refused, ends, or is hung up.

Its socket is its own, so what arrives there can only come from that peer. libzmq keeps a control
or topics connection up by itself; a direct one is never reconnected, because what libzmq loses on
the way only the session above can know [F 35, 43].
"""

from __future__ import annotations

from collections.abc import Sequence
from errno import EAGAIN, ETIMEDOUT
from typing import Final

import zmq

from meshmq.links.base import Connection, Decider, LinkName, Reason
from meshmq.links.held import Held
from meshmq.links.monitor import DIALLED, FAILED, Monitor, failure
from meshmq.links.near import STARTS as NEAR
from meshmq.links.near import Near
from meshmq.links.race import LOOK, Lost, Race
from meshmq.links.reader import Reader, readable, send
from meshmq.links.shared.host import is_dialled_here
from meshmq.links.sources import Ear
from meshmq.links.subscriptions import Subscriptions
from meshmq.links.surroundings import Surroundings
from meshmq.wire.frames import MAGIC

#: The end of a connection is told by libzmq a moment before the last frames are readable.
_TAIL: Final = 0.01
_FAREWELL_MS: Final = 500


class Dial:
    """One dialled connection; a source."""

    def __init__(
        self,
        connection: Connection,
        link: LinkName,
        addresses: Sequence[str],
        subscriptions: Sequence[bytes],
        surroundings: Surroundings,
        now: float,
    ) -> None:
        self.connection = connection
        self.link = link
        self.closed = False
        self._subscriptions = Subscriptions(subscriptions)
        self._around = surroundings
        self._address = ""
        #: The address of this machine that it goes out by, once that is known.
        self.local = ""
        self._socket: zmq.SyncSocket | None = None
        self._fileno = -1
        self._reader: Reader | None = None
        self._near: Near | None = None
        self._monitor: Monitor | None = None
        self._ear = Ear(self._listen)
        self._held = Held()
        self._stands = False
        self._heard = False
        self._verdict: Reason | None = None
        self._verify_at: float | None = None
        self._ends: float | None = None
        self._probe: Race | None = None
        #: A neighbour is nearly always there: it is dialled without a race, which tells what is wrong if something is.
        self._straight = link == "control" and not surroundings.options.keys and [a[:4] for a in addresses] == ["ipc:"]
        self._race: Race | None = None
        if self._straight:
            self._address = addresses[0]
            surroundings.sources.wake(self)
        else:
            self._race = self._start_race(addresses, now)

    def send(self, frames: Sequence[bytes]) -> bool:
        """Send one message, or hold it until the race is won; ``False`` when the connection has ended."""
        if self.closed or self.link != "direct":
            return False
        if self._socket is None:
            return self._hold(frames)
        try:
            if self._near is not None and not self._near.send(frames):
                return True
        except zmq.Again:
            pass  # its pipe has gone: the monitor says why, and what had arrived is read first
        if readable(self._socket):  # F 4
            self._around.sources.wake(self)
        return True

    def tune(self, added: Sequence[bytes], dropped: Sequence[bytes]) -> None:
        """Subscribe to what is new, in this order, then withdraw what was subscribed."""
        if self.link == "topics":
            self._subscriptions.tune(self._socket, added, dropped)
            if self._socket is not None and readable(self._socket):  # F 4
                self._around.sources.wake(self)

    def hang_up(self, linger_ms: int = _FAREWELL_MS) -> None:
        """Close it; what was sent gets a moment to leave."""
        self.closed = True
        self._verify_at = None
        self._around.forget(self.connection)
        self._held.take()
        if self._race is not None:
            self._race.close()
            self._race = None
        self._drop_probe()
        self._close_socket(linger_ms)

    def drain(self, decider: Decider, now: float, quota: int) -> int:
        """Go on with the race, the handshake, and what has arrived."""
        if self._verify_at is not None and now >= self._verify_at:
            self._verify_at = None
            self._drop_probe()
            self._race = self._start_race([self._address], now)
        if self._race is not None:
            self._run(self._race, decider, now)
        elif self._straight and self._socket is None and not self.closed:
            self._connect(self._address, self._address, decider, now)
        taken = 0
        while taken < quota and self._reader is not None and not self.closed:
            frames = self._reader.message()
            if frames is None:
                break
            taken += 1
            self._take(frames, self._reader.overlong, decider, now)
            if self._socket is not None and not readable(self._socket):  # an exception takes longer than to ask
                break
        if self._ends is not None and now >= self._ends and taken < quota and not self.closed:
            if self._near is not None:
                self._near.finish(decider, now)
            if not self.closed:
                self.hang_up(0)
                decider.ended(self.connection, now)
        return 0 if self.closed else taken

    def _start_race(self, addresses: Sequence[str], now: float) -> Race:
        around = self._around
        return Race(
            addresses,
            self,
            around.sources,
            resolver=around.resolver,
            mechanism=b"NULL" if around.options.keys is None else b"CURVE",
            near=around.near,
            now=now,
        )

    def _run(self, race: Race, decider: Decider, now: float) -> None:
        outcome = race.advance(now)
        if outcome is None:
            return
        self._race = None
        if isinstance(outcome, Lost):
            race.close()
            self._refuse(outcome.reason, outcome.address, decider, now)
        elif self._verdict is not None:
            race.close()
            self._refuse(self._verdict, outcome.address, decider, now)
        else:
            self._probe, self.local = race, outcome.local
            self._connect(outcome.address, outcome.endpoint, decider, now)

    def _connect(self, address: str, endpoint: str, decider: Decider, now: float) -> None:
        options, sources = self._around.options, self._around.sources
        self._address = address
        try:
            if self.link == "direct":
                made = options.direct_client()
                ways = (lambda frames: send(made, frames)), self._hand_on, self._throw_out
                here, neighbour = is_dialled_here(endpoint, self.local), endpoint.startswith("ipc://")
                self._near = Near(self.connection, *ways, options, sources, here=here, neighbour=neighbour)
            elif self.link == "control":
                made = options.control_client(self._subscriptions)
            else:
                made = options.topics_client(self._subscriptions)
            self._socket, self._reader = made, Reader(made)
            self._monitor = Monitor(made, DIALLED)
            made.setsockopt(zmq.IPV6, int(endpoint.startswith("tcp://[")))
            made.connect(endpoint)
        except zmq.ZMQError:  # no descriptors left [F 21]
            self._refuse("unreachable", address, decider, now)
            return
        self._fileno = int(made.getsockopt(zmq.FD))
        sources.watch(self._fileno, self)
        sources.watch(self._monitor.fileno(), self._ear)
        for frames in self._held.take():
            send(made, frames)
        sources.wake(self)  # F 4: both descriptors were touched
        sources.wake(self._ear)
        if not self._straight:
            decider.reached(self.connection, address, now)

    def _listen(self, decider: Decider, now: float) -> None:
        for event, value in self._monitor.events() if self._monitor is not None else ():
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._stands = True
                self._drop_probe()
                if self._straight:
                    decider.reached(self.connection, self._address, now)
                if self.link == "topics":  # where nothing may ever be published; from here on libzmq reconnects it
                    self._forget_monitor()
            elif event & FAILED:
                self._fail(event, value, decider, now)
            elif event == zmq.EVENT_DISCONNECTED and self._stands:
                if self._ends is None:
                    self._ends = now + _TAIL
                    self._around.sources.later(self, self._ends)
            elif self._straight and not self._stands:
                self._look_first(now)
            elif event == zmq.EVENT_DISCONNECTED:
                self._refuse("not_meshmq", self._address, decider, now)
            elif not self._stands:  # it closed its door between the race and now
                self._refuse("refused", self._address, decider, now)
            if self.closed or self._monitor is None:
                return

    def _fail(self, event: int, value: int, decider: Decider, now: float) -> None:
        secret = self._around.options.keys is not None
        reason = failure(event, value, secret=secret)
        if reason is not None:
            self._refuse(reason, self._address, decider, now)
        elif value in (EAGAIN, ETIMEDOUT):
            self._refuse("unreachable", self._address, decider, now)
        elif self._straight:
            self._look_first(now)
        else:
            # It hung up on our handshake. If it still greets us, what we said was wrong; else it has gone.
            self._verdict = "wrong_secret" if secret else "not_meshmq"
            self._close_socket(0)
            self._verify_at = now + LOOK
            self._around.sources.later(self, self._verify_at)

    def _look_first(self, now: float) -> None:
        self._straight = False
        self._close_socket(0)
        self._race = self._start_race([self._address], now)

    def _take(self, frames: list[bytes], overlong: bool, decider: Decider, now: float) -> None:
        if overlong:
            self._throw_out("overlong", decider, now)
        elif self.link == "topics":
            decider.overhear(self.connection, frames, now)
        elif self.link == "control":
            if not self._heard:
                self._heard = True
                self._forget_monitor()
            decider.hear(self.connection, frames, now)
        elif not self._heard and frames[0][: len(MAGIC)] != MAGIC:
            self._count("foreign")
            self._refuse("not_meshmq", self._address, decider, now)
        else:
            self._heard = True
            self._hand_on(frames, decider, now)

    def _hand_on(self, frames: list[bytes], decider: Decider, now: float) -> None:
        if frames[0][:4] in NEAR and self._near is not None:
            self._near.take(frames, decider, now)
        else:
            decider.receive(self.connection, frames, now)

    def _throw_out(self, why: str, decider: Decider, now: float) -> None:
        self._count(why)
        self.hang_up(0)
        decider.ended(self.connection, now)

    def _refuse(self, reason: Reason, address: str, decider: Decider, now: float) -> None:
        self.hang_up(0)
        decider.refused(self.connection, reason, address, now)

    def _hold(self, frames: Sequence[bytes]) -> bool:
        if self._held.add(frames):
            return True
        self._count("unheld")
        self.hang_up(0)
        return False

    def _drop_probe(self) -> None:
        if self._probe is not None:
            self._probe.close()
            self._probe = None

    def _close_socket(self, linger_ms: int) -> None:
        self._forget_monitor()
        if self._near is not None:
            self._near.close()
        if self._socket is not None:
            self._around.sources.unwatch(self._fileno)
            # The others send nothing but subscriptions. Where their peer has gone they would hold up our exit for that.
            self._socket.close(linger=linger_ms if self.link == "direct" else 0)
            self._socket = self._reader = None

    def _forget_monitor(self) -> None:
        if self._monitor is not None:
            self._around.sources.unwatch(self._monitor.fileno())
            self._monitor.close()
            self._monitor = None

    def _count(self, what: str) -> None:
        self._around.counts[what] = self._around.counts.get(what, 0) + 1
