"""Twelve rules twice: as a file says them, and as a naive Python program of its own decides them; and messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final

QUEUES: Final = ("orders.eu", "orders.us", "clicks")
TOPICS: Final = ("weather.attic.inside", "weather.garden.outside", "weather.roof.outside", "alarm.fire", "alarm.frost")
UNMATCHED: Final = "queue unrouted"

TWELVE: Final = """
exchange = "twelve"
from_queues = ["orders.eu", "orders.us", "clicks"]
from_topics = ["weather.**", "alarm.*"]
unmatched = "unrouted"
match = "MATCH"

[[rule]]
name = "large orders"
from_queues = "orders.*"
where = "total >= 900"
to_queues = "large"
to_topics = "audit.large"

[[rule]]
name = "fire"
from_topics = "alarm.fire"
to_queues = ["brigade", "insurance"]

[[rule]]
name = "frost"
from_topics = ["weather.*.outside", "alarm.frost"]
where = ". < 0"
to_queues = "frost"
to_topics = "audit.frost"

[[rule]]
name = "new and important"
headers_all = { kind = "new", vip = "1" }
to_queues = "vip"

[[rule]]
name = "in German"
headers_any = { lang = "de", land = "at" }
to_queues = ["german", "vip"]

[[rule]]
name = "from near"
where = 'customer.country in ["DE", "AT", 41, 2026-01-01]'
to_queues = "near"

[[rule]]
name = "pictures"
where = 'path matches "*/img_[0-9]?.jp*g"'
to_queues = "pictures"

[[rule]]
name = "unpaid"
from_queues = ["orders.eu", "orders.us"]
where = ["paid != true", "total > 100.5", "total < 899"]
to_queues = "dunning"

[[rule]]
name = "first line"
where = 'lines.0.sku == "A-1"'
to_queues = "a-one"

[[rule]]
name = "soon"
where = "due <= 2026-06-01T00:00:00Z"
to_queues = "soon"

[[rule]]
name = "a day or a time"
where = ["on != 2026-01-31", "at > 12:00:00"]
to_topics = "calendar"

