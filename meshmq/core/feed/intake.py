"""How what users publish comes in: one by one, or laid on a tray without the lock while messages follow each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from meshmq.codecs.base import Buffer
from meshmq.core.feed.durables import Durables
from meshmq.core.feed.groups import Groups
from meshmq.core.feed.kept import Item
from meshmq.core.feed.publisher import Publisher
from meshmq.core.feed.series import Series
from meshmq.core.part import Ground
from meshmq.core.records import StoredMessage
from meshmq.core.tray import TRAY_JOBS, Tray
from meshmq.wire.headers import Headers


class Intake:
    """Takes messages for a publisher and its groups; ``work_off`` gives on what that brings about."""

    def __init__(
        self, ground: Ground, publisher: Publisher, groups: Groups, work_off: Callable[[float], object]
    ) -> None:
        self._ground, self._publisher, self._groups, self._work_off = ground, publisher, groups, work_off
        #: The topics that were published to, and may be laid on the tray.
        self.known = publisher.series
        self.durables = Durables(ground, publisher, self._recorded)
        #: Topics, which have to be known, and bodies of small messages without headers.
        self.tray: Tray[tuple[str, bytes]] = Tray()

    def publish(self, topic: str, body: bytes, buffers: Sequence[Buffer], headers: Headers | None, now: float) -> int:
        """Take a message, after those on the tray; returns its number among those of the topic."""
        self.clear(now)
        if self.durables.covers(topic):
            number = self.durables.enter(topic, body, buffers, headers, now)
            self.durables.hand_over()
            return number
        series = self._publish(topic, body, buffers, headers, now)
        self.go_on(now, direct=bool(series.direct))
        if self._publisher.batches:
            self.tray.set(TRAY_JOBS, now)
        return series.head

    def clear(self, now: float, *, close: bool = False) -> bool:
        """Take in what lies on the tray; whether there was anything. With ``close`` nothing more may be laid there."""
        if close:
            self.tray.close()
        laid = self.tray.take()
        if not laid:
            return False
        direct = False
        if self._groups:  # whose jobs come in the order of publishing, whatever their topics
            rows: Iterable[tuple[str, list[bytes]]] = ((topic, [body]) for topic, body in laid)
        else:
            rows = _by_topic(laid).items()
        for topic, bodies in rows:
            if self.durables.covers(topic):
                for body in bodies:
                    self.durables.enter(topic, body, (), None, now)
            elif self._groups:
                direct = bool(self._publish(topic, bodies[0], (), None, now).direct) or direct
            else:
                direct = bool(self._publisher.publish_row(topic, bodies, None, now).direct) or direct
        self.durables.hand_over()
        self.go_on(now, direct=direct)
        return True

    def _publish(
        self, topic: str, body: bytes, buffers: Sequence[Buffer], headers: Headers | None, now: float
    ) -> Series:
        series = self._publisher.publish(topic, body, buffers, headers, now)
        if self._groups:
            self._groups.give(series, Item(series.head, body, buffers, headers, now, 0), now)
        return series

    def _recorded(self, message: StoredMessage, now: float) -> Series:
        """Publish what is on disk now."""
        series = self._publish(message.topic, message.body, message.buffers, message.headers, now)
        self.go_on(now, direct=bool(series.direct))
        return series

    def go_on(self, now: float, *, direct: bool = False) -> None:
        """Give on what was taken in, and be called again for what waits for more."""
        if direct:
            self._ground.work(now)  # heads were told
        else:
            self._work_off(now)
        moment = self.deadline
        if moment is not None:
            self._ground.soon(moment)

    def tick(self, now: float) -> None:
        """Do what is due."""
        laid = self.clear(now)
        if self.tray.room and now >= self.tray.due:
            self.tray.set(TRAY_JOBS if laid else 0, now)
            if not laid:
                self.clear(now)  # laid there while there still was room

    @property
    def deadline(self) -> float | None:
        """The next moment at which ``tick`` of this, or of the publisher, has something to do."""
        moment, due = self._publisher.deadline, self.tray.due
        return moment if not self.tray.room or (moment is not None and moment < due) else due


def _by_topic(laid: Iterable[tuple[str, bytes]]) -> dict[str, list[bytes]]:
    rows: dict[str, list[bytes]] = {}
    for topic, body in laid:
        row = rows.get(topic)
        if row is None:
            rows[topic] = [body]
        else:
            row.append(body)
    return rows
