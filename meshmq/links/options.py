"""Every option of every ZeroMQ socket, in one place; libzmq's defaults are wrong for us in most [F 9]."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import zmq

from meshmq.links.context import context
from meshmq.links.security import Keys

_HOUR_MS: Final = 3_600_000
_CONTROL_BYTES: Final = 1 << 20
#: A batch has about 64 KiB, and a larger value goes over the direct link.
_TOPICS_BYTES: Final = 1 << 20
#: Published frames that wait in libzmq for one subscriber, at each end.
_BEHIND: Final = 1000
_SUBSCRIPTION_BYTES: Final = 4096
#: Heads of frames and what CURVE adds come on top of the largest value.
_HEADROOM: Final = 1 << 16
#: Messages that wait in libzmq for one peer: eight times what the window of a session lets through.
UNREAD: Final = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the sockets of one node are made with."""

    keys: Keys | None
    #: The ZAP domain of what this node binds; empty where nobody is asked who may come in.
    domain: bytes
    message_bytes: int
    heartbeat: float
    silence: float
    #: Whether large values are lent to who can read memory of this process, and borrowed.
    shared_memory: bool = True

    @property
    def frame_bytes(self) -> int:
        """The most bytes of one frame of a direct connection."""
        return self.message_bytes + _HEADROOM

    def control_server(self) -> zmq.SyncSocket:
        """Return the XPUB on which this node publishes and hears who subscribes."""
        socket = self._server(zmq.XPUB)
        socket.setsockopt(zmq.XPUB_VERBOSER, 1)  # F 5: every subscriber counts, coming and going
        socket.setsockopt(zmq.RCVHWM, 0)  # F 20: subscriptions obey the high-water mark
        socket.setsockopt(zmq.SNDHWM, 1000)  # cards and beats: who is a thousand of them behind has gone
        socket.setsockopt(zmq.MAXMSGSIZE, _SUBSCRIPTION_BYTES)  # what comes in are subscriptions
        self._heartbeat(socket)
        return socket

    def control_client(self, subscriptions: Iterable[bytes]) -> zmq.SyncSocket:
        """Return the SUB that hears one peer; libzmq reconnects it."""
        socket = self._client(zmq.SUB)
        # With 1 libzmq throws away, when the other end closes, what has arrived and was not read: the goodbye.
        socket.setsockopt(zmq.IMMEDIATE, 0)
        socket.setsockopt(zmq.SNDHWM, 0)  # F 20
        socket.setsockopt(zmq.RCVHWM, 0)
        socket.setsockopt(zmq.RECONNECT_IVL, 100)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1000)  # F 36
        socket.setsockopt(zmq.MAXMSGSIZE, _CONTROL_BYTES)
        # No heartbeat: libzmq aborts where one falls due on a SUB that takes nothing more, because its pipe is full
        # [F 33] or it is being closed, and whose other end has gone (16 of 30 processes of ten nodes that left
        # together). The bound end has one, and what it withdraws is how each misses the other.
        for subscription in subscriptions:
            socket.setsockopt(zmq.SUBSCRIBE, subscription)
        return socket

    def topics_server(self) -> zmq.SyncSocket:
        """Return the XPUB on which this node spreads what it publishes, and hears who subscribes to what."""
        socket = self._server(zmq.XPUB)
        socket.setsockopt(zmq.XPUB_VERBOSER, 1)  # F 5
        socket.setsockopt(zmq.RCVHWM, 0)  # F 20: of all subscriptions of a newcomer none may be lost
        # Batches, of 64 KiB at most: a subscriber that is so far behind loses, which the numbers in them tell.
        socket.setsockopt(zmq.SNDHWM, _BEHIND)
        socket.setsockopt(zmq.MAXMSGSIZE, _SUBSCRIPTION_BYTES)  # what comes in are subscriptions
        return socket  # without a heartbeat: behind a queue of batches it would cut who is merely slow [F 16]

    def topics_client(self, subscriptions: Iterable[bytes]) -> zmq.SyncSocket:
        """Return the SUB that hears what one peer publishes; libzmq reconnects it."""
        socket = self._client(zmq.SUB)
        # With 1 libzmq throws away, when the other end closes, what has arrived and was not read.
        socket.setsockopt(zmq.IMMEDIATE, 0)
        socket.setsockopt(zmq.SNDHWM, 0)  # F 20
        socket.setsockopt(zmq.RCVHWM, _BEHIND)  # then TCP holds the publisher's end up, which drops: memory is bounded
        socket.setsockopt(zmq.RECONNECT_IVL, 100)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1000)  # F 36
        socket.setsockopt(zmq.MAXMSGSIZE, _TOPICS_BYTES)
        # No heartbeat: with a full pipe it aborts the process [F 33].
        for subscription in subscriptions:
            socket.setsockopt(zmq.SUBSCRIBE, subscription)
        return socket

    def direct_server(self) -> zmq.SyncSocket:
        """Return the ROUTER to which peers open sessions; it makes up an id for every connection [F 14]."""
        socket = self._server(zmq.ROUTER)
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)  # F 14: never a silent drop
        self._direct(socket)
        return socket

    def direct_client(self) -> zmq.SyncSocket:
        """Return the DEALER of one session that we dial; libzmq never reconnects it [F 35, 43]."""
        socket = self._client(zmq.DEALER)
        socket.setsockopt(zmq.IMMEDIATE, 0)
        # Not -1, which would do the same: with it libzmq throws away what had arrived before the
        # connection ended and was not yet read (11 of 12 goodbyes). We close the socket long before.
        socket.setsockopt(zmq.RECONNECT_IVL, _HOUR_MS)
        self._direct(socket)
        return socket

    def _server(self, kind: int) -> zmq.SyncSocket:
        socket = _plain(kind)
        socket.setsockopt(zmq.BACKLOG, 1024)
        if self.keys is not None:
            socket.setsockopt(zmq.CURVE_SERVER, 1)
            socket.setsockopt(zmq.CURVE_SECRETKEY, self.keys.server_secret)
        if self.domain:
            socket.setsockopt(zmq.ZAP_DOMAIN, self.domain)
            socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)  # F 17: without a handler nobody comes in
        return socket

    def _client(self, kind: int) -> zmq.SyncSocket:
        socket = _plain(kind)
        if self.keys is not None:
            socket.setsockopt(zmq.CURVE_SERVERKEY, self.keys.server_public)
            socket.setsockopt(zmq.CURVE_PUBLICKEY, self.keys.client_public)
            socket.setsockopt(zmq.CURVE_SECRETKEY, self.keys.client_secret)
        return socket

    def _direct(self, socket: zmq.SyncSocket) -> None:
        # Sessions bound what is on its way; no heartbeat, which a large frame would trip [F 16].
        # What is answered without a number (COVER, BYE) they do not: whoever asks for it and never reads is cut off.
        socket.setsockopt(zmq.SNDHWM, UNREAD)
        socket.setsockopt(zmq.RCVHWM, 1000)  # who sends faster than we read waits: nothing is lost
        socket.setsockopt(zmq.MAXMSGSIZE, self.frame_bytes)  # F 18

    def _heartbeat(self, socket: zmq.SyncSocket) -> None:
        # No HEARTBEAT_TTL [F 24].
        socket.setsockopt(zmq.HEARTBEAT_IVL, max(1, int(self.heartbeat * 1000)))
        socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, max(1, int((self.silence - self.heartbeat) * 1000)))


def _plain(kind: int) -> zmq.SyncSocket:
    socket: zmq.SyncSocket = context().socket(kind)
    socket.setsockopt(zmq.LINGER, 0)  # F 9, 44: what is left of the drain is set at close
    socket.setsockopt(zmq.CONNECT_TIMEOUT, 1000)  # F 36
    socket.setsockopt(zmq.HANDSHAKE_IVL, 3000)
    socket.setsockopt(zmq.TCP_MAXRT, 10_000)
    socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, 30)
    socket.setsockopt(zmq.TCP_KEEPALIVE_INTVL, 10)
    socket.setsockopt(zmq.TCP_KEEPALIVE_CNT, 3)
    return socket
