"""What a receiver takes from: the contract between receivers and the three patterns.

A receiver knows how to wait, to loop, and to give what it takes to a handler, once for threads
(``faces/receiving.py``) and once for tasks (``faces/aio_receiving.py``). What it takes from stands
behind two protocols. A pattern implements both and nothing else, and never waits:

- a ``Supply`` is what one receiver takes from: a queue, some patterns of topics, a service. It is made
  at the verb (``node.pull(...)``), where the node may not be open yet; so it only checks and remembers,
  and takes effect in ``open``: at once, or when the node opens.
- a ``Taker`` is one user of it: one loop, one place of a handler, or all who share ``receive``. It takes
  items one after the other, and has at most the last one in hand.

Queues are the first implementation: ``pulling.Jobs`` and ``consumer.Consumer``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any, Protocol, TypeVar

from meshmq.core.participant import Participant
from meshmq.links.engine import Engine
from meshmq.waiting import Wish

ItemT = TypeVar("ItemT")


class Taker(Protocol[ItemT]):
    """One user of a supply. Its owner holds it; the node knows it weakly, and it leaves when it is dropped.

    Taking has three steps, so that no stranger's code runs inside the gate: ``advance`` takes inside it,
    ``open_one`` decodes outside; ``next_nowait`` is both, for who need not wait, and may know a quicker way.
    """

    #: It takes nothing more, and what it had in hand was given back.
    left: bool

    def next_nowait(self) -> ItemT:
        """Be done with the item before and return the next.

        Raises:
            WouldBlock: none is here; more were asked for.
            ClosedError: the node is closed, or the supply, or the taker has left or ended.
        """

    def quickly(self) -> Iterator[ItemT]:
        """Yield what can be had after ``next_nowait`` without the gate; may be nothing."""

    def advance(self) -> Any:
        """Be done with the item before and take the next; inside the gate, and the caller flushes.

        Returns what ``open_one`` takes.

        Raises:
            WouldBlock: none is here; more were asked for.
            ClosedError: as ``next_nowait``.
        """

    def advance_many(self, limit: int) -> Any:
        """As ``advance``, at most ``limit`` items at once. Returns what ``open_many`` takes.

        Raises:
            WouldBlock, ClosedError: as ``advance``.
        """

    def open_one(self, taken: Any) -> ItemT | None:
        """Make an item of what ``advance`` took, outside the gate; ``None`` where it cannot be decoded."""

    def open_many(self, taken: Any) -> list[ItemT]:
        """Make items of what ``advance_many`` took; may be empty."""

    def settle(self) -> None:
        """Be done with what is in hand without asking for more; outside the gate. On a closed node do nothing."""

    def rest(self) -> None:
        """Say that nobody asks just now (a wait timed out or was cancelled); outside the gate."""

    def end(self) -> None:
        """Take nothing new: what is in hand stays, what is only fetched goes back; from anywhere.

        Who asks next is done with what is in hand, and is told ``ClosedError``; who waits is woken for that.
        """

    def leave(self) -> None:
        """Give back what is in hand without a word on it, and take nothing more; from anywhere, ``__del__`` too."""


class Supply(Protocol[ItemT]):
    """What one receiver takes from; see the module. A receiver holds its own, and so does the node until it is closed.

    ``open``, ``close`` and ``waits`` are called inside the gate.
    """

    @property
    def key(self) -> Hashable:
        """The line of the waiting room in which takers wait for an item.

        Receivers whose supplies have equal keys share what they take from (a queue, a service); with the
        last of them it is closed. A supply that is a receiver's alone (a subscription) has a key of its own.
        """

    @property
    def title(self) -> str:
        """What it is, for words, logs and ``repr``: ``queue 'jobs'``."""

    @property
    def answers(self) -> bool:
        """Whether somebody waits for what a handler returns, or yields."""

    def open(self, engine: Engine, participant: Participant) -> None:
        """Take effect on a node that opens, or is open; remembers both.

        Called once more, with others, where the opening failed after it. The caller flushes.

        Raises:
            ConfigError: it cannot (there is no room for one more name on the card).
        """

    def close(self) -> None:
        """End, with the last receiver of its key: takers have left. The caller wakes who waits at ``key``."""

    def taker(self, owner: object) -> Taker[ItemT]:
        """Return a new user; on an open node. It keeps ``owner``, which nobody else may hold, alive."""

    def waiting(self) -> int:
        """Return how many items are here and not taken: ``len(receiver)``. 0 where it is not open; any thread."""

    def waits(self) -> bool:
        """Whether there is work that nobody has begun, here or at who sends it: then busy handlers are stalled."""

    def ready(self, taker: Taker[ItemT]) -> Wish[Any]:
        """Return the wish of ``receiver.ready()``; it raises ``ClosedError`` where the taker has left."""

    def words(self) -> str:
        """Say what who waits for an item waits for; inside the gate or outside."""

    def began(self, item: ItemT, leave_off: Callable[[], object] | None) -> None:
        """Learn that a handler begins with an item, in the thread (or task) and the context it runs in.

        ``leave_off`` interrupts it, where that can be done; it may be called inside the gate.
        """

    def returned(self, item: ItemT, value: object) -> None:
        """Learn that a handler has returned ``value``; outside the gate. The next ask is done with it in any case."""

    def raised(self, item: ItemT, error: BaseException) -> int:
        """Learn that a handler has raised: give back, answer, or nothing. Returns the level at which to log it."""
