"""Three recipes, imported as they are, make one pipeline, and the processes of each may be killed."""

from __future__ import annotations

import math
import threading
from typing import Any

import meshmq
from tests.network.children import LIMIT, Child
from tests.network.conftest import Spawn, spawn, start
from tests.scale import scale

__all__ = ["spawn", "start"]

ORDERS = scale(300, 2_000)
NEAR = ("DE", "AT", "FR")
# Orders are sent on by country; what is near is priced by a stage, which asks for the roots of many at once.
PROGRAM = """
import math, sys, meshmq
from meshmq.patterns.exchange_routing import route
from meshmq.patterns.request_batching import serve_batched
from meshmq.patterns.staged_pipeline import stage

part, near = sys.argv[1], ("DE", "AT", "FR")

def price(order):
    root = node.request("root", order["weight"], timeout=20, idempotent=True, retries=20)
    return {**order, "price": root + 5}

with meshmq.Node() as node:
    print("here", flush=True)
    if part == "router":
        route(node, "orders", [(lambda order: order.data["country"] in near, ["near"])], "far")
        node.run()
    elif part == "stage":
        stage(node, "near", price, "done")
    elif part == "roots":
        serve_batched(node, "root", lambda weights: [math.isqrt(weight) for weight in weights])
"""


def order(number: int) -> dict[str, Any]:
    return {"number": number, "country": ("DE", "US", "AT", "FR", "JP")[number % 5], "weight": number * number + 1}


def plain(orders: list[dict[str, Any]]) -> dict[int, Any]:
    """Do the same in one process."""
    near = [one for one in orders if one["country"] in NEAR]
    far = [one for one in orders if one["country"] not in NEAR]
    return {one["number"]: one for one in [*far, *({**one, "price": math.isqrt(one["weight"]) + 5} for one in near)]}


def test_result_is_that_of_a_plain_program_though_one_process_of_each_recipe_is_killed(
    spawn: Spawn, mesh_name: str
) -> None:
    children: dict[str, Child] = {}
    for name in ("router-1", "router-2", "stage-1", "stage-2", "roots-1", "roots-2"):
        children[name] = spawn(PROGRAM, name[:-2], env={"MESHMQ_MESH": mesh_name, "MESHMQ_NAME": name})
    done, victims, came = dict[int, Any](), ["router-1", "stage-1", "roots-1"], threading.Semaphore(0)

    def collect(found: dict[str, Any]) -> None:
        assert done.setdefault(found["number"], found) == found  # a second time is the same
        came.release()

    orders = [order(number) for number in range(ORDERS)]
    with meshmq.Node("shop", mesh=mesh_name) as shop:
        for queue in ("far", "done"):
            shop.pull(queue)(collect)
        shop.wait_for(pull="orders", count=2, timeout=LIMIT)
        shop.wait_for(pull="near", count=2, timeout=LIMIT)
        shop.wait_for(reply="root", count=2, timeout=LIMIT)
        shop.queue("orders").push_many(orders)
        for victim in victims:
            for _ in range(ORDERS // 6):
                assert came.acquire(timeout=LIMIT)
            children[victim].kill()
        shop.flush(scale(2, 6) * LIMIT)  # an order is confirmed when what became of it is
    assert done == plain(orders)
