"""The first 64 bytes of a ZMTP 3 connection: enough to tell who answers before ZeroMQ dials it.

libzmq's own report of a failed handshake is vague at the dialling end, and different each time (the
error of a write into a connection that the other end has closed). The greeting says plainly whether
ZMTP is spoken and whether a secret is used (RFC 23: signature, version, mechanism, as-server).
"""

from __future__ import annotations

from typing import Final, Literal

from meshmq.links.base import Reason

GREETING_BYTES: Final = 64

Verdict = Literal["more", "fine"] | Reason

#: Signature and major version: all that a peer needs in order to show its whole greeting.
OPENING: Final = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03"


def remainder(mechanism: bytes) -> bytes:
    """Return what follows ``OPENING``; the filler, which ZMTP ignores, ends a header of HTTP, so that it answers."""
    return b"\x01" + mechanism.ljust(20, b"\0") + b"\0" + b"\r\n\r\n".ljust(31, b"\0")


def judge(received: bytes, mechanism: bytes) -> Verdict:
    """Say what ``received``, the peer's first bytes, mean for us who use ``mechanism``."""
    if (received and received[0] != 0xFF) or (len(received) > 9 and not received[9] & 1):
        return "not_meshmq"
    if len(received) > 10 and received[10] < 3:
        return "not_meshmq"
    if len(received) < GREETING_BYTES:
        return "more"
    theirs = received[12:32].rstrip(b"\0")
    if theirs == mechanism:
        return "fine"
    if mechanism == b"NULL" and theirs == b"CURVE":
        return "secret_needed"
    if mechanism == b"CURVE" and theirs == b"NULL":
        return "no_secret"
    return "not_meshmq"
