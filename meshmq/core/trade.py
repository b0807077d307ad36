"""What users do with jobs: push them, pull them, say what became of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable, Sequence
from random import Random

from meshmq.codecs.base import Buffer
from meshmq.core.custody import Input
from meshmq.core.exchange import Exchange
from meshmq.core.hands import Hand
from meshmq.core.inbox import Inbox
from meshmq.core.records import SetAside, Staged
from meshmq.core.wants import PLAIN, Entry, Wants
from meshmq.errors import AmbiguousPeer, ConfigError, MeshError, WouldBlock
from meshmq.fate import UNIQUE_WINDOW
from meshmq.settings import Settings
from meshmq.wire.card import NAMES_LIMIT, Card
from meshmq.wire.headers import Headers
from meshmq.wire.verdicts import Verdict

#: Jobs in hand, by hand and index.
MadeOf = Sequence[tuple[Hand, int]]


class Trade(Exchange):
    """A node that gives and takes jobs, as its users see it."""

    def __init__(self, card: Card, settings: Settings, random: Random, now: float) -> None:
        super().__init__(card, settings, random, now)
        self._staged: list[Staged] = []

    def push(
        self,
        queue: str,
        body: bytes,
        buffers: Sequence[Buffer],
        headers: Headers | None,
        now: float,
        to: str | None = None,
        made_of: MadeOf = (),
        wants: Wants = PLAIN,
    ) -> int:
        """Put a job into a queue's outbox, for one node alone where ``to`` names it; returns its number.

        What it is ``made_of``, jobs in hand or kept, is confirmed when it is safe.

        Raises:
            WouldBlock: the outbox is full.
            NotUnique: its id was given before.
            AmbiguousPeer: several nodes bear the name.
            ConfigError: this node is a device for the queue.
        """
        if to is not None:
            self.named(to)
        outbox = self.outboxes.get(queue)
        if outbox is None:
            self._refuse(queue)
            outbox = self._open_outbox(queue)
        outbox.clear_tray(now)
        inputs = [self._input(hand, index) for hand, index in made_of]
        number = outbox.add(body, buffers, headers, now, to, inputs, wants)
        self._busy_outboxes[queue] = None
        self.work(now)
        due = outbox.set_tray(now)
        if due is not None:
            self.soon(due)
        return number

    def push_staged(self, rows: Iterable[Staged], now: float) -> None:
        """Push what users' own transactions have left in the journal, as soon as there is room."""
        self._staged.extend(rows)
        self.work(now)

    def _work_off_staged(self, now: float) -> None:
        rows, self._staged = self._staged, []
        if rows and self.presence.card.state != "up":
            return  # they stay in the file, for the next incarnation
        full: set[str] = set()
        for row in rows:
            if row.queue in full:
                self._staged.append(row)
                continue
            delay = 0.0 if row.due is None else max(0.0, row.due - now)
            wants = Wants(row.fate, delay, row.key, row.unique, UNIQUE_WINDOW, None, Entry(), row.row)
            try:
                self.push(row.queue, row.body, row.buffers, row.headers, now, row.to, (), wants)
            except (WouldBlock, AmbiguousPeer):  # for now
                full.add(row.queue)
                self._staged.append(row)
            except MeshError as error:
                assert self.ledger is not None
                self.ledger.enter(SetAside(row.row, str(error)))
                self.say(logging.WARNING, "meshmq.journal", f"a staged job of {row.queue!r} is set aside: {error}")

    def withdraw(self, queue: str, number: int, wants: Wants, now: float) -> bool:
        """Take a durable job back that is not on disk yet; whether that was possible."""
        outbox = self.outboxes[queue]
        withdrawn = outbox.withdraw(number, wants)
        self._freed(outbox, 0, now)
        self.work(now)
        return withdrawn

    def retry(self, queue: str, number: int, now: float) -> None:
        """Give a dead letter of ours another life.

        Raises:
            KeyError: there is none of that number.
        """
        self.outboxes[queue].retry(number, now)
        self._busy_outboxes[queue] = None
        self.work(now)

    def drop_letter(self, queue: str, number: int, now: float) -> None:
        """Forget a dead letter of ours.

        Raises:
            KeyError: there is none of that number.
        """
        self.outboxes[queue].drop(number)
        self.work(now)

    def open_queue(self, queue: str, prefetch: int | None, now: float) -> Inbox:
        """Pull a queue from now on: it goes on our card.

        Raises:
            ConfigError: there is no room for one more on it, or this node is a device for the queue.
        """
        inbox = self.inboxes.get(queue)
        if inbox is None:
            self._refuse(queue)
            if self.names_shown() >= NAMES_LIMIT:
                most = f"a node pulls and serves at most {NAMES_LIMIT:,} names at once"
                raise ConfigError(f"{most}, and {queue!r} is one more")
            inbox = self.shut.pop(queue, None) or Inbox(queue, self.settings)
            inbox.pace.fixed = prefetch
            self.inboxes[queue] = inbox
            self.change_card(now)
            self._seeking = True
            self.woken.append((("roster",), 1_000_000))
        return inbox

    def close_queue(self, queue: str, now: float) -> None:
        """Stop pulling a queue; nothing of it may be in hand any more."""
        inbox = self.inboxes.get(queue)
        if inbox is not None:
            inbox.forget_unbegun()
            inbox.leave(inbox)  # who only looked, too, asks for nothing any more
            self._answer(inbox, now)
            del self.inboxes[queue]
            inbox.forget_done()
            self.shut[queue] = inbox
            self.change_card(now)
            self.work(now)

    def take(
        self,
        queue: str,
        consumer: Hashable,
        now: float,
        limit: int | None = None,
        lease: float | None = None,
        done: Hand | None = None,
    ) -> Hand:
        """Give a consumer jobs of a queue we pull, which is ``done`` with those it had: both is told in one frame.

        Raises:
            WouldBlock: none is here; more were asked for.
        """
        self._busy_inboxes[queue] = None
        inbox = self.inboxes[queue]
        if done is not None:
            inbox.finish(done, now)
        try:
            hand = inbox.take(consumer, now, limit=limit, lease=lease)
        except WouldBlock:
            self.work(now)
            if not inbox.waiting:  # what this node has pushed itself may have come; nobody is woken for it later
                raise
            self._busy_inboxes[queue] = None
            hand = inbox.take(consumer, now, limit=limit, lease=lease)
        self.work(now)
        return hand

    def look(self, queue: str, now: float) -> None:
        """Ask for jobs of a queue on behalf of somebody who only looks whether one is there."""
        self._with_inbox(self.inboxes.get(queue), now, lambda inbox: inbox.look(now))

    def finish(self, queue: str, hand: Hand, now: float) -> None:
        """Note that a consumer is done with what it began of a hand."""
        self._with_inbox(self.inboxes.get(queue), now, lambda inbox: inbox.finish(hand, now))

    def leave(self, queue: str, consumer: Hashable, now: float) -> None:
        """Take back what a consumer left without a word."""
        self._with_inbox(self.inboxes.get(queue), now, lambda inbox: inbox.leave(consumer))

    def end(self, queue: str, consumer: Hashable, now: float) -> None:
        """Note that a consumer takes nothing more, and finishes what it has begun."""
        self._with_inbox(self.inboxes.get(queue), now, lambda inbox: inbox.end(consumer))

    def rest(self, queue: str, consumer: Hashable, now: float) -> None:
        """Note that a consumer stopped asking for now."""
        self._with_inbox(self.inboxes.get(queue), now, lambda inbox: inbox.rest(consumer, now))

    def judge(
        self,
        queue: str,
        hand: Hand,
        index: int,
        verdict: Verdict | None,
        delay: float | None,
        now: float,
        reason: str = "",
    ) -> None:
        """Take an explicit ack (``None``) or nack of one job in hand, and why."""
        # Another thread may have shut the inbox since the word was given.
        self._with_inbox(self._inbox(queue), now, lambda inbox: inbox.say(hand, index, verdict, delay, reason))

    def extend(self, hand: Hand, now: float) -> None:
        """Renew the lease on a job in hand."""
        inbox = self.inboxes.get(hand.batch.queue)
        if inbox is not None:
            inbox.leases.extend(hand, now)

    def keep(self, hand: Hand, index: int) -> None:
        """Note that a consumer goes on, and confirms a job by word later."""
        self._input(hand, index).kept = True

    def _input(self, hand: Hand, index: int) -> Input:
        inbox = self._inbox(hand.batch.queue)
        assert inbox is not None
        return inbox.keeping.input(hand, index)

    def _with_inbox(self, inbox: Inbox | None, now: float, act: Callable[[Inbox], object]) -> None:
        if inbox is not None:
            act(inbox)
            self._busy_inboxes[inbox.queue] = None
            self.work(now)

    def change_card(self, now: float) -> None:
        """Publish our card anew: what it shows has changed."""
        raise NotImplementedError

    def _refuse(self, queue: str) -> None:
        """Refuse a queue that this node is a device for."""
        raise NotImplementedError

    def names_shown(self) -> int:
        """Return how many names stand on our card: it has room for ``NAMES_LIMIT``."""
        return len(self.inboxes)

    def named(self, to: str) -> bytes | None:
        """Return the node of that name, or of that id in hex; ``None`` where none is here.

        Raises:
            AmbiguousPeer: several bear the name.
        """
        raise NotImplementedError

    def _bearer(self, to: str) -> bytes | None:
        try:
            return self.named(to)
        except AmbiguousPeer:
            return None
