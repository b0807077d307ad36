"""Serves "orders.place": takes the article from the stock, has an invoice written, tells the world, answers.

Usage: python orders.py
"""

from __future__ import annotations

import meshmq
from examples.lifeline import lifeline


def main() -> None:
    node = meshmq.Node()
    node.topic("orders.*", history=1_000)  # of each kind, for whoever comes later or misses some

    @node.reply("orders.place", idempotent=True)
    def place(order: dict[str, str]) -> str:
        # Asked again if the stock dies over it, and for as long as our own caller waits.
        sold = node.request("stock.take", order, idempotent=True)
        outcome = "accepted" if sold else "sold out"
        if sold:
            node.push("invoices", order)
            # Until it is written the invoice is in *our* memory, and would die with us: answer only then.
            node.flush()
        node.publish("orders.accepted" if sold else "orders.refused", order)
        return outcome

    with lifeline(node):
        node.run()


if __name__ == "__main__":
    main()
