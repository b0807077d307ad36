"""Several small frames of calls in one message of a session: what is asked and answered at once goes together.

::

    BUNDLE = (kind u8 · length u32 · body) · ...

A message of its own costs each end some 30 us, most of it for the socket and the session; a place in a bundle none of
that. What is in it is read as if it had come alone, in this order.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

from meshmq.errors import ProtocolError
from meshmq.wire.frames import KINDS, Kind

#: What may stand in a bundle.
BUNDLED: Final = frozenset({Kind.REQUEST, Kind.ANSWER, Kind.CANCEL, Kind.DEMAND})
_ENTRY: Final = struct.Struct("!BI")
ENTRY_BYTES: Final = _ENTRY.size


def pack_bundle(entries: Iterable[tuple[Kind, bytes]]) -> bytes:
    """Return the body of a BUNDLE."""
    return b"".join(part for kind, body in entries for part in (_ENTRY.pack(kind, len(body)), body))


def unpack_bundle(body: bytes) -> list[tuple[Kind, bytes]]:
    """Read the body of a BUNDLE; its entries are not read yet.

    Raises:
        ProtocolError: it is none.
    """
    entries, at, end = list[tuple[Kind, bytes]](), 0, len(body)
    while at < end:
        if end - at < ENTRY_BYTES:
            raise ProtocolError("a BUNDLE that is cut short")
        code, size = _ENTRY.unpack_from(body, at)
        kind = KINDS.get(code)
        if kind not in BUNDLED:
            raise ProtocolError(f"a BUNDLE with a frame of kind {code}")
        at += ENTRY_BYTES + size
        if at > end:
            raise ProtocolError("a BUNDLE that is cut short")
        entries.append((kind, body[at - size : at]))
    return entries
