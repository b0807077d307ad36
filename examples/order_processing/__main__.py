"""Orders are placed in a shop's database, and done by workers; the shop, or a worker, is killed meanwhile.

Each order's job is pushed in the order's own transaction. What is taken back was never pushed; what is committed is
done, in order for each customer. A card that has expired makes dead letters, which are tried again once it is mended.

Usage: python examples/order_processing [shop | worker-1]
"""

from __future__ import annotations

import sqlite3  # noqa: TID251  # the shop's own database
import sys
import tempfile
from contextlib import closing
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))  # examples.* are there

import meshmq
from examples.crew import PATIENCE, Crew, wait_until
from examples.order_processing.orders import EXPIRED, ORDERS, is_taken_back
from examples.order_processing.report import packed_in, report


def main(victim: str = "shop") -> int:
    if victim not in ("shop", "worker-1"):
        print(__doc__, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as place, Crew(Path(__file__).resolve().parent) as crew:
        directory = Path(place)
        (directory / "packed").mkdir()
        (directory / "expired").touch()

        def start(name: str) -> None:
            crew.start(name.partition("-")[0], name, directory)

        def packed() -> int:
            return sum(map(len, packed_in(directory).values()))

        for name in ("worker-1", "worker-2", "shop"):
            start(name)
        wait_until(lambda: packed() >= ORDERS // 3)
        print(f"{ORDERS // 3} orders are packed: {victim} is killed with SIGKILL and started anew", flush=True)
        crew.kill(victim)
        start(victim)
        committed = ORDERS - sum(map(is_taken_back, range(1, ORDERS + 1)))
        wait_until(lambda: packed() >= committed - len(EXPIRED))
        with meshmq.Node("desk") as desk:
            asked = desk.service("orders.dead", timeout=PATIENCE)
            wait_until(lambda: len(asked.request(False)) == len(EXPIRED))
            (directory / "expired").unlink()
            dead = sorted(asked.request(True))
        for number, reason in dead:
            print(f"{number} {reason}")
        print("the cards are mended, and the dead letters tried again", flush=True)
        wait_until(lambda: packed() >= committed)
        with closing(sqlite3.connect(directory / "shop.db")) as database:
            rows = database.execute("SELECT number FROM orders").fetchall()
        print(f"committed {len(rows)} of {ORDERS}: the others were taken back with their transactions")
        return report(packed_in(directory), {f"order-{number:02}" for (number,) in rows}, dead)


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
