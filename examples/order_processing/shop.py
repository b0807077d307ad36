"""Places orders in its database, each with its job in the same transaction; goes on where it was when it died.

Usage: python shop.py DIRECTORY
"""

from __future__ import annotations

import sqlite3  # noqa: TID251  # the shop's own database
import sys
from pathlib import Path

import meshmq
from examples.lifeline import lifeline
from examples.order_processing.orders import ATTEMPTS, ORDERS, customer_of, is_taken_back


def main(directory: Path) -> None:
    path = directory / "shop.db"
    node = meshmq.Node(journal=path)  # its name is MESHMQ_NAME
    jobs = node.queue("orders", max_attempts=ATTEMPTS, backoff=0.02)

    @node.reply("orders.dead")
    def dead(retry: bool) -> list[tuple[str, str]]:
        """Tell which orders failed, and why; try them again if that is asked."""
        letters = [(letter.data["number"], letter.reason) for letter in jobs.dead]
        if retry:
            jobs.dead.retry()
        return letters

    with lifeline(node) as ended:
        database = sqlite3.connect(path)
        database.execute("CREATE TABLE IF NOT EXISTS orders (number INTEGER PRIMARY KEY, customer TEXT)")
        (last,) = database.execute("SELECT coalesce(max(number), 0) FROM orders").fetchone()
        for number in range(last + 1, ORDERS + 1):
            customer = customer_of(number)
            database.execute("INSERT INTO orders VALUES (?, ?)", (number, customer))
            order = {"number": f"order-{number:02}", "customer": customer}
            jobs.push(order, key=customer, within=database)
            database.rollback() if is_taken_back(number) else database.commit()
            if ended.wait(0.01):  # customers come one by one
                return
        ended.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
