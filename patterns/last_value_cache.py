"""Have the newest value of every topic at hand, from the first moment on.

*Problem*: a display starts in the middle of the day and must show every sensor at once, also those that speak
once an hour. Afterwards it wants the newest value of each, and none of a queue of old ones.

*How it works*: each publisher keeps the last value of its topics; who subscribes gets it at once, and then what
changes. ``LastValues`` is a mapping of topics to values that is always up to date::

    publisher  keeps  sensors.hall 21 ----+
    publisher  keeps  sensors.roof  4 ----+--> LastValues: {sensors.hall: 21, sensors.roof: 4}

Publishers keep by ``LastValues.keep(node, pattern)``, before they publish. With ``latest=True`` there is one place
for each topic and no queue: a reader that is slow skips what is old, and costs its publisher nothing.

*Limits*: a value is with its publisher: once that has gone nobody new gets it, and those who have it keep it. Two
publishers of one topic overwrite each other. Values that were skipped are gone (``replayed_history`` keeps them).

*Run*::

    $ meshmq recipe run last_value_cache
    a late display shows: hall 21, roof 4
    after a change: hall 21, roof 5
    a new sensor: cellar 9, hall 21, roof 5
    after 1,000 changes: cellar 1000
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import meshmq


class LastValues(Mapping[str, Any]):
    """The newest value by topic.

    ::

        values = LastValues(node, "sensors.*")
        values.wait(lambda values: "sensors.hall" in values, timeout=5)
        print(values["sensors.hall"])
    """

    def __init__(self, node: meshmq.Node, pattern: str) -> None:
        self._values: dict[str, Any] = {}
        self._changed = threading.Condition()
        self._subscription = node.subscribe(pattern, since="last", latest=True)
        self._subscription(self._take)

    @staticmethod
    def keep(node: meshmq.Node, pattern: str) -> None:
        """Have ``node`` keep the last value of each topic that it publishes from now on and ``pattern`` matches."""
        node.topic(pattern, history=1)

    def __getitem__(self, topic: str) -> Any:
        return self._values[topic]

    def __iter__(self) -> Iterator[str]:
        with self._changed:
            return iter(sorted(self._values))

    def __len__(self) -> int:
        return len(self._values)

    def wait(self, check: Callable[[Mapping[str, Any]], object], timeout: float | None = None) -> None:
        """Return as soon as ``check(values)`` is true; it is asked after every change.

        Raises:
            TimedOut: it never was in time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: check(self._values), timeout):
                raise meshmq.TimedOut(f"the values have not come to that within {timeout:g} s: {self._values}")

    def close(self) -> None:
        """Follow no further changes; the values stay."""
        self._subscription.close()

    def _take(self, value: Any, message: meshmq.Message) -> None:
        with self._changed:
            self._values[message.topic] = value
            self._changed.notify_all()


def demo() -> None:
    """Start a display after two sensors have spoken."""
    mesh = f"last-value-{secrets.token_hex(4)}"
    with meshmq.Node("house", mesh=mesh) as house, meshmq.Node("display", mesh=mesh) as display:
        LastValues.keep(house, "sensors.*")
        house.publish("sensors.hall", 20)
        house.publish("sensors.hall", 21)
        house.publish("sensors.roof", 4)
        values = LastValues(display, "sensors.*")
        values.wait(lambda values: len(values) == 2, timeout=20)
        print("a late display shows:", _shown(values), flush=True)
        house.publish("sensors.roof", 5)
        values.wait(lambda values: values["sensors.roof"] == 5, timeout=20)
        print("after a change:", _shown(values), flush=True)
        house.publish("sensors.cellar", 9)
        values.wait(lambda values: "sensors.cellar" in values, timeout=20)
        print("a new sensor:", _shown(values), flush=True)
        for number in range(1_001):
            house.publish("sensors.cellar", number)
        values.wait(lambda values: values["sensors.cellar"] == 1_000, timeout=20)
        print("after 1,000 changes: cellar", values["sensors.cellar"])


def _shown(values: LastValues) -> str:
    return ", ".join(f"{topic.removeprefix('sensors.')} {values[topic]}" for topic in values)


if __name__ == "__main__":
    demo()
