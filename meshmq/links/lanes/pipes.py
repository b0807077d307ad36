"""The two ends of a pipe that messages go through one way, as sources: who reads has made it, who writes finds it.

Nothing is listened on and nothing has a name: who writes opens the descriptor of the process that reads, in ``/proc``,
which the system allows the same user (and root) only. What was written stays readable when the writer dies, and a
reader that takes nothing holds the writer up as a socket would.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final

from meshmq.codecs.base import Buffer
from meshmq.errors import ProtocolError
from meshmq.links.base import Decider
from meshmq.links.forks import tell_in_child
from meshmq.links.options import UNREAD
from meshmq.links.poller import WRITE
from meshmq.links.reader import MOST_FRAMES
from meshmq.links.sources import Source, Sources
from meshmq.wire.lanes import Laid, LaneReader, pack_message

try:
    import fcntl
    import resource
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # the fallback of an import

#: Where a pipe can be found by another process: on Linux.
CROSSES: Final = hasattr(fcntl, "F_SETPIPE_SZ") and hasattr(os, "pipe2")
#: What a pipe holds at first, and once it was full: a stream of jobs goes 1.2 times as fast through the wider one.
PIPE_BYTES: Final = 1 << 17
WIDE_BYTES: Final = 1 << 20
#: So many of a node are wide at once. The system grants a user 64 MiB for all pipes, and beyond that every program of
#: that user has pipes of two pages.
_WIDE_LANES: Final = 8
#: What is read at a time.
PIECE: Final = 1 << 16
#: So many times before others have their turn: a frame of 60 MB took 90 ms.
_READS: Final = 4
#: More than any session has under way beside one frame: who leaves so much unread asks for what is not numbered.
_UNDER_WAY: Final = 1 << 25
#: What a full pipe and what was read of it hold of the smallest messages, in rounds of so many.
_QUOTA: Final = 64
_LAST: Final = (WIDE_BYTES + 2 * PIECE) // 25 // _QUOTA + 1
#: Parts that one call writes; the system takes 1,024.
_PARTS: Final = 256

#: Takes one message that has come.
Take = Callable[[list[bytes], Decider, float], None]
#: Ends the connection through the peer's fault, which is counted.
ThrowOut = Callable[[str, Decider, float], None]


class Inlet(Source):
    """The end that reads, and until the peer has opened it the other one, too; ``most`` bounds a frame's bytes."""

    def __init__(self, sources: Sources, take: Take, throw_out: ThrowOut, most: int) -> None:
        """Make a pipe.

        Raises:
            OSError: there is none to be had, or half of the descriptors are in use.
        """
        self._sources = sources
        self._take, self._throw_out = take, throw_out
        self._messages = LaneReader(most, MOST_FRAMES)
        self._fileno, self._other = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        tell_in_child(self._let_go)
        try:
            _look_after(self._other)
            self.laid: Final = Laid(os.getpid(), self._other, os.fstat(self._other).st_ino)
        except BaseException:
            self._let_go()
            raise
        _widen(self._fileno, PIPE_BYTES)

    def begin(self) -> None:
        """Read from now on: the peer has opened it."""
        if self._other >= 0:
            other, self._other = self._other, -1  # first: who forks meanwhile has it closed no more
            os.close(other)
            self._sources.lanes += 1
            self._sources.watch(self._fileno, self)
            self._sources.wake(self)

    def drain(self, decider: Decider, now: float, quota: int) -> int:
        """Hand on what has come."""
        taken, reads, more = 0, 0, self._other < 0
        try:
            while self._fileno >= 0:
                frames = self._messages.message()
                if frames is not None:
                    taken += 1
                    self._take(frames, decider, now)
                    if taken == quota:
                        break
                elif more and reads == _READS:
                    return quota
                elif more:
                    reads += 1
                    more = self._read()
                else:
                    break
        except ProtocolError:  # no peer of ours: the session goes on over a fresh connection
            self._throw_out("garbled", decider, now)
        return taken

    def finish(self, decider: Decider, now: float) -> None:
        """Hand on what has come up to now."""
        for _ in range(_LAST):
            if self.drain(decider, now, _QUOTA) < _QUOTA:
                return

    def close(self) -> None:
        """Read nothing more. Twice is once."""
        if self._fileno >= 0:
            self._sources.unwatch(self._fileno)
            self._sources.lanes -= self._other < 0
            self._let_go()

    def _read(self) -> bool:
        """Read once; whether there may be more."""
        try:
            data = os.read(self._fileno, PIECE)
        except BlockingIOError:
            return False
        if data:
            self._messages.feed(data)
        else:  # who wrote has gone; the connection tells of it
            self._sources.unwatch(self._fileno)
        return len(data) == PIECE

    def _let_go(self) -> None:
        filenos, self._fileno, self._other = (self._fileno, self._other), -1, -1
        for fileno in filenos:
            if fileno >= 0:
                os.close(fileno)


