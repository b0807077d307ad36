"""What an inbox keeps of jobs of which something was made: those in hand, and those in custody."""

from __future__ import annotations

from collections.abc import Hashable

from meshmq.core.custody import Input
from meshmq.core.hands import Hand


class Keeping:
    """The inputs of one queue that are not settled, by origin and number."""

    def __init__(self) -> None:
        self._inputs: dict[tuple[bytes, int], Input] = {}
        #: How many of them have left their consumers' hands.
        self.handled = 0

    def __bool__(self) -> bool:
        return bool(self._inputs)

    def input(self, hand: Hand, index: int) -> Input:
        """Return a job in hand as an input."""
        batch = hand.batch
        key = batch.origin, batch.first + index
        known = self._inputs.get(key)
        if known is None:
            known = Input(batch.queue, *key, batch.attempt, hand.source, hand.consumer)
            if hand.holds(*key):
                self._inputs[key] = known
            else:  # its consumer has said what became of it, or left: what is made of it now stands for itself
                known.settled = True
        return known

    def find(self, origin: bytes, number: int) -> Input | None:
        """Return what is kept of a job."""
        return self._inputs.get((origin, number))

    def held(self, hand: Hand) -> Input | None:
        """Return the first job of a hand, if its consumer has gone on and will confirm it by word."""
        one = self.find(hand.batch.origin, hand.batch.first + hand.start)
        return one if one is not None and one.handled and one.kept else None

    def handle(self, hand: Hand, start: int, end: int) -> list[Input]:
        """Take into custody what of a hand is held; what is not is forgotten. Returns what is held."""
        held: list[Input] = []
        for index in range(start, end):
            key = hand.batch.origin, hand.batch.first + index
            known = self._inputs.get(key)
            if known is None:
                continue
            if known.held:
                known.handled = True
                self.handled += 1
                held.append(known)
            else:
                del self._inputs[key]
                known.settled = True
        return held

    def of(self, consumer: Hashable) -> list[Input]:
        """Return what a consumer has in custody and promised to confirm by word."""
        return [one for one in self._inputs.values() if one.kept and one.handled and one.consumer == consumer]

    def settle(self, one: Input) -> bool:
        """Forget an input, whatever becomes of it; whether it was in custody."""
        one.settled, one.kept = True, False
        self._inputs.pop((one.origin, one.number), None)
        self.handled -= one.handled
        return one.handled

    def forget(self, hand: Hand, start: int, end: int) -> None:
        """Forget what of a hand goes back."""
        for number in range(hand.batch.first + start, hand.batch.first + end):
            known = self._inputs.get((hand.batch.origin, number))
            if known is not None and not known.handled:
                self.settle(known)
