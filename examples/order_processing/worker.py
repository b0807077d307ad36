"""Has each order paid and packed, and writes it into its customer's file.

Usage: python worker.py DIRECTORY
"""

from __future__ import annotations

import sys
from pathlib import Path

import meshmq
from examples.lifeline import lifeline
from examples.order_processing.orders import fails


class CardExpired(Exception):
    """A payment is refused, however often it is tried."""


def main(directory: Path) -> None:
    node = meshmq.Node()

    @node.pull("orders")
    def handle(order: dict[str, str]) -> None:
        number, customer = order["number"], order["customer"]
        if fails(int(number.removeprefix("order-"))) and (directory / "expired").exists():
            raise CardExpired(f"the card of {customer}")
        packed = directory / "packed" / customer
        # One worker at a time has jobs of a customer, for the customer is their key. What comes again is there already.
        if number not in (packed.read_text().split() if packed.exists() else ()):
            with packed.open("a") as file:
                file.write(f"{number}\n")

    with lifeline(node):
        node.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