class Outlet(Source):
    """The end that writes; what the pipe has no room for waits here. ``most`` bounds a frame's bytes."""

    def __init__(self, sources: Sources, laid: Laid, throw_out: ThrowOut, most: int) -> None:
        """Open what the peer has laid.

        Raises:
            OSError: it is not there for us: of another user, in another container, or closed again.
        """
        self._sources, self._throw_out, self._most = sources, throw_out, most + _UNDER_WAY
        #: What is left to write, and how many bytes that is.
        self._left: deque[Buffer] = deque()
        self._bytes = 0
        self._wide = False
        #: Why the connection is to end, once that is so: nothing more is written.
        self._fault = ""
        self._fileno = _find(laid)
        tell_in_child(self._let_go)

    def send(self, frames: Sequence[bytes]) -> None:
        """Write one message, or as much of it as there is room for; the rest follows."""
        if self._fault or self._fileno < 0:
            return
        parts: Sequence[Buffer] = pack_message(frames)
        if not self._left:
            parts = self._write(parts)
            if not parts:
                return
            self._sources.watch(self._fileno, self, WRITE)
        elif self._bytes > self._most or len(self._left) > 2 * UNREAD:
            self._give_up("unread")
            return
        self._left.extend(parts)
        self._bytes += sum(map(len, parts))

    def drain(self, decider: Decider, now: float, quota: int) -> int:
        """Write what was left; one who takes nothing of so much is cut off, and the session goes on afresh."""
        if self._fault and self._fileno >= 0:
            self._throw_out(self._fault, decider, now)
        self._go_on()
        return 0

    def close(self) -> None:
        """Write nothing more than there is room for; nobody waits here for more. Twice is once."""
        self._go_on()
        if self._fileno >= 0:
            self._sources.unwatch(self._fileno)
            self._sources.wide_lanes -= self._wide
            self._let_go()
        self._left.clear()

    def _go_on(self) -> None:
        while self._left and self._fileno >= 0 and not self._fault:
            parts = [self._left.popleft() for _ in range(min(len(self._left), _PARTS))]
            rest = self._write(parts)
            self._left.extendleft(reversed(rest))
            self._bytes += sum(map(len, rest)) - sum(map(len, parts))
            if rest:
                return
            if not self._left:
                self._sources.unwatch(self._fileno)

    def _write(self, parts: Sequence[Buffer]) -> tuple[Buffer, ...]:
        """Write what there is room for, and return the rest."""
        try:
            written = os.writev(self._fileno, parts)
        except BlockingIOError:
            written = 0
        except OSError:  # no memory: what came after would come too early
            self._give_up("unwritten")
            return ()
        if written == sum(map(len, parts)):
            return ()
        rest = tuple(_after(parts, written))
        if self._wide or self._sources.wide_lanes >= _WIDE_LANES:
            return rest
        self._wide = True
        self._sources.wide_lanes += 1
        _widen(self._fileno, WIDE_BYTES)
        return self._write(rest)

    def _give_up(self, why: str) -> None:
        self._fault = why
        self._sources.wake(self)

    def _let_go(self) -> None:
        fileno, self._fileno = self._fileno, -1
        if fileno >= 0:
            os.close(fileno)


def _find(laid: Laid) -> int:
    path = f"/proc/{laid.process}/fd/{laid.descriptor}"
    found = os.open(path, os.O_PATH | os.O_CLOEXEC)  # only looked at: it may be anything yet
    try:
        about = os.fstat(found)
        if not stat.S_ISFIFO(about.st_mode) or about.st_ino != laid.inode:
            raise OSError(f"{path} is another one")
        _look_after(found)
        # To be read, too: then it has a reader whoever goes, and no write is ever answered with SIGPIPE, which ends
        # processes that have made it so. That the peer has gone is told by the socket.
        return os.open(f"/proc/self/fd/{found}", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    finally:
        os.close(found)


def _widen(fileno: int, size: int) -> None:
    with suppress(OSError):  # more than the system grants: it stays as it is
        fcntl.fcntl(fileno, fcntl.F_SETPIPE_SZ, size)


def _look_after(fileno: int) -> None:
    """See that descriptors are left for what needs them more than a lane does.

    Raises:
        OSError: half of them are in use.
    """
    if fileno > resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2:
        raise OSError(errno.EMFILE, "no more lanes: half of the descriptors are in use")


def _after(parts: Iterable[Buffer], written: int) -> Iterable[Buffer]:
    for part in parts:
        if written < len(part):
            yield memoryview(part)[written:] if written else part
        written = max(written - len(part), 0)
