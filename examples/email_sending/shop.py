"""Takes orders, and pushes a mail for each; goes on where it was when it died.

Usage: python shop.py DIRECTORY
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import meshmq
from examples.email_sending.mails import MAILS, address_of, written
from examples.lifeline import lifeline


def main(directory: Path) -> None:
    node = meshmq.Node(journal=directory / "mails.db")  # its name is MESHMQ_NAME
    mails = node.queue("mails", durable=True, backoff=(0.02, 0.5))  # for ever: a mail server does come again
    orders = directory / "orders"

    @node.reply("shop.dead")
    def dead(queue: str) -> list[tuple[str, str]]:
        """Tell to whom no mail goes, and why."""
        return [(letter.data["to"], letter.reason) for letter in node.queue(queue).dead]

    with lifeline(node) as ended:
        for number in range(len(written(orders)) + 1, MAILS + 1):
            order, address = f"order-{number:02}", address_of(number)
            # It is on disk when push returns. Killed before that is noted, the shop pushes it again, and is refused.
            with suppress(meshmq.NotUnique):
                mails.push({"to": address, "subject": f"Thank you for {order}"}, unique=order)
            with orders.open("a") as file:
                file.write(f"{address}\n")
            if ended.wait(0.005):  # customers come one by one
                return
        ended.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