[[rule]]
name = "clicks by name"
from_queues = "clicks"
from_topics = "weather.attic.inside"
where = 'customer."first name" matches "[!a-m]?*"'
to_queues = "names"
"""

#: Where everything may end.
ENDS: Final = (
    *(f"queue {name}" for name in (
        "large", "brigade", "insurance", "frost", "vip", "german", "near", "pictures", "dunning", "a-one", "soon",
        "names", "unrouted",
    )),
    *(f"topic {name}" for name in ("audit.large", "audit.frost", "calendar")),
)  # fmt: skip


@dataclass(frozen=True)
class Sent:
    """One message: its number is in its headers, too."""

    kind: str
    name: str
    data: Any
    headers: dict[str, str]


def messages(count: int, seed: int) -> Iterator[Sent]:
    """Yield messages of all sorts: fields are missing or of another type in every third."""
    random = Random(seed)
    for number in range(count):
        kind, name = random.choice([*(("queue", name) for name in QUEUES), *(("topic", name) for name in TOPICS)])
        headers = {"n": str(number)}
        for key, texts in (("kind", ("new", "old")), ("vip", ("1", "0")), ("lang", ("de", "en")), ("land", ("at",))):
            if random.random() < 0.2:
                headers[key] = random.choice(texts)
        yield Sent(kind, name, _data(random, name), headers)


def _data(random: Random, name: str) -> Any:
    strange: list[Any] = [None, True, "900", -1, 0.5, Decimal("-0.5"), Decimal("sNaN"), float("nan"), b"x", [], {}]
    if name.startswith(("weather", "alarm.frost")) and random.random() < 0.7:
        return random.choice([random.uniform(-5, 5), random.randint(-5, 5), random.choice(strange)])
    fields: dict[str, list[Any]] = {
        "total": [random.randint(0, 2000), random.uniform(50, 1000), Decimal(random.randint(80, 950))],
        "customer": [{"country": random.choice(["DE", "AT", "FR", 41, 41.0, date(2026, 1, 1)]),
                      "first name": random.choice(["anna", "Zoe", "z", "", "otto", "max"])}],
        "path": [random.choice(["/a/img_12.jpg", "img_12.jpg", "/a/b/img_1x.jpeg", "/IMG_12.jpg", "/img_1.jpg"])],
        "paid": [True, False],
        "lines": [[{"sku": "A-1"}, {"sku": "B-2"}], ({"sku": "B-2"},), {"0": {"sku": "A-1"}}],
        "due": [datetime(2026, 6, 1, tzinfo=UTC) + timedelta(hours=random.randint(-50, 50))],
        "on": [date(2026, 1, random.choice([30, 31]))],
        "at": [time(random.randint(0, 23), random.randint(0, 1))],
    }  # fmt: skip
    data = {}
    for key, values in fields.items():
        chance = random.random()
        if chance < 0.35:
            data[key] = random.choice(values)
        elif chance < 0.5:
            data[key] = random.choice(strange)
    return data


def reference(sent: Sent, *, every: bool) -> list[str]:
    """Return where a message goes, as a program without rules would decide it."""
    found: list[str] = []
    for asks, ends in PROGRAM:
        if asks(sent):
            found += [end for end in ends if end not in found]
            if not every:
                break
    return found or [UNMATCHED]


def dig(data: Any, *keys: str) -> Any:
    for key in keys:
        if isinstance(data, dict) and key in data:
            data = data[key]
        elif isinstance(data, list | tuple) and key in [str(index) for index in range(len(data))]:
            data = data[int(key)]
        else:
            return ...
    return data


def of_number(value: Any, holds: Callable[[float], bool]) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return False
    if isinstance(value, Decimal) and value.is_nan():
        return False
    return holds(float(value))


def is_country(value: Any) -> bool:
    if isinstance(value, str):
        return value == "DE" or value == "AT"
    if type(value) is date:
        return value.isoformat() == "2026-01-01"
    return of_number(value, lambda found: found == 41)


def is_picture(value: Any) -> bool:
    """Whether it is anything, ``/img_``, a digit, any letter, ``.jp``, anything, ``g``."""
    if not isinstance(value, str) or not value.endswith("g"):
        return False
    for start in range(len(value)):
        rest = value[start:]
        if rest.startswith("/img_") and rest[5:6] in list("0123456789") and rest[7:10] == ".jp" and len(rest) > 10:
            return True
    return False


def is_name(value: Any) -> bool:
    return isinstance(value, str) and len(value) >= 2 and value[0] not in "abcdefghijklm"


PROGRAM: Final[list[tuple[Callable[[Sent], bool], list[str]]]] = [
    (
        lambda m: m.name in ("orders.eu", "orders.us") and of_number(dig(m.data, "total"), lambda n: n >= 900),
        ["queue large", "topic audit.large"],
    ),
    (lambda m: m.name == "alarm.fire", ["queue brigade", "queue insurance"]),
    (
        lambda m: (
            m.name in ("weather.garden.outside", "weather.roof.outside", "alarm.frost")
            and of_number(m.data, lambda n: n < 0)
        ),
        ["queue frost", "topic audit.frost"],
    ),
    (lambda m: m.headers.get("kind") == "new" and m.headers.get("vip") == "1", ["queue vip"]),
    (lambda m: m.headers.get("lang") == "de" or m.headers.get("land") == "at", ["queue german", "queue vip"]),
    (lambda m: is_country(dig(m.data, "customer", "country")), ["queue near"]),
    (lambda m: is_picture(dig(m.data, "path")), ["queue pictures"]),
    (
        lambda m: (
            m.name.startswith("orders.")
            and dig(m.data, "paid") is not ...
            and dig(m.data, "paid") is not True
            and of_number(dig(m.data, "total"), lambda n: 100.5 < n < 899)
        ),
        ["queue dunning"],
    ),
    (lambda m: dig(m.data, "lines", "0", "sku") == "A-1", ["queue a-one"]),
    (
        lambda m: (
            isinstance(dig(m.data, "due"), datetime)
            and dig(m.data, "due").timestamp() <= datetime(2026, 6, 1, tzinfo=UTC).timestamp()
        ),
        ["queue soon"],
    ),
    (
        lambda m: (
            dig(m.data, "on") is not ...
            and str(dig(m.data, "on")) != "2026-01-31"
            and isinstance(dig(m.data, "at"), time)
            and (dig(m.data, "at").hour, dig(m.data, "at").minute) > (12, 0)
        ),
        ["topic calendar"],
    ),
    (
        lambda m: m.name in ("clicks", "weather.attic.inside") and is_name(dig(m.data, "customer", "first name")),
        ["queue names"],
    ),
]
