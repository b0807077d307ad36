"""Serves "stock.take": one piece of an article for an order, as long as there are any. Tells what is left.

Usage: python stock.py LEDGER PIECES
"""

from __future__ import annotations

import sys
from pathlib import Path

import meshmq
from examples.lifeline import lifeline
from examples.microservices.ledger import Ledger
from examples.microservices.order import ARTICLES


def main(path: Path, pieces: int) -> None:
    ledger = Ledger(path)
    node = meshmq.Node()
    node.topic("stock.*", history=1)  # whoever asks since="last" learns at once what is left

    def tell(article: str) -> None:
        node.publish(f"stock.{article}", pieces - ledger.sold(article))

    # One at a time: two orders at once must not both get the last piece.
    @node.reply("stock.take", idempotent=True, concurrency=1)
    def take(order: dict[str, str]) -> bool:
        number, article = order["number"], order["article"]
        sold = ledger.find(number)
        if sold is None:  # else it is asked again, because its first answer was lost
            sold = ledger.sold(article) < pieces
            ledger.add(number, article, sold=sold)
            tell(article)
        return sold

    with lifeline(node):
        for article in ARTICLES:
            tell(article)
        node.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
