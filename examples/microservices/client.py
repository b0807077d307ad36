"""The customers: they place orders, several at a time, and ask again when an answer is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

import meshmq
from examples.microservices.order import make_order

AT_ONCE: Final = 4
#: Seconds for one order, a service's death and its successor's start included.
PATIENCE: Final = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an order, and how many seconds it took."""

    number: str
    article: str
    outcome: str
    seconds: float


def place_orders(node: meshmq.Node, count: int) -> Iterator[Answer]:
    """Place so many orders; yields the answers in the orders' order."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(partial(_place, node), range(count))


def _place(node: meshmq.Node, index: int) -> Answer:
    order, began = make_order(index), time.monotonic()
    # Idempotent: the same order a second time is the same order. So when its server dies it goes to another.
    outcome = node.request("orders.place", order, timeout=PATIENCE, idempotent=True)
    return Answer(order["number"], order["article"], outcome, time.monotonic() - began)
