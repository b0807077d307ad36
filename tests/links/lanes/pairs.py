"""Two ends of one host with one direct connection, and what both may know of its lane."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from tests.links.ends import End, opened, until

HEAD: Final = b"MQ\2\x13" + bytes(16)
#: So many messages in a row get a lane.
MANY: Final = 40


class Pair:
    """``here`` has dialled ``there``."""

    def __init__(self, stack: ExitStack, folder: Path, *, here: object = True, there: object = True) -> None:
        self.here, self.there = (
            opened(stack, ipc=folder / name, tcp=(), shared_memory=shared)
            for name, shared in (("here", here), ("there", there))
        )
        self.out = self.here.dial(self.there.links.bound.direct)
        self.here.links.send(self.out, [HEAD])
        self.until(lambda: self.there.log.received)
        self.back = self.there.log.received.pop()[0]

    def until(self, condition: Any) -> None:
        until(condition, self.here, self.there)

    def ways(self, *, back: bool) -> tuple[End, int, End]:
        """The end that sends, its connection, and the end that receives."""
        return (self.there, self.back, self.here) if back else (self.here, self.out, self.there)

    def send(self, frames: Sequence[bytes], *, back: bool) -> None:
        source, connection, _ = self.ways(back=back)
        assert source.links.send(connection, frames)

    def carry(self, frames: Sequence[bytes], *, back: bool) -> list[bytes]:
        """Send one message, and return what came."""
        self.send(frames, back=back)
        log = self.ways(back=back)[2].log
        self.until(lambda: log.received)
        return [bytes(frame) for frame in log.received.pop()[1]]

    def get_lane(self, *, back: bool) -> None:
        """Send until the lane is there."""
        for number in range(MANY):
            assert self.carry([HEAD, b"%d" % number], back=back) == [HEAD, b"%d" % number]
        self.until(lambda: lane(*self.ways(back=back)[:2]).taken)


def lane(end: End, connection: int) -> Any:
    """Return what is there for the lane of a connection of an end; ``None`` as long as it is dialled."""
    links: Any = end.links
    near = links._outside._by_connection[connection].near if connection & 1 else links._dials[connection]._near
    return near and near._lane
