"""What can be tuned, with its defaults, in one frozen dataclass."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final, Literal

from meshmq.errors import ConfigError

_MIB: Final = 1024 * 1024
_DAY: Final = 86_400

#: The most that a number, and a span, may be: whatever is counted up with them stays below what fits on the wire.
COUNT_LIMIT: Final = 2**40
SPAN_LIMIT: Final = 10**9
#: Fields with bounds of their own: lengths on the wire have 32 bits, and so have libzmq's milliseconds.
_LIMITS: Final = {"message_bytes": 2048 * _MIB, "heartbeat": _DAY, "silence": _DAY}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything about a node that is neither its name nor its whereabouts.

    Spans are seconds as float, sizes bytes.

    Raises:
        ConfigError: a field has a value that cannot be used.
    """

    outbox_jobs: int = 100_000
    """Jobs a queue's outbox holds before ``push`` waits."""

    outbox_bytes: int = 64 * _MIB
    """Bytes of jobs a queue's outbox holds before ``push`` waits; one job larger than this is let in when alone."""

    subscriber_messages: int = 10_000
    """Messages that wait for the user of a subscription (``capacity=`` of ``subscribe``) before it drops some."""

    subscriber_bytes: int = 64 * _MIB
    """Bytes of such messages; one message larger than this is let in when alone."""

    message_bytes: int = 64 * _MIB
    """The largest encoded value of one message, at the sender and at the receiver."""

    drain: float = 5.0
    """How long leaving waits after the last progress."""

    patience: float = 30.0
    """How long ``push`` waits on a full queue that nobody pulls before it raises ``NoPeersError``."""

    settle: float = 1.5
    """How long a young node waits for answers from the LAN before it calls discovery settled."""

    request_timeout: float = 5.0
    """How long a request, or one item of a stream, may take where the call says nothing else."""

    request_backlog: int = 10_000
    """Requests of one service that wait here to be begun; further ones are refused, and go elsewhere."""

    request_bytes: int = 64 * _MIB
    """Bytes of requests of one service that wait here, and of answers that are kept; a larger one is let in alone."""

    reply_cache: int = 1_000
    """Answers kept for idempotent requests that come again, each for twice as long as its caller waits, and 10 s."""

    backoff: float = 0.1
    """The first pause before a job that was refused (nack) is offered again; it doubles, with jitter."""

    backoff_limit: float = 30.0
    """The longest such pause."""

    dead_jobs: int = 10_000
    """Dead letters of one queue that are kept; the oldest go, and are counted."""

    dead_bytes: int = 64 * _MIB
    """Bytes of such letters."""

    unique_ids: int = 100_000
    """Ids given with ``unique=`` that a queue remembers at most; the oldest are forgotten first."""

    journal_sync: Literal["full", "normal"] = "full"
    """What durable jobs outlive: ``"full"`` a loss of power, too; ``"normal"``, which is quicker, the process."""

    prefetch_work: float = 0.1
    """Seconds of work a worker asks for ahead (Little's law: jobs = rate x seconds)."""

    prefetch_jobs: int = 10_000
    """The most jobs a worker asks for ahead."""

    prefetch_bytes: int = 16 * _MIB
    """The most bytes a worker asks for ahead; one larger job is let in when alone."""

    custody: int = 10_000
    """Jobs of one queue that were handled here while what was made of them is not yet safe; no more are taken then."""

    heartbeat: float = 1.0
    """Seconds between heartbeats on the control link, by which a process that stands still is told from one at rest."""

    silence: float = 4.0
    """Seconds without a heartbeat after which a neighbour's control link is cut (at least 2 x ``heartbeat``)."""

    shared_memory: bool = True
    """Whether large values lie in memory that both ends read, and what is frequent goes through a pipe instead of a
    socket, where a peer on this host can (Linux, same user; a pipe only where the two meet by a unix socket)."""

    grace: float = 1.0
    """How long a session lives without a connection, and a peer without its subscription."""

    first_word: float = 5.0
    """After how long a waiting call first says in the log what it waits for; then every 30 s."""

    slow_handler: float = 5.0
    """After how long at work a handler is named in the log, then every 30 s; if all are, the node is stalled."""

    peers: int = 10_000
    """The most peers a roster holds; more are refused and counted."""

    tap: bool | None = None
    """Whether who taps a name gets copies: ``None`` of what passes here as a device, ``True`` also of jobs and requests
    that come to this node itself, ``False`` of nothing."""

    def __post_init__(self) -> None:
        if not (self.tap is None or isinstance(self.tap, bool)):
            raise ConfigError(f"Settings(tap={self.tap!r}): it is True, False or None")
        if not isinstance(self.shared_memory, bool):
            raise ConfigError(f"Settings(shared_memory={self.shared_memory!r}): it is True or False")
        if self.journal_sync not in ("full", "normal"):
            raise ConfigError(f"Settings(journal_sync={self.journal_sync!r}): it is 'full' or 'normal'")
        for field in fields(self):
            if field.name in ("tap", "journal_sync", "shared_memory"):
                continue
            value = getattr(self, field.name)
            wanted = int if field.type == "int" else int | float
            if not isinstance(value, wanted) or isinstance(value, bool) or not 0 < value < float("inf"):
                raise ConfigError(f"Settings({field.name}={value!r}): it is a positive {field.type}")
            most = _LIMITS.get(field.name, COUNT_LIMIT if wanted is int else SPAN_LIMIT)
            if value > most:
                raise ConfigError(f"Settings({field.name}={value!r}): it is at most {most:,}")
        if self.silence < 2 * self.heartbeat:
            raise ConfigError(
                f"Settings(silence={self.silence!r}): it is at least twice heartbeat={self.heartbeat!r}, "
                "or living peers are cut"
            )
