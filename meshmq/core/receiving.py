"""Takes what direct connections bring: who may speak, what is new, and what has to be done after it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from meshmq.core.meeting import Meeting
from meshmq.core.session import Session
from meshmq.core.stream import COVER_AFTER
from meshmq.errors import ProtocolError
from meshmq.wire.bundles import BUNDLED, unpack_bundle
from meshmq.wire.frames import (
    HEAD_BYTES,
    Hello,
    Kind,
    VersionMismatch,
    pack_bye,
    pack_head,
    unpack_bye,
    unpack_head,
    unpack_hello,
)

#: What is read and done with: no tick has to follow, which asks all others whether they have something to do.
QUIET: Final = BUNDLED | {Kind.BUNDLE}


class Receiving(Meeting):
    """A node that listens to its peers."""

    def receive(self, connection: int, frames: Sequence[bytes], now: float) -> None:
        """Take one message of a direct connection."""
        if self.presence.card.state == "left":
            return  # we have said goodbye, and have no sessions any more that it could belong to
        if self.deadline is not None and now > self.deadline:  # else there is nothing to notice, and so it is mostly
            self._notice(now)
        session = self.connections.get(connection)
        taken = quiet = False
        try:
            kind, number, received = unpack_head(frames[0])
            body = frames[0][HEAD_BYTES:] if kind is not Kind.CHUNK else b""
            if kind is Kind.HELLO:
                self._hear_hello(connection, session, unpack_hello(body), received, now)
            elif session is None and kind is Kind.BYE:  # its card said goodbye, and came first
                self.outputs.append(("hang_up", connection))
            elif session is None:
                self._turn_away(connection, "unknown")  # a session that we have ended, if it is one of ours
                raise ProtocolError("a frame before HELLO")
            elif kind is Kind.BYE:
                session.bye(connection, *unpack_bye(body), now)
            elif session.accept(connection, kind, number, received, sum(map(len, frames)), now):
                taken = True
                if kind is Kind.CHUNK:
                    if not self._awaits(session.peer):  # only jobs are large, and they need credit
                        raise ProtocolError("a part of a large message, and it was granted nothing")
                    whole = session.assemble(memoryview(frames[0])[HEAD_BYTES:], self.settings.message_bytes, now)
                    if whole is not None:
                        self._read(session.peer, *whole, now)
                elif kind is Kind.BUNDLE:
                    for each, part in unpack_bundle(body):
                        self._read(session.peer, each, [part], now)
                else:
                    self._read(session.peer, kind, [body, *frames[1:]], now)
                if session.heaped and session.crowded:
                    session.expel("slow", now)
                else:
                    quiet = kind in QUIET
        except VersionMismatch as error:
            self._send_foreign_away(connection, session, now, taken=taken)
            self.presence.tell_refused("version", "a caller", str(error.version))
        except ProtocolError as error:
            self._send_foreign_away(connection, session, now, taken=taken)
            self.counts["foreign frames"] += 1
            if self.counts["foreign frames"] in (1, 10, 100, 1_000, 10_000):
                who = session.name if session else "a stranger"
                self.say(logging.WARNING, "meshmq.links", f"dropped a frame of {who}: {error}")
        if quiet and session is not None and not self.eased and self._at_rest():
            if session.hasty or self.deadline is None or self.deadline > now + COVER_AFTER:
                self._soon_of(session)
        else:
            self.eased, self.deadline = False, now

    def _hear_hello(self, connection: int, session: Session | None, hello: Hello, received: int, now: float) -> None:
        if hello.mesh != self.presence.card.mesh:
            self.presence.tell_refused("mesh", hello.name, hello.mesh)
            self._turn_away(connection, "mesh")
        elif session is not None and connection % 2 == 0:
            session.answered(connection, hello, received, now)
        elif session is not None:
            raise ProtocolError("a second HELLO on one connection")
        elif hello.node_id == self.node_id or connection % 2 == 0:
            self.outputs.append(("hang_up", connection))
        elif hello.node_id not in self.sessions and len(self.sessions) >= self.settings.peers:
            self._turn_away(connection, "busy")
        else:
            self._session(hello.node_id).welcome(connection, hello, received, now)

    def _turn_away(self, connection: int, reason: str) -> None:
        self.outputs.append(("send", connection, [pack_head(Kind.BYE, 0, 0) + pack_bye(reason)]))
        self.outputs.append(("hang_up", connection))

    def _send_foreign_away(self, connection: int, session: Session | None, now: float, *, taken: bool) -> None:
        """Part with a connection that brought bytes which are none of ours.

        A frame that was *taken* would not come again in the same session, and what was in it is not
        done: the session ends, so that both ends know. Before that the connection alone is to blame.
        """
        if session is not None:
            session.expel("protocol", now) if taken else session.ended(connection, now)
        if not taken:
            self.outputs.append(("hang_up", connection))

    # -- what those who know more make of it -------------------------------------------------------

    def _read(self, peer: bytes, kind: Kind, frames: Sequence[bytes], now: float) -> None:
        """Take what a session brought, whole and in order."""
        raise NotImplementedError

    def _awaits(self, peer: bytes) -> bool:
        """Whether a peer may send anything that is large."""
        raise NotImplementedError

    def _at_rest(self) -> bool:
        """Whether what was read leaves nothing to do but to wake somebody."""
        raise NotImplementedError
