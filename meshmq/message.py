"""What the user receives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol, Self, Unpack

from meshmq.blame import reason_of
from meshmq.fate import JobOptions


class Delivery(Protocol):
    """What a message knows of its delivery; shared by the jobs of one batch."""

    queue: str
    attempt: int

    def identity(self, index: int) -> tuple[bytes, int]:
        """Return the origin and number of the job at ``index``."""

    def seq(self, index: int) -> int:
        """Return the number of the message at ``index`` among all of its queue or topic."""

    def topic(self, index: int) -> str:
        """Return the topic of the message at ``index``, "" where it has none."""

    def gap(self, index: int) -> int:
        """Return how many messages before the one at ``index`` were missed."""

    def sender(self) -> str:
        """Return the name of the node that sent it."""

    def via(self) -> str:
        """Return the name of the device that it came through, "" where it came directly."""

    def age(self) -> float:
        """Return the seconds since the job was pushed."""

    def headers(self, index: int) -> dict[str, str]:
        """Return the headers of the job at ``index``."""

    def say(
        self, index: int, *, acked: bool, delay: float | None = None, reason: str = "", final: bool = False
    ) -> None:
        """Take an ack or nack, which may be ``final``; a second one is ignored."""

    def extend(self) -> None:
        """Renew the lease, if there is one."""

    def keep(self, index: int) -> None:
        """Have the message at ``index`` confirmed by word alone."""

    def push(self, messages: Sequence[Message], queue: str, data: object, **options: Any) -> Any:
        """Push what was made of messages, as the node's face does."""


