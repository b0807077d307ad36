"""What becomes of jobs that came to one queue, and how their pushers are told: confirmed, in custody, given back."""

from __future__ import annotations

from collections.abc import Iterator

from meshmq.core.custody import Input
from meshmq.core.hands import Hand
from meshmq.core.keeping import Keeping
from meshmq.core.receipts import Receipts
from meshmq.core.returns import Returns
from meshmq.core.sources import Source, Sources
from meshmq.settings import Settings
from meshmq.wire.batches import Batch
from meshmq.wire.verdicts import Verdict


class Settling:
    """The end of the jobs of one queue; what there is before it is the inbox's."""

    def __init__(self, queue: str, settings: Settings) -> None:
        self.queue, self._settings = queue, settings
        self.sources = Sources()
        self._hands: dict[Hand, None] = {}
        self._receipts = Receipts()
        self._returns = Returns(queue)
        #: Jobs of which something was made here.
        self.keeping = Keeping()
        #: Whether consumers, who were given nothing while too much was in custody, may ask again.
        self.reopened = False
        #: Whether credit was less than it would be without what is in custody.
        self._narrowed = False
        #: Who else pushed a job that is in hand: stages that make the same jobs again.
        self._others: dict[tuple[bytes, int], list[Source]] = {}
        self.done = self.refused = self.returned = self.rejected = self.expired = self.overdue = self.repeats = 0

    def _new(self, batch: Batch, source: Source) -> list[tuple[int, int]]:
        """Tell repeats from jobs to do: what was done here is confirmed again, what is in hand waits."""
        spans: list[tuple[int, int]] = []
        for index in range(batch.count):
            number = batch.first + index
            if self._receipts.knows(batch.origin, number):
                self._note(source, batch.origin, number, number)
            elif (begun := self._begun(batch.origin, number)) is not None:
                if begun.source.peer != source.peer:
                    self._others.setdefault((batch.origin, number), []).append(source)
            else:
                if spans and spans[-1][1] == index:
                    spans[-1] = (spans[-1][0], index + 1)
                else:
                    spans.append((index, index + 1))
                continue
            self.repeats += 1
            source.finish(batch, index, index + 1)
        return spans

    def _begun(self, origin: bytes, number: int) -> Hand | Input | None:
        """Return a job that is in hand, or in custody."""
        kept = self.keeping.find(origin, number)
        if kept is not None and kept.handled:
            return kept
        return next((hand for hand in self._hands if hand.holds(origin, number)), None)

    def _done_now(self, hand: Hand, start: int, end: int) -> None:
        hand.source.finish(hand.batch, start, end)
        first, last = hand.batch.first + start, hand.batch.first + end - 1
        for one in self.keeping.handle(hand, start, end) if self.keeping else ():
            if one.number > first:
                self._confirmed(hand.source, one.origin, first, one.number - 1)
            first = one.number + 1
            if not hand.source.gone:
                self._returns.add(hand.source.peer, Verdict.HELD, one.origin, one.number, one.number)
        if first <= last:
            self._confirmed(hand.source, hand.batch.origin, first, last)

    def _confirmed(self, source: Source, origin: bytes, first: int, last: int) -> None:
        self._receipts.remember(origin, first, last)
        self.done += last - first + 1
        self._note(source, origin, first, last)
        for number, other in self._those_who_wait(origin, first, last):
            self._note(other, origin, number, number)

    def _those_who_wait(self, origin: bytes, first: int, last: int) -> Iterator[tuple[int, Source]]:
        if self._others:
            for number in range(first, last + 1):
                for other in self._others.pop((origin, number), ()):
                    yield number, other

    def release(self, one: Input, verdict: Verdict | None = None, delay: float | None = None, reason: str = "") -> None:
        """Confirm a job in custody, or give it back with a verdict."""
        full = self.keeping.handled >= self._settings.custody
        if not self.keeping.settle(one):
            return
        self.reopened = self.reopened or full
        if self._narrowed:
            self.sources.touch()
        if verdict is None:
            self._confirmed(one.source, one.origin, one.number, one.number)
        else:
            self._tell_back(one.source, verdict, one.origin, one.number, one.number, delay, reason)

    def _note(self, source: Source, origin: bytes, first: int, last: int) -> None:
        # When its session is over nobody is told; should it send the job again, it is confirmed then.
        if not source.gone or source.peer in self.sources:
            self._receipts.confirm(source.peer, origin, first, last)

    def _say_of_kept(self, hand: Hand, index: int, verdict: Verdict | None, delay: float | None, reason: str) -> bool:
        """Take a word on a job that its consumer kept; whether it had left the hand, and nothing else is to do."""
        one = self.keeping.find(hand.batch.origin, hand.batch.first + index) if self.keeping else None
        if one is None:
            return False
        one.kept = False
        if one.handled and (verdict is not None or not one.open):
            self.release(one, verdict, delay, reason)
        return one.handled

    def _give_back(
        self,
        hand: Hand,
        spans: list[tuple[int, int]],
        verdict: Verdict,
        delay: float | None = None,
        reason: str = "",
    ) -> None:
        for start, end in spans:
            if self.keeping:
                self.keeping.forget(hand, start, end)
            self._send_back(hand.batch, hand.source, start, end, verdict, delay, reason)

    def _send_back(
        self,
        batch: Batch,
        source: Source,
        start: int,
        end: int,
        verdict: Verdict,
        delay: float | None = None,
        reason: str = "",
    ) -> None:
        source.finish(batch, start, end)
        self._tell_back(source, verdict, batch.origin, batch.first + start, batch.first + end - 1, delay, reason)

    def _tell_back(
        self,
        source: Source,
        verdict: Verdict,
        origin: bytes,
        first: int,
        last: int,
        delay: float | None = None,
        reason: str = "",
    ) -> None:
        count = last - first + 1
        self.refused += count if verdict is Verdict.REFUSED else 0
        self.rejected += count if verdict is Verdict.REJECTED else 0
        self.returned += count if verdict in (Verdict.RETURNED, Verdict.LEFT) else 0
        self.expired += count if verdict is Verdict.EXPIRED else 0
        self.overdue += count if verdict is Verdict.OVERDUE else 0
        if source.peer in self.sources:  # else its session is over, and it knows
            self._returns.add(source.peer, verdict, origin, first, last, delay, reason)
        self._give_up(origin, first, last)

    def _give_up(self, origin: bytes, first: int, last: int) -> None:
        """Give back what others pushed, too, and waited for."""
        for number, other in self._those_who_wait(origin, first, last):
            if other.peer in self.sources:
                self._returns.add(other.peer, Verdict.RETURNED, origin, number, number)

    def forget_done(self) -> None:
        """Forget what was done, unless a session stands in which it may come again."""
        if not self.sources:
            self._receipts = Receipts()
