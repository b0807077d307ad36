"""Send each job where rules say, so that who makes jobs need not know who does them.

*Problem*: where a job goes depends on what it is: on its headers, on its content. Who pushes it should not have to
know, the rules change, and no job may get lost at the place where it is sent on.

*How it works*: routers pull one queue and push into others, by the first rule that takes the job; what no rule takes
has a queue, too. What is pushed by ``message.push`` is joined to what it was made of::

    push("orders") --+--> router --+--> "large", "audit"   a total from 900 on
                     +--> router   +--> "near"             from DE or AT
                                   +--> "unrouted"         all others

An order is confirmed when all that was made of it is. A router that is killed before has lost nothing: another one
makes the same jobs again, with the same ids and flagged as repeats.

Here rules are functions. ``meshmq route rules.toml`` reads them from a file, takes topics as well, and publishes.

*Limits*: what is made again may run again: make that harmless, by ``job.id``. A rule that raises gives the job back, to
be tried again later: let it return False. A queue that is full and that nobody pulls holds up all others. Order is
kept from one router to one worker alone.

*Run*::

    $ meshmq recipe run exchange_routing
    60 orders, 2 routers
    a router is killed
    audit: 15, large: 15, near: 23, unrouted: 22
"""

from __future__ import annotations

import multiprocessing
import secrets
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import meshmq

Rule = tuple[Callable[[meshmq.Message], bool], Sequence[str]]


def route(node: meshmq.Node, source: str, rules: Sequence[Rule], unmatched: str) -> None:
    """Send the jobs of ``source`` on while the node is open, each to the queues of the first rule that takes it.

    What no rule takes goes to ``unmatched``. Data and headers pass as they are. Do this on as many nodes as you like.
    """

    @node.pull(source)
    def send_on(data: Any, message: meshmq.Message) -> None:
        targets = next((targets for takes, targets in rules if takes(message)), [unmatched])
        for target in targets:
            message.push(target, data, headers=message.headers)


def demo() -> None:
    """Route 60 orders, and have a router killed half way."""
    mesh = f"exchange-{secrets.token_hex(4)}"
    routers = [multiprocessing.get_context("spawn").Process(target=_router, args=(mesh,), daemon=True) for _ in "12"]
    taken: defaultdict[str, set[int]] = defaultdict(set)
    half_way = threading.Event()

    def take(order: dict[str, Any], job: meshmq.Message) -> None:
        taken[job.queue].add(order["number"])  # a second time changes nothing
        if sum(map(len, taken.values())) > 30:
            half_way.set()

    with meshmq.Node("shop", mesh=mesh) as shop:
        for queue in ("audit", "large", "near", "unrouted"):
            shop.pull(queue)(take)
        for router in routers:
            router.start()
        shop.wait_for(pull="orders", count=2, timeout=20)
        print("60 orders, 2 routers", flush=True)
        for number in range(60):
            country = ("DE", "FR", "AT", "US")[number % 4]
            shop.push("orders", {"number": number, "total": 20 * number, "country": country})
        half_way.wait(timeout=20)
        routers[0].kill()
        print("a router is killed", flush=True)
        shop.flush(timeout=20)  # an order is confirmed when all that was made of it is
    for router in routers:
        router.terminate()
        router.join()
    print(", ".join(f"{queue}: {len(numbers)}" for queue, numbers in sorted(taken.items())))


def _router(mesh: str) -> None:
    node = meshmq.Node(mesh=mesh)
    rules: list[Rule] = [
        (lambda message: message.data["total"] >= 900, ["large", "audit"]),
        (lambda message: message.data["country"] in ("DE", "AT"), ["near"]),
    ]
    route(node, "orders", rules, "unrouted")
    node.run()


if __name__ == "__main__":
    demo()
