"""Durable topics: what is published to them is in the journal before anybody hears it, and there when the node is not.

The numbers of such a topic go on from where they were, in the same epoch, which is drawn from a range of its own: so a
subscriber that hears the next incarnation of the publisher knows that it is the same line, and where it was.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from meshmq.codecs.base import Buffer
from meshmq.core.feed.kept import Row
from meshmq.core.feed.patterns import matches
from meshmq.core.feed.publisher import Publisher
from meshmq.core.feed.series import Series
from meshmq.core.ledger import Ledger
from meshmq.core.part import Ground
from meshmq.core.records import Forget, Recovered, StoredMessage, Tell
from meshmq.wire.headers import Headers
from meshmq.wire.news import DURABLE_EPOCHS, EPOCHS

#: The journal is told of so large a part of a history at once that it may forget.
FORGET_SHARE: Final = 0.1


class Durables:
    """The durable topics of one node."""

    def __init__(self, ground: Ground, publisher: Publisher, publish: Callable[[StoredMessage, float], Series]) -> None:
        self._ground, self._publisher, self._publish = ground, publisher, publish
        self.ledger: Ledger | None = None
        self._patterns: list[str] = []
        #: Epoch and last number of each topic, those on their way to the disk included.
        self._heads: dict[str, tuple[int, int]] = {}
        #: What came back from the journal, of topics that nobody has named yet.
        self._recovered: dict[str, list[StoredMessage]] = {}
        #: Below which number the journal keeps nothing of a topic.
        self._forgotten: dict[str, int] = {}
        #: How many messages are on their way to the disk.
        self.pending = 0

    def recover(self, recovered: Recovered, ledger: Ledger) -> None:
        """Keep a journal from now on, and go on with what it holds."""
        self.ledger = ledger
        self._heads = dict(recovered.heads)
        for message in recovered.messages:
            self._recovered.setdefault(message.topic, []).append(message)

    def retain(self, pattern: str, now: float) -> None:
        """Have the topics that a pattern matches be durable; what the journal has of them is there again."""
        if pattern not in self._patterns:
            self._patterns.append(pattern)
        for topic in [topic for topic in self._heads if matches(pattern, topic)]:
            series = self._series(topic, now)
            for message in self._recovered.pop(topic, ()):
                if message.epoch == series.epoch:
                    series.keep(_row(message), now)
                    series.last_at = message.published

    def covers(self, topic: str) -> bool:
        """Whether a topic is durable."""
        return any(matches(pattern, topic) for pattern in self._patterns)

    def enter(self, topic: str, body: bytes, buffers: Sequence[Buffer], headers: Headers | None, now: float) -> int:
        """Have a message written, and published once it is on disk; returns its number."""
        assert self.ledger is not None
        epoch, head = self._heads.get(topic) or (self._ground.random.randrange(DURABLE_EPOCHS, EPOCHS), 0)
        self._heads[topic] = epoch, head + 1
        message = StoredMessage(topic, epoch, head + 1, body, now, tuple(buffers), headers)
        self.pending += 1
        self.ledger.enter(Tell(message), partial(self._written, message))
        return head + 1

    def hand_over(self) -> None:
        """Have the journal write what was entered: nobody hears it before."""
        if self.ledger is not None:
            self.ledger.hand_over()

    def _written(self, message: StoredMessage, error: Exception | None, now: float) -> None:
        self.pending -= 1
        if error is not None:  # its number stays free: who hears the next is told of the gap
            words = f"a message of {message.topic!r} was not published: {error}"
            self._ground.say(logging.ERROR, "meshmq.topics", words)
            return
        series = self._series(message.topic, now)
        series.head = message.seq - 1
        self._publish(message, now)
        self._forget(series)

    def _series(self, topic: str, now: float) -> Series:
        series = self._publisher.series.get(topic)
        epoch, head = self._heads[topic]
        if series is None or series.epoch != epoch:
            self._put_some_away()
            series = self._publisher.begin(topic, now, epoch)
            series.head = head
            if head:
                series.created = series.last_at = float("-inf")
        return series

    def _put_some_away(self) -> None:
        """Keep nothing more of the topics that have been quiet for longest, where there are too many."""
        assert self.ledger is not None
        for gone in self._publisher.make_room(durable=True):
            self._forgotten.pop(gone.topic, None)
            self.ledger.enter(Forget(gone.topic, gone.head + 1))

    def _forget(self, series: Series) -> None:
        """Have the journal forget what the history has no room for any more."""
        assert self.ledger is not None
        oldest = series.oldest or series.head + 1
        if oldest - self._forgotten.get(series.topic, 1) > len(series.kept) * FORGET_SHARE:
            self._forgotten[series.topic] = oldest
            self.ledger.enter(Forget(series.topic, oldest))


def _row(message: StoredMessage) -> Row:
    size = len(message.body) + sum(map(len, message.buffers))
    return Row(message.seq, [message.body], message.buffers, message.headers, message.published, size)
