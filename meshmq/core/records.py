"""What a node asks its journal to keep, and what the journal gives back when the node comes again: plain values.

The participant gives out changes in order, the journal takes them in that order; who waits for one is told when it
is on disk. Ids are what they are on the wire: origin and number. Moments are the node's own clock's in its hands, and
the wall clock's (seconds since 1970) in the journal's, for no other clock outlives a process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from meshmq.codecs.base import Buffer
from meshmq.fate import ORDINARY, Fate
from meshmq.wire.headers import Headers


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedJob:
    """A job as it was pushed."""

    queue: str
    body: bytes
    pushed: float
    buffers: tuple[Buffer, ...] = ()
    headers: Headers | None = None
    fate: Fate = ORDINARY
    #: The only node that is to do it.
    to: str | None = None
    #: Jobs of one key are done in order, by one worker at a time.
    key: str | None = None
    #: The user's own id of it.
    unique: str | None = None
    #: Nobody is to begin it earlier.
    due: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredJob(PushedJob):
    """A job with its id, and how often it has failed since."""

    origin: bytes
    number: int
    failures: int = 0
    #: Whether the node that pushed it had it in its own hands: where that has ended, the job may be what ended it.
    taken: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged(PushedJob):
    """A job that a user's own transaction has left in the journal's file; it has no id yet."""

    row: int


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter: a job that nobody is to try again by itself, why, and since when."""

    job: StoredJob
    reason: str
    died: float


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A published message; numbers count from 1 within an epoch of its topic."""

    topic: str
    epoch: int
    seq: int
    body: bytes
    published: float
    buffers: tuple[Buffer, ...] = ()
    headers: Headers | None = None


# -- changes ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Keep:
    """Keep a job; one of that id which is there already, dead or not, is replaced."""

    job: StoredJob
    #: The staged row it is made of, which goes when the job comes, at once; if the row is gone, nothing is kept.
    staged: int | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """Forget the jobs, or dead letters, of an origin with the numbers ``first`` to ``last``; some may be unknown."""

    origin: bytes
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Failed:
    """Note how often a job has failed, and when it is due again."""

    origin: bytes
    number: int
    failures: int
    due: float | None


@dataclass(frozen=True, slots=True)
class Taken:
    """Note that jobs ``first`` to ``last`` are in the hands of the node that pushed them, or are not any more."""

    origin: bytes
    first: int
    last: int
    taken: bool


@dataclass(frozen=True, slots=True)
class Bury:
    """Keep a dead letter; the job of that id, if it is there, is one no more."""

    letter: Letter


@dataclass(frozen=True, slots=True)
class Claim:
    """Keep a user's own id of a job until ``until``; ``until`` in the past forgets it."""

    queue: str
    unique: str
    until: float


@dataclass(frozen=True, slots=True)
class SetAside:
    """Leave a staged row where it is and make no job of it, for a reason."""

    staged: int
    reason: str


@dataclass(frozen=True, slots=True)
class Tell:
    """Keep a published message."""

    message: StoredMessage


@dataclass(frozen=True, slots=True)
class Forget:
    """Forget what was published to a topic before number ``below`` of its epoch, and what is of any other epoch.

    How far the topic is stays known.
    """

    topic: str
    below: int


Change = Keep | Done | Failed | Taken | Bury | Claim | SetAside | Tell | Forget


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a journal holds when it is opened."""

    #: In the order in which they were kept.
    jobs: Sequence[StoredJob] = ()
    letters: Sequence[Letter] = ()
    #: Until when the user's own ids are taken, by queue and id.
    claims: Mapping[tuple[str, str], float] = field(default_factory=dict)
    #: By topic, the lowest number first.
    messages: Sequence[StoredMessage] = ()
    #: How far each topic is, also where nothing of it is kept: epoch and highest number.
    heads: Mapping[str, tuple[int, int]] = field(default_factory=dict)
