"""A shop pushes mails, senders send them by SMTP; the shop, a sender and the mail server are killed meanwhile.

No mail is lost, and what arrives twice says so. What the server puts off is tried again; what it refuses for good is a
dead letter, with the server's words.

Usage: python examples/email_sending
"""

from __future__ import annotations

import json
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[2]))  # examples.* are there

import meshmq
from examples.crew import PATIENCE, Crew, wait_until
from examples.email_sending.mails import MAILS, SERVER_DIES, SHOP_DIES, is_known, written
from examples.email_sending.report import report


def main() -> int:
    if find_spec("aiosmtpd") is None:
        sys.exit("the mail server is made with aiosmtpd, which is not installed: python -m pip install aiosmtpd")
    with tempfile.TemporaryDirectory() as place, Crew(Path(__file__).resolve().parent) as crew:
        directory = Path(place)
        orders, held = directory / "orders", directory / "held"

        def arrived() -> list[dict[str, Any]]:
            return [json.loads(line) for line in written(directory / "arrived")]

        crew.start("shop", "shop", directory)
        wait_until(lambda: len(written(orders)) >= SHOP_DIES)
        print(f"{SHOP_DIES} orders are taken: the shop is killed with SIGKILL and started anew", flush=True)
        crew.kill("shop")
        crew.start("shop", "shop", directory)
        wait_until(lambda: len(written(orders)) >= MAILS)
        print(f"{len(written(orders))} are taken, and no mail server is there; it comes, and two senders", flush=True)
        for name in ("server", "sender-1", "sender-2"):
            crew.start(name.partition("-")[0], name, directory)
        wait_until(lambda: bool(written(held)))
        for name in written(held):
            print("a mail has arrived and is not answered: its sender is killed and started anew", flush=True)
            crew.kill(name)
            crew.start("sender", name, directory)
        wait_until(lambda: len(arrived()) >= SERVER_DIES)
        print(f"{SERVER_DIES} have arrived: the mail server is killed and started anew", flush=True)
        crew.kill("server")
        crew.start("server", "server", directory)
        ordered = set(written(orders))
        wait_until(lambda: len({mail["to"] for mail in arrived()}) >= sum(map(is_known, ordered)))
        with meshmq.Node("desk") as desk:
            asked = desk.service("shop.dead", timeout=PATIENCE)
            wait_until(lambda: len(asked.request("mails")) >= len(ordered) - sum(map(is_known, ordered)))
            refused = sorted(asked.request("mails"))
        for _, reason in refused:
            print(reason)
        return report(arrived(), refused, ordered)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
