"""Watch what passes on a queue without touching it: keep a sample, show the job that fails.

*Problem*: a program in production does something odd. You want to see the jobs it gets, and which one of them comes
again and again, but you cannot change or restart it, and your look must neither slow it down nor take its jobs.

*How it works*: a device started for the queue sends its jobs on, and publishes copies to ``meshmq.tap.<queue>`` while
somebody subscribes to that; both come and go while the programs run::

    shop --> hub --> kitchen        the jobs, their acks, what comes back
              |
              +--> WireTap          copies: the value, and in headers who sends it to whom, its id and attempt

``watch`` counts what it sees and keeps an even ``sample`` of all of it, and the newest copy of each job that was
sent ``again``. In a shell ``meshmq tap orders --full`` shows the same, line by line.

*Limits*: a copy is for looking at; it acks nothing. A device copies at most 10,000 a second, and no value of more than
64 KiB (``meshmq-omitted`` says how large it is); what it drops, and what you are too slow for, counts as ``missed``.
Copies are of jobs and requests as they are sent, not of acks and answers. Where no device is to stand between, who
pulls or serves can agree: ``Settings(tap=True)``. Whoever may join the mesh may tap; ``Settings(tap=False)`` refuses.

*Run*::

    $ meshmq recipe run wire_tap
    the shop and the kitchen are at work; a device and a tap are put between them
    100 orders done, 102 copies seen, 0 missed, 5 of them kept
    sent again: order 13 from shop to kitchen, attempt 3
    the device is gone, and the kitchen goes on: True
"""

from __future__ import annotations

import secrets
import threading
from contextlib import suppress
from random import Random

import meshmq


class WireTap:
    """What passes on one queue or service: a count, an even sample, and what was sent again."""

    def __init__(self, node: meshmq.Node, name: str, *, keep: int = 100) -> None:
        self._copies, self._keep, self._random = node.subscribe(f"meshmq.tap.{name}"), keep, Random()
        self.seen = self.missed = 0
        self.sample: list[meshmq.Message] = []
        #: By id: the newest copy of each that was sent more than once.
        self.again: dict[str, meshmq.Message] = {}

    def watch(self) -> None:
        """Look at each copy until the tap, or its node, is closed."""
        for copy in self._copies:
            self.missed += copy.gap + int(copy.headers.get("meshmq-dropped", 0))
            if int(copy.headers["meshmq-attempt"]) > 1:
                self.again[copy.headers["meshmq-id"]] = copy
            self.seen += 1
            if len(self.sample) < self._keep:
                self.sample.append(copy)
            elif (place := self._random.randrange(self.seen)) < self._keep:  # of all that were seen each as likely
                self.sample[place] = copy

    def close(self) -> None:
        """Look no more; nobody copies then."""
        self._copies.close()


def demo() -> None:
    """Tap a shop and a kitchen that know nothing of it."""
    mesh = f"wire-tap-{secrets.token_hex(4)}"
    with meshmq.Node("shop", mesh=mesh) as shop, meshmq.Node("kitchen", mesh=mesh) as kitchen:
        done: list[int] = []
        threading.Thread(target=_cook, args=(kitchen, done), daemon=True).start()
        shop.push("orders", 0)
        shop.flush(timeout=20)
        print("the shop and the kitchen are at work; a device and a tap are put between them", flush=True)
        hub, console = meshmq.Node("hub", mesh=mesh), meshmq.Node("console", mesh=mesh)
        hub.device(queues=["orders"])
        with hub, console:
            tap = WireTap(console, "orders", keep=5)
            threading.Thread(target=tap.watch, daemon=True).start()
            for _ in shop.events(20):
                if any(peer.forwards for peer in shop.peers()):
                    break
            console.wait_for(pull="orders", timeout=20)
            hub.wait_for(subscribe="meshmq.tap.orders", timeout=20)
            for order in range(1, 101):
                shop.push("orders", order)
            shop.flush(timeout=20)
            for _ in range(2_000):  # the last copies are on their way
                if tap.seen == 102:
                    break
                threading.Event().wait(0.01)
            kept = f"{len(tap.sample)} of them kept"
            print(f"{len(done) - 1} orders done, {tap.seen} copies seen, {tap.missed} missed, {kept}")
            for copy in tap.again.values():
                sender, receiver, attempt = (copy.headers[f"meshmq-{of}"] for of in ("sender", "receiver", "attempt"))
                print(f"sent again: order {copy.data} from {sender} to {receiver}, attempt {attempt}", flush=True)
            tap.close()
        shop.push("orders", 101)
        shop.flush(timeout=20)
        print(f"the device is gone, and the kitchen goes on: {done[-1] == 101}")
        kitchen.close()


def _cook(kitchen: meshmq.Node, done: list[int]) -> None:
    for job in kitchen.pull("orders"):
        with suppress(ZeroDivisionError), job:  # what raises goes back, and comes again
            done.append(job.data if job.data != 13 or job.attempt == 3 else job.data // 0)


if __name__ == "__main__":
    demo()
