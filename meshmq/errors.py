"""Every error a user can meet, in one tree.

::

    MeshError
    ├── ConfigError (ValueError)      a name, setting or secret that cannot be used
    │   └── NameInvalid               a name that cannot be a name
    ├── EncodeError (ValueError)      data that would not come back equal; says where it stands
    │   └── MessageTooLarge           data over the limit on one message
    ├── TimedOut (TimeoutError)       the time given to a call is over
    ├── NoPeersError                  nobody is there to take what was offered, or to serve what was asked
    ├── NotUnique                     a job with an id that was given before
    ├── AmbiguousPeer                 several nodes bear the name that was to mean one
    ├── PeerLost                      the server of a request is gone; says whether it may have run
    ├── RequestRefused                a server has no room for a request, and has not run it
    ├── RemoteError                   the handler of a request failed; carries what it raised, as text
    ├── ClosedError                   the node or receiver is closed
    │   └── ForkedError               the node belongs to the parent process
    ├── Overflowed                    a subscription that was to be cut off when it had no more room
    ├── InUseError                    a receiver that is already used in another way
    ├── LinkError (OSError)           an address or directory that cannot be opened
    ├── JournalError                  a journal that cannot be opened, or cannot keep what it is given
    ├── Undelivered                   leaving with jobs that nobody has confirmed
    ├── DecodeError (ValueError)      bytes that are not ours (remote blame; counted, never raised into a loop)
    │   └── ProtocolError             frames that break the protocol (remote blame)
    └── WouldBlock                    inside MeshMQ only: a call that never waits would have to wait
"""

from __future__ import annotations


class MeshError(Exception):
    """The root of everything MeshMQ raises."""

    #: How many jobs ``push_many`` had pushed before it raised this: the first ones. ``None`` elsewhere.
    pushed: int | None = None


class ConfigError(MeshError, ValueError):
    """A name, setting, address or secret cannot be used."""


class NameInvalid(ConfigError):
    """A text cannot be the name of a node, mesh, queue, topic or service."""


class EncodeError(MeshError, ValueError):
    """The data cannot be sent, because it would not come back equal.

    ``path`` says where the value stands, as in ``data["a"][3]``.
    """

    def __init__(self, sentence: str, path: str = "data") -> None:
        super().__init__(sentence)
        self.path = path