class Message:
    """One job in the hands of one worker, or what was published to a topic: ``data`` and where it comes from.

    Asking the receiver for the next message acks this one. ``with message:`` acks on leaving, and
    nacks on an exception, which it lets through.
    """

    # Receivers make it attribute by attribute: 0.06 us, where an ``__init__`` takes 0.13.
    __slots__ = ("_delivery", "_index", "data")
    data: Any
    _delivery: Delivery
    _index: int

    def __repr__(self) -> str:
        again = f", attempt {self.attempt}" if self.redelivered else f", gap {self.gap}" if self.gap else ""
        return f"<Message {self.seq} of {self.topic or self.queue!r} from {self.sender}{again}>"

    @property
    def topic(self) -> str:
        """The topic it was published to; "" for a job that was pushed."""
        return self._delivery.topic(self._index)

    @property
    def gap(self) -> int:
        """How many messages of this topic and publisher were missed right before it: lost, or dropped here."""
        return self._delivery.gap(self._index)

    @property
    def queue(self) -> str:
        """The queue it was pushed to; "" for what was published."""
        return self._delivery.queue

    @property
    def id(self) -> str:
        """The job's identity, the same in every delivery: its origin and number."""
        origin, number = self._delivery.identity(self._index)
        return f"{origin.hex()}-{number:x}"

    @property
    def seq(self) -> int:
        """Its number among all that this sender pushed into this queue, or published to this topic, from 1."""
        return self._delivery.seq(self._index)

    @property
    def attempt(self) -> int:
        """Which delivery this is, from 1; what a worker gave back unbegun does not count."""
        return self._delivery.attempt

    @property
    def redelivered(self) -> bool:
        """Whether it may have been run before, here or elsewhere."""
        return self._delivery.attempt > 1

    @property
    def sender(self) -> str:
        """The name of the node that pushed it."""
        return self._delivery.sender()

    @property
    def via(self) -> str:
        """The name of the device that it came through; "" where it came directly."""
        return self._delivery.via()

    @property
    def age(self) -> float:
        """Seconds since it was pushed: in the sender's hands, half the round trip, and here (monotonic clocks)."""
        return self._delivery.age()

    @property
    def headers(self) -> dict[str, str]:
        """What was sent beside the data."""
        return self._delivery.headers(self._index)

    def ack(self) -> None:
        """Confirm that the job is done. Never waits; a second ack or nack is ignored."""
        self._delivery.say(self._index, acked=True)

    def nack(self, delay: float | None = None, *, reason: str = "") -> None:
        """Give the job back as failed; it is offered again after ``delay`` seconds (default: backoff).

        ``reason`` stands in the dead letter, should it become one. Never waits; a second ack or nack is ignored.
        """
        self._delivery.say(self._index, acked=False, delay=delay, reason=reason)

    def reject(self, *, reason: str = "") -> None:
        """Give the job back as one that can never be done: it is a dead letter at once, with ``reason``.

        Whatever ``max_attempts`` says; a nack is for what may go well another time. Never waits; a second word is
        ignored.
        """
        self._delivery.say(self._index, acked=False, reason=reason, final=True)

    def push(
        self,
        queue: str,
        data: object,
        *,
        headers: Mapping[str, str] | None = None,
        also: Sequence[Message] = (),
        timeout: float | None = None,
        to: str | None = None,
        **options: Unpack[JobOptions],
    ) -> None:
        """Push what was made of this job, and join the two: this one is confirmed when that one is safe.

        Go on as always: by asking for the next, by ``ack``, by returning from a handler. The job then leaves the
        worker's hands, and stays with its pusher, until all that was made of it is confirmed. At most
        ``settings.custody`` jobs of a queue are in that state; no more are taken then. Should this node be lost
        before, the job comes again elsewhere, and what is made of it then bears the same ids: whoever
        remembers them drops the repeats. So what a worker makes should depend on the job alone.

        ``also`` are further jobs of this node that it was made of: all of them wait. Waits, like ``Node.push``,
        only while the outbox of ``queue`` is full. A job that was given back before is not joined any more.
        ``options`` are as for ``Node.push``.

        Raises:
            ConfigError: this one, or one of ``also``, is no job that the same node pulled.
            EncodeError, TimedOut, NoPeersError, AmbiguousPeer, ClosedError: as ``Node.push``.
        """
        self._delivery.push((self, *also), queue, data, headers=headers, timeout=timeout, to=to, **options)

    def hold(self) -> None:
        """Keep the job when the next is asked for: it is in custody until ``ack`` or ``nack``. Never waits.

        For what needs several jobs before it can do anything: a batch, a join. What is held counts for
        ``settings.custody``, and goes back when its receiver, or its loop, is left. A lease on it runs on until
        ``ack``, ``nack`` or ``extend``: a job that is held and forgotten goes to another worker.

        Raises:
            ConfigError: it is no job, or was confirmed or given back before.
        """
        self._delivery.keep(self._index)

    def extend(self) -> None:
        """Renew the lease on the job from now on; one without a lease needs none. Never waits.

        When a lease has run out the job is another worker's: what is said of it here counts no more.
        """
        self._delivery.extend()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.ack()
        else:
            self.nack(reason=reason_of(error))


class AsyncMessage(Message):
    """A ``Message`` of an ``AsyncNode``."""

    __slots__ = ()

    async def push(  # type: ignore[override]  # awaited, as every call of this face is that may wait
        self,
        queue: str,
        data: object,
        *,
        headers: Mapping[str, str] | None = None,
        also: Sequence[Message] = (),
        timeout: float | None = None,
        to: str | None = None,
        **options: Unpack[JobOptions],
    ) -> None:
        """Push what was made of this job, and join the two; see ``Message.push``. Cancelled, it has pushed nothing.

        Raises:
            ConfigError: this one, or one of ``also``, is no job that the same node pulled.
            EncodeError, TimedOut, NoPeersError, AmbiguousPeer, ClosedError: as ``AsyncNode.push``.
        """
        await self._delivery.push((self, *also), queue, data, headers=headers, timeout=timeout, to=to, **options)


class Outlet(Protocol):
    """The face of a node: what its messages are, and how it pushes what was made of them."""

    @property
    def _messages(self) -> type[Message]: ...

    def _push_made(
        self,
        made_of: Any,
        queue: str,
        data: object,
        *,
        headers: Mapping[str, str] | None,
        timeout: float | None,
        to: str | None,
        **options: Unpack[JobOptions],
    ) -> Any: ...
