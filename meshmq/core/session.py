"""A session: one ordered stream, without loss or repeats, over connections that lie.

It stands between two incarnations. The first frame each way on a connection is HELLO; every later
one of a numbered kind carries its number and the highest number received. What the peer has not
covered is kept and sent again after the next HELLO; the peer drops what it has.

::

             want               HELLO answered            connection gone
    idle ----------> dialling ----------------> up -----------------------> broken
     ^                                          ^                             | |
     |                                          +--- HELLO with our id -------+ |
     +-- BYE · refused · another incarnation · `_patience` without connection --+

A pair has one session: while both dial, the dial of the smaller id stands. ``epoch`` counts the
sessions a pair has had, so that a HELLO that was overtaken by a newer session is seen to be stale.
"""

from __future__ import annotations

from random import Random
from typing import Final

from meshmq.core.line import Host, Line
from meshmq.core.moments import earliest
from meshmq.core.redial import Redial
from meshmq.wire.frames import Hello, Kind

DIAL_LIMIT: Final = 4.0
CROSSED_PAUSE: Final = 0.3
#: How long a peer whose process is there may answer nothing: its interpreter may be held, by a handler for one.
HELD_LIMIT: Final = 15.0


class Session(Line):
    """One session after another with one peer; at most one at a time is ``live``."""

    def __init__(self, me: bytes, peer: bytes, host: Host, random: Random, grace: float) -> None:
        super().__init__(peer, host, grace)
        self.me = me
        self.dialling: int | None = None
        self.name = peer[:4].hex()
        self.addresses: tuple[str, ...] = ()
        self.wanted = False
        self._random = random
        self._redial = Redial(random)
        self._proposed = b""
        #: How often the peer has dialled, as far as it said so in this session.
        self._heard_dials = 0
        self._dialled_at = 0.0
        self._broken_since = 0.0

    def __repr__(self) -> str:
        state = "up" if self.connection is not None else "broken" if self.live else "idle"
        return f"<Session with {self.peer[:4].hex()} {state}, {len(self._stream.kept)} uncovered>"

    @property
    def deadline(self) -> float | None:
        """The next moment at which ``tick`` has something to do."""
        if self.connection is not None:  # of all that a tick asks this is asked most
            cover_at, asks_at = self._stream.cover_at, self._pulse.deadline(self._stream.uncovered_since)
            return asks_at if cover_at is None or asks_at < cover_at else cover_at
        moments: list[float | None] = []
        if self.live:
            moments.append(self._broken_since + self._patience)
        if self.dialling is not None:
            moments.append(self._dialled_at + DIAL_LIMIT)
        elif self.live or self.wanted:
            moments.append(self._redial.at)
        return earliest(*moments)

    @property
    def _patience(self) -> float:
        return HELD_LIMIT if self._host.peer_present(self.peer) else self._grace

    # -- connections -------------------------------------------------------------------------------

    def want(self, now: float) -> None:
        """Ask for a session: dial if there is none and none on its way."""
        self.wanted = True
        if not self.live and self.dialling is None and self._redial.at is None:
            self._redial.want(now)

    def give_up(self) -> None:
        """Want no session any more, where none stands."""
        self.wanted, self._redial.at = False, None
        self._abandon_dial()

    def welcome(self, connection: int, hello: Hello, received: int, now: float) -> None:
        """Answer a HELLO that came from outside."""
        mine_stands = self.dialling is not None and self.me < self.peer
        if hello.session == self.id or hello.resumed:
            if hello.session != self.id:
                self._turn_away(connection, "unknown")
            elif mine_stands or 0 < hello.dial <= self._heard_dials:
                # In the second case it was given up long ago, and what it says of what was received is old.
                self._turn_away(connection, "crossed")
            else:
                self._abandon_dial()
                self._heard_dials = hello.dial
                self._attach(connection, received, now, answer=True)
        elif hello.epoch < self.epoch or (mine_stands and not self.live):
            self._turn_away(connection, "crossed")
        else:
            self.end("the peer began a new session", now)
            self._abandon_dial()
            self.id, self.epoch, self._heard_dials = hello.session, hello.epoch + 1, hello.dial
            self._attach(connection, 0, now, answer=True)
            self._host.session_up(self, now)

    def answered(self, connection: int, hello: Hello, received: int, now: float) -> None:
        """Take the HELLO that answers our dial."""
        if connection != self.dialling or hello.session != self._proposed:
            return
        self.dialling = None
        self._redial.succeeded()
        if hello.node_id != self.peer:
            self._forget(connection)
            self.end("another incarnation answered", now)
            return
        new = not self.live
        if new:
            self.id, self.epoch = hello.session, hello.epoch
        self._heard_dials = hello.dial if new else max(self._heard_dials, hello.dial)
        self._attach(connection, received, now)
        if new:
            self._host.session_up(self, now)

    def bye(self, connection: int, reason: str, epoch: int, now: float) -> None:
        """Take a BYE on one of our connections."""
        if connection == self.dialling:
            self.dialling = None
            self._forget(connection)
            if reason == "crossed":
                stale = epoch > self.epoch and not self.live and not self._redial.struck(now)
                self._redial.at = now + (0.0 if stale else CROSSED_PAUSE)
                if stale:
                    self._redial.strike(now)  # once: a peer that is always ahead does not make us run
                self._broken_since = now
                self.epoch = max(self.epoch, epoch)
            else:
                self.end(f"the peer said {reason}", now)
                self._redial.failed()
                self._plan_dial(now)
        elif connection == self.connection:
            self._redial.strike(now)
            self.end(f"the peer said {reason}", now)

    def refused(self, connection: int, gone: bool, now: float) -> None:
        """Learn that a dial failed; ``gone`` when nobody listens there any more."""
        if connection != self.dialling:
            return
        self._host.connections.pop(connection, None)
        self.dialling = None
        self._redial.failed()
        if gone and self.live:
            self.end("the peer is gone", now, told=False)
        self._plan_dial(now)

    def ended(self, connection: int, now: float) -> None:
        """Learn that a connection is gone."""
        if connection == self.connection:
            self._break(now)
        elif connection == self.dialling:
            self.refused(connection, False, now)

    # -- ends --------------------------------------------------------------------------------------

    def close(self, now: float, reason: str = "left") -> None:
        """Say goodbye and end."""
        if self.connection is not None:
            self._say_bye(self.connection, reason)
            self._host.connections.pop(self.connection, None)
            self.connection = None
        self._abandon_dial()
        self.wanted = False
        self.end(f"we said {reason}", now)

    def expel(self, reason: str, now: float) -> None:
        """End the session through the peer's fault, and its connection."""
        connection = self.connection
        self._redial.strike(now)
        self.close(now, reason)
        if connection is not None:
            self._host.outputs.append(("hang_up", connection))

    def end(self, reason: str, now: float, *, told: bool = True) -> None:
        """End the session, if one is live; what was not covered is given up.

        A peer that was not ``told`` may hold it for live and wait for us, so we dial it once more.
        """
        if not self.live:
            return
        if self.connection is not None:
            self._forget(self.connection)
        self._abandon_dial()
        self.id, self.connection, self._redial.at = None, None, None
        self.wanted = not told
        self._reset()
        self._plan_dial(now)
        self._host.session_ended(self, reason, now)

    # -- time --------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Do what is due: cover, ping, drop, dial, give up."""
        if self.connection is not None:
            if self._stream.cover_at is not None and now >= self._stream.cover_at:
                self._send(Kind.COVER)
            if now >= self._pulse.deadline(self._stream.uncovered_since):
                if self._pulse.doubtful:
                    self._break(now)
                else:
                    self._pulse.ask(now)
                    self._send(Kind.PING)
        elif self.live and now >= self._broken_since + self._patience:
            self.end(f"no connection for {self._patience:g} s", now, told=False)
        if self.dialling is not None and now >= self._dialled_at + DIAL_LIMIT:
            self._abandon_dial()
            self._redial.failed()
            self._plan_dial(now)
        due = self._redial.at is not None and now >= self._redial.at
        if self.connection is None and self.dialling is None and due:
            self._dial(now)

    def _dial(self, now: float) -> None:
        self._redial.at = None
        if not self.live and not self.wanted:
            return
        connection = self._host.dial_direct(self, now)
        if connection is None:
            self._redial.failed()
            self._plan_dial(now)
            return
        self.dialling, self._dialled_at = connection, now
        self.dials += 1
        self._host.connections[connection] = self
        self._proposed = self.id or self._random.randbytes(8)
        self._say_hello(connection, self._proposed, resumed=self.live)

    def _plan_dial(self, now: float) -> None:
        if self.live or self.wanted:
            self._redial.plan(now)

    def _attach(self, connection: int, received: int, now: float, *, answer: bool = False) -> None:
        self._redial.at = None
        self._take_over(connection, received, now, answer=answer)
        self._host.connections[connection] = self

    def _break(self, now: float) -> None:
        if self.connection is not None:
            self._forget(self.connection)
        self.connection = None
        self._pulse.calm()
        self._stream.cover_at = None
        self._broken_since = now
        self._redial.at_once(now)

    def _abandon_dial(self) -> None:
        if self.dialling is not None:
            self._forget(self.dialling)
            self.dialling = None