class MessageTooLarge(EncodeError):
    """The encoded data is larger than one message may be (``size`` and ``limit`` in bytes)."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"the message has {size:,} bytes and one message may have {limit:,}: "
            "send it in parts, or raise Settings(message_bytes=...) on every node"
        )
        self.size = size
        self.limit = limit

    def __reduce__(self) -> tuple[type[MessageTooLarge], tuple[int, int]]:
        return type(self), (self.size, self.limit)


class TimedOut(MeshError, TimeoutError):
    """The time given to a call is over; nothing was taken and nothing half done."""


class NoPeersError(MeshError):
    """Nobody has taken from a full queue for ``settings.patience`` seconds, or serves a name within the time given."""


class NotUnique(MeshError):
    """A job with the id given as ``unique=`` was pushed before; nothing was pushed. ``left`` is seconds."""

    def __init__(self, unique: str, queue: str, left: float) -> None:
        super().__init__(
            f"a job {unique!r} was pushed to {queue!r} before: it is not pushed again for {left:,.1f} s "
            "(unique_window= of the queue)"
        )
        self.unique, self.queue, self.left = unique, queue, left

    def __reduce__(self) -> tuple[type[NotUnique], tuple[str, str, float]]:
        return type(self), (self.unique, self.queue, self.left)


class AmbiguousPeer(MeshError):
    """Several nodes bear the name given as ``to=``: say it by the id (``name``; ``ids`` in hex)."""

    def __init__(self, name: str, ids: tuple[str, ...]) -> None:
        super().__init__(f"{len(ids)} nodes are named {name!r}: give to= the id of one of them, {', '.join(ids)}")
        self.name, self.ids = name, ids

    def __reduce__(self) -> tuple[type[AmbiguousPeer], tuple[str, tuple[str, ...]]]:
        return type(self), (self.name, self.ids)


class PeerLost(MeshError):
    """The server of a request is gone and has not answered; ``may_have_run`` is false where it never got it."""

    def __init__(self, sentence: str, may_have_run: bool = True) -> None:
        super().__init__(sentence)
        self.may_have_run = may_have_run

    def __reduce__(self) -> tuple[type[PeerLost], tuple[str, bool]]:
        return type(self), (str(self), self.may_have_run)


class RequestRefused(MeshError):
    """No server that is here takes the request, and none has run it (``reason`` in a word, as ``overloaded``)."""

    def __init__(self, sentence: str, reason: str) -> None:
        super().__init__(sentence)
        self.reason = reason

    def __reduce__(self) -> tuple[type[RequestRefused], tuple[str, str]]:
        return type(self), (str(self), self.reason)


class RemoteError(MeshError):
    """The handler of a request failed.

    ``kind`` is the name of the exception's class there, ``message`` its text, ``traceback`` its stack as
    text and ``node`` the name of the node it ran on. Nothing of it is executed here.
    """

    def __init__(self, kind: str, message: str, traceback: str = "", node: str = "") -> None:
        super().__init__(f"{kind} on {node or 'a peer'}" + (f": {message}" if message else ""))
        self.kind, self.message, self.traceback, self.node = kind, message, traceback, node

    def __reduce__(self) -> tuple[type[RemoteError], tuple[str, str, str, str]]:
        return type(self), (self.kind, self.message, self.traceback, self.node)


class ClosedError(MeshError):
    """The node or receiver is closed; ``__cause__`` says why where it broke."""


class ForkedError(ClosedError):
    """The node was made before ``fork`` and belongs to the parent process."""


class Overflowed(MeshError):
    """A subscription with ``overflow="disconnect"`` had no more room; ``missed`` is what it missed until now."""

    def __init__(self, what: str, missed: int) -> None:
        super().__init__(
            f"the subscription to {what} had no more room and missed {missed:,} messages: subscribe anew, "
            "with more capacity= or by latest=True, or take them faster"
        )
        self.what, self.missed = what, missed

    def __reduce__(self) -> tuple[type[Overflowed], tuple[str, int]]:
        return type(self), (self.what, self.missed)


class InUseError(MeshError):
    """A receiver is either iterated or decorated; the second use is refused."""


class LinkError(MeshError, OSError):
    """An address or a directory cannot be opened."""


class JournalError(MeshError):
    """A journal cannot be opened, or cannot keep what it was given.

    ``reason`` is a word: ``locked``, ``full``, ``failed`` (the disk), ``damaged``, ``read-only``, ``version``,
    ``name`` (it is another node's), ``unusable`` (what it was given) or ``withdrawn`` (a staged row that is gone).
    """

    def __init__(self, sentence: str, reason: str) -> None:
        super().__init__(sentence)
        self.reason = reason

    def __reduce__(self) -> tuple[type[JournalError], tuple[str, str]]:
        return type(self), (str(self), self.reason)


class Undelivered(MeshError):
    """A node was left while jobs were not confirmed.

    ``queues`` maps each queue to ``(unsent, unconfirmed)``; ``unsent`` and ``unconfirmed`` are the
    sums: jobs that never left this process, and jobs that a worker was given and did not confirm.
    """

    def __init__(self, queues: dict[str, tuple[int, int]]) -> None:
        self.queues = dict(queues)
        self.unsent = sum(unsent for unsent, _ in queues.values())
        self.unconfirmed = sum(unconfirmed for _, unconfirmed in queues.values())
        names = ", ".join(repr(queue) for queue in sorted(queues))
        jobs = "job was" if self.unsent == 1 else "jobs were"
        super().__init__(
            f"{self.unsent:,} {jobs} not sent and {self.unconfirmed:,} not confirmed in {names}: "
            "start a worker that pulls there, or give close() a longer timeout"
        )

    def __reduce__(self) -> tuple[type[Undelivered], tuple[dict[str, tuple[int, int]]]]:
        return type(self), (self.queues,)


class DecodeError(MeshError, ValueError):
    """Bytes cannot be read back; the blame is the sender's."""


class ProtocolError(DecodeError):
    """A frame breaks the protocol; the blame is the sender's."""


class WouldBlock(MeshError):
    """A call that never waits would have to wait. Never reaches a user."""
