"""Large messages as they come, in chunks."""

from __future__ import annotations

from typing import Final

from meshmq.errors import ProtocolError
from meshmq.wire.chunks import split_message, unpack_chunk
from meshmq.wire.frames import Kind

#: Smaller chunks are put together as they come: what is kept of each costs more than they hold.
PIECE_BYTES: Final = 4096
TRANSFER_EXTRA: Final = 256 * 1024


class Assembly:
    """What has come of the large messages of one session, at most so many at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        #: Since when each comes, and what has come of it.
        self._arriving: dict[int, tuple[float, int, list[bytearray | memoryview]]] = {}

    def add(self, body: memoryview, limit: int, now: float) -> tuple[Kind, list[bytes], float] | None:
        """Add a chunk; returns the message it completes, and for how long that came.

        Raises:
            ProtocolError: it does not continue what came, or is larger than a message may be.
        """
        transfer, offset, total, data = unpack_chunk(body)
        if not total:
            self._arriving.pop(transfer, None)
            return None
        if total > limit + TRANSFER_EXTRA:
            raise ProtocolError(f"a message of {total:,} bytes, and one may have {limit:,}")
        if offset == 0 and transfer not in self._arriving and len(self._arriving) < self._most:
            self._arriving[transfer] = now, 0, []
        began, came, pieces = self._arriving.get(transfer, (now, -1, []))
        if came != offset:
            raise ProtocolError("a chunk that does not continue what came before")
        if len(data) >= PIECE_BYTES:
            pieces.append(data)
        elif pieces and isinstance(pieces[-1], bytearray):
            pieces[-1] += data
        else:
            pieces.append(bytearray(data))
        if came + len(data) < total:
            self._arriving[transfer] = began, came + len(data), pieces
            return None
        del self._arriving[transfer]
        return *split_message(*pieces), now - began
