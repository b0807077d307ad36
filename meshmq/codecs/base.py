"""The contract of a codec: values to bytes and back, equal and of the same types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from types import NoneType
from typing import Final, Protocol

from meshmq.errors import EncodeError

#: Containers in containers: the most levels that one value may have, at both ends.
DEPTH: Final = 64

#: Arrays of this many bytes travel in a frame of their own, smaller ones in the body.
LARGE_BYTES: Final = 64 * 1024

#: More than this many members of one set (or keys of one dict) with the same hash are refused, at both ends:
#: whoever picks such keys makes a table of n members cost n * n comparisons.
SAME_HASH: Final = 32


#: What MessagePack gives back as it was.
PLAIN: Final = frozenset({NoneType, bool, int, float, str, bytes})

#: What a large buffer is: bytes, or a view of them that keeps them where they are.
Buffer = bytes | memoryview


class Codec(Protocol):
    """Values to bytes and back. One codec serves all threads at once."""

    @property
    def name(self) -> str:
        """The word under which nodes tell each other which codec they speak."""

    def encode(self, data: object, *, copy: bool = True) -> tuple[bytes, tuple[Buffer, ...]]:
        """Return the body and, in the order in which it refers to them, the large buffers.

        All of it is copied before the call returns: the caller may write to its buffers again. Without ``copy`` large
        buffers are not: they are given away, and arrays are read-only from then on.

        Raises:
            EncodeError: ``data`` would not come back equal and of the same types; ``.path`` says where.
            MessageTooLarge: body and buffers together are over the limit.
        """

    def encode_plain(self, data: object) -> bytes | None:
        """Return the body of ``data`` where that is all there is of it; ``None`` where only ``encode`` can say.

        Raises:
            MessageTooLarge: the body is over the limit.
        """

    def decode(self, body: bytes | memoryview, buffers: Sequence[Buffer] = ()) -> object:
        """Return the value; arrays are read-only views on ``buffers``.

        Raises:
            DecodeError: these bytes are none that ``encode`` returns. Nothing else is raised for any bytes.
        """

    def decode_row(self, row: bytes | memoryview, count: int, longest: int) -> list[object] | None:
        """Return the values of ``count`` bodies that stand one after another, at once; ``None`` where that cannot be.

        No body is of more than ``longest`` bytes. A body that is none makes it ``None``, too: then each is decoded
        alone, and told apart.
        """


def check_hashes(members: Sequence[object], refuse: Callable[[str], Exception]) -> None:
    """Raise what ``refuse`` makes of the reason where too many members have one hash.

    Raises:
        TypeError: a member has no hash.
    """
    if len(members) > SAME_HASH:
        most = max(Counter(map(hash, members)).values())
        if most > SAME_HASH:
            raise refuse(f"has {most:,} members or keys with one hash, and {SAME_HASH} may have: send a list of them")


class Refused(Exception):
    """Why a value cannot be encoded, gathering the way to it while it rises through the containers."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.steps: list[str] = []

    def within(self, step: str) -> None:
        """Note that the value stood at ``step`` of a container."""
        self.steps.append(step)

    def member(self, role: str) -> None:
        """Note that the value stood where no step leads: among the keys of a dict or in a set."""
        self.reason = f"{role} that {self.reason}"
        self.steps.clear()

    def error(self) -> EncodeError:
        """Return what the user is told."""
        path = "data" + "".join(reversed(self.steps))
        return EncodeError(f"{path} {self.reason}", path)
