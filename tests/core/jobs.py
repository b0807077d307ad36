"""An outbox and an inbox in a test's hand: short ways to put in, take out and answer."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from random import Random
from typing import Any

from meshmq.core.inbox import Inbox
from meshmq.core.outbox import Outbox
from meshmq.core.wants import PLAIN, Wants
from meshmq.errors import WouldBlock
from meshmq.settings import Settings
from meshmq.testing.books import audit_inbox, audit_outbox
from meshmq.wire.batches import Batch, Terms, pack_batch, unpack_batch
from meshmq.wire.frames import Acks, Kind, unpack_acks, unpack_grant
from meshmq.wire.headers import Headers
from meshmq.wire.row import Row
from meshmq.wire.verdicts import Settle, Verdict, unpack_settle

ORIGIN = b"O" * 16
MANY = 1 << 30


class Pusher:
    """An outbox, its workers named by letters, its books audited at each step."""

    def __init__(self, jobs: int = 0, *, workers: str = "", settings: Settings | None = None) -> None:
        self.box = Outbox("jobs", ORIGIN, 1, settings or Settings(), Random(2))
        self.now = 0.0
        self.closed: set[str] = set()
        #: How many bytes of large buffers go together.
        self.piece = 0
        for worker in workers:
            self.box.open(worker.encode())
            self.grant(worker, 10)
        self.add(jobs)

    def add(
        self,
        count: int,
        body: bytes = b"job",
        *,
        buffers: Sequence[bytes] = (),
        headers: Headers | None = None,
        to: str | None = None,
        wants: Wants = PLAIN,
    ) -> None:
        for _ in range(count):
            self.box.add(body, buffers, headers, self.now, to, wants=wants)
        audit_outbox(self.box)

    def wake(self, now: float) -> None:
        """Let time pass, and go on with what has paused until then."""
        self.now = now
        self.box.wake(now)
        audit_outbox(self.box)

    def grant(self, worker: str, jobs: int, size: int = MANY) -> None:
        self.box.grant(worker.encode(), jobs, size)

    def send(self) -> tuple[str, Batch] | None:
        """Send one batch; returns to whom and what."""
        route = self.box.best(lambda peer: peer.decode() not in self.closed)
        if route is None:
            return None
        batch = unpack_batch(self.box.next_batch(route, self.now, self.piece))
        audit_outbox(self.box)
        return route.peer.decode(), batch

    def send_all(self) -> list[tuple[str, int, int, int]]:
        """Send all that may be sent: worker, first number, how many, attempt."""
        sent = []
        while (found := self.send()) is not None:
            worker, batch = found
            sent.append((worker, batch.first, batch.count, batch.attempt))
        return sent

    def ack(self, worker: str, *ranges: tuple[int, int], begun: int = -1) -> int:
        count = self.box.settle(worker.encode(), begun, ranges, self.now)
        audit_outbox(self.box)
        return count

    def back(
        self, worker: str, verdict: Verdict, *ranges: tuple[int, int], delay: float | None = None, reason: str = ""
    ) -> None:
        said = Settle("jobs", verdict, self.box.origin, ranges, delay, reason)
        self.box.give_back(worker.encode(), said, self.now)
        audit_outbox(self.box)

    def lose(self, worker: str, *, clean: bool = False) -> int:
        count = self.box.lose(worker.encode(), self.now, clean=clean)
        audit_outbox(self.box)
        return count


class Puller:
    """An inbox, its pushers named by letters, its books audited at each step."""

    def __init__(self, prefetch: int | None = 100, settings: Settings | None = None) -> None:
        self.box = Inbox("jobs", settings or Settings(), prefetch)
        self.now = 0.0

    def receive(
        self,
        pusher: str,
        first: int,
        count: int = 1,
        *,
        attempt: int = 1,
        backlog: int = 5,
        terms: Terms | None = None,
    ) -> int:
        row = Row.of([b"job %d" % number for number in range(first, first + count)])
        frames = pack_batch("jobs", ORIGIN, first, row, attempt=attempt, backlog=backlog, held=0.0, terms=terms)
        new = self.box.receive(pusher.encode(), unpack_batch(frames), self.now)
        audit_inbox(self.box)
        return new

    def ask(self, pushers: str = "p", consumer: str = "me") -> None:
        """Let pushers offer and a consumer ask, so that credit is granted."""
        for pusher in pushers:
            self.box.offered(pusher.encode(), 5)
        with suppress(WouldBlock):
            self.box.take(consumer, self.now)
        self.answers()

    def answers(self) -> list[tuple[str, Any]]:
        """Return what is due to pushers: acks, grants (jobs, bytes), and what goes back (verdict, ranges)."""
        found: list[tuple[str, Any]] = []
        for peer, kind, body in self.box.answers(self.now):
            audit_inbox(self.box)
            if kind is Kind.ACKS:
                found.append((peer.decode(), unpack_acks(body)))
            elif kind is Kind.GRANT:
                found.append((peer.decode(), unpack_grant(body)[1:]))
            else:
                said = unpack_settle(body)
                found.append((peer.decode(), (said.verdict, said.ranges)))
        return found

    def acked(self) -> list[tuple[int, int]]:
        """Return the ranges acked since, of all pushers."""
        done = [answer for _, answer in self.answers() if isinstance(answer, Acks)]
        return [pair for acks in done for _, _, ranges in acks.done for pair in ranges]

    def given_back(self) -> list[tuple[Verdict, tuple[int, int]]]:
        """Return what went back since, sorted by number."""
        pairs = [answer for _, answer in self.answers() if not isinstance(answer, Acks)]
        back = [(verdict, pair) for verdict, ranges in pairs if isinstance(verdict, Verdict) for pair in ranges]
        return sorted(back, key=lambda item: item[1])
