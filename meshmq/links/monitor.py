"""What libzmq says about the connections of one socket, and what each saying means.

How a failed handshake shows at the bound and at the dialling end (libzmq 4.3.5; the table is held
by ``tests/links/test_refusals.py``)::

    dialled by                     the bound end sees                    the dialling end sees
    another secret                 FAILED_PROTOCOL cryptographic         FAILED_NO_DETAIL EPIPE, retries
    our server key, other client   FAILED_AUTH 400                       FAILED_AUTH 400
    no secret, we have one         FAILED_PROTOCOL mechanism mismatch    the same, or NO_DETAIL on ipc
    a secret, we have none         FAILED_PROTOCOL mechanism mismatch    the same, or NO_DETAIL on ipc
    a wrong type of socket         DISCONNECTED alone                    DISCONNECTED, or NO_DETAIL
    foreign bytes                  DISCONNECTED alone (in a ZAP domain)  DISCONNECTED, or NO_DETAIL
    connect and close (our race)   FAILED_NO_DETAIL                      -

A FAILED event is followed at once by the DISCONNECTED of the same connection, because a context has
one thread for input and output; only DISCONNECTED and ACCEPTED carry the descriptor.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import zmq

from meshmq.links.base import Reason
from meshmq.links.context import context
from meshmq.links.reader import readable

_names = itertools.count()
_EVENT: Final = struct.Struct("=HI")

FAILED: Final = (
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)

#: What a bound socket tells.
BOUND: Final = (
    FAILED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_ACCEPTED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_LISTENING
    | zmq.EVENT_CLOSED
)
#: What a dialling socket tells.
DIALLED: Final = (
    FAILED | zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED | zmq.EVENT_CONNECT_RETRIED
)


class Monitor:
    """Reads the events of one socket; closed before the socket is [PAINS 52]."""

    def __init__(self, socket: zmq.SyncSocket, events: int) -> None:
        self._watched = socket
        address = f"inproc://meshmq-monitor-{next(_names)}"
        self._pair: zmq.SyncSocket = context().socket(zmq.PAIR)
        self._pair.setsockopt(zmq.LINGER, 0)
        self._pair.setsockopt(zmq.RCVHWM, 0)  # F 34: else one that is not read freezes the whole context
        socket.monitor(address, events)
        self._pair.connect(address)
        self._fileno = int(self._pair.getsockopt(zmq.FD))

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when there are events."""
        return self._fileno

    def events(self) -> Iterator[tuple[int, int]]:
        """Take the events that are there, oldest first, as (event, value), until none is left."""
        # Asked first: nearly always nothing is there, and an exception takes three times as long.
        while not self._pair.closed and readable(self._pair):
            head = self._pair.recv(zmq.DONTWAIT)
            while self._pair.getsockopt(zmq.RCVMORE):
                self._pair.recv(zmq.DONTWAIT)
            if len(head) == _EVENT.size:
                event, value = _EVENT.unpack(head)
                yield event, value

    def close(self) -> None:
        """Stop watching."""
        with suppress(zmq.ZMQError):  # the context has ended before, and everything with it
            self._watched.disable_monitor()
        self._pair.close()


def failure(event: int, value: int, *, secret: bool) -> Reason | None:
    """Say what a FAILED event means for an end that has a ``secret`` or not; ``None`` where it says nothing."""
    if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
        return "wrong_secret" if secret else "not_meshmq"
    if event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
        if value == zmq.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC:
            return "wrong_secret"
        if value == zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
            return "no_secret" if secret else "secret_needed"
        return "not_meshmq"
    return None
