"""Two services, a queue and a topic: orders are placed, and go on being placed when a service is killed.

"orders" asks "stock", has two mailers write invoices, and publishes what became of each order. After a third of the
orders one of them is killed with SIGKILL and started anew. A promise that is not kept is a failure.

Usage: python examples/microservices [stock | orders | mailer-1]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

sys.path.append(str(Path(__file__).resolve().parents[2]))  # examples.* are there

import meshmq
from examples.crew import Crew
from examples.microservices.client import place_orders
from examples.microservices.order import ARTICLES
from examples.microservices.report import report

ORDERS: Final = 60
PIECES: Final = 15
LIMIT: Final = 20.0


def main(victim: str = "stock") -> int:
    if victim not in ("stock", "orders", "mailer-1"):
        print(__doc__, file=sys.stderr)
        return 2
    with (
        tempfile.TemporaryDirectory() as directory,
        Crew(Path(__file__).resolve().parent) as crew,
        meshmq.Node("shop") as shop,
    ):
        (invoices := Path(directory, "invoices")).mkdir()
        programs: dict[str, tuple[object, ...]] = {
            "stock": ("stock", Path(directory, "ledger"), PIECES),
            "orders": ("orders",),
            "mailer-1": ("mailer", invoices),
            "mailer-2": ("mailer", invoices),
        }

        def start(name: str) -> None:
            program, *arguments = programs[name]
            crew.start(str(program), name, *arguments)

        for name in programs:
            start(name)
        events = shop.subscribe("orders.*", since="first")
        left = shop.subscribe("stock.*", since="last", latest=True)
        shop.wait_for(reply="orders.place", timeout=LIMIT)
        print(f"{ORDERS} orders for {len(ARTICLES)} articles, {PIECES} of each in stock:", flush=True)
        answers = []
        for answer in place_orders(shop, ORDERS):
            answers.append(answer)
            if len(answers) == ORDERS // 3:
                crew.kill(victim)
                start(victim)
                print(f"{len(answers)} are answered: {victim} is killed with SIGKILL and started anew", flush=True)
        # Who publishes and is killed promises nothing of what it said last.
        told = outcomes(events, timeout=1.0 if victim == "orders" else LIMIT)
        return report(answers, told, pieces(left), {path.stem for path in invoices.glob("order-*.txt")}, PIECES)


def outcomes(events: meshmq.Subscription, timeout: float) -> dict[str, str]:
    """Return what became of each order, as events tell it; of an order that was placed twice two may tell."""
    told: dict[str, str] = {}
    try:
        while len(told) < ORDERS:
            event = events.receive(timeout)
            told[event.data["number"]] = event.topic.removeprefix("orders.")
    except meshmq.TimedOut:
        pass  # the report says how many came
    return told


def pieces(left: meshmq.Subscription) -> dict[str, int]:
    """Return how many pieces are left of each article, once all are sold."""
    known: dict[str, int] = {}
    while len(known) < len(ARTICLES) or any(known.values()):
        message = left.receive(LIMIT)
        known[message.topic.removeprefix("stock.")] = message.data
    return known


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
