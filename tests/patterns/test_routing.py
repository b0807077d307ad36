"""The recipe of an exchange: the first rule that takes a job sends it, and a rule that raises loses none."""

from __future__ import annotations

from meshmq.patterns.exchange_routing import Rule, route

import meshmq


def test_first_rule_that_takes_a_job_sends_it(mesh_name: str) -> None:
    rules: list[Rule] = [
        (lambda message: message.headers.get("kind") == "new", ["news", "all"]),
        (lambda message: message.data > 5, ["large"]),
    ]
    with meshmq.Node("shop", mesh=mesh_name) as shop, meshmq.Node("router", mesh=mesh_name) as router:
        route(router, "orders", rules, "rest")
        for number in (1, 6):
            shop.push("orders", number)
            shop.push("orders", number, headers={"kind": "new"})
        for queue, expected in (("news", [1, 6]), ("all", [1, 6]), ("large", [6]), ("rest", [1])):
            with shop.pull(queue) as jobs:
                for number in expected:
                    job = jobs.receive(20)
                    assert job.data == number
                    assert ("kind" in job.headers) is (queue in ("news", "all"))
        shop.flush(20)


def test_rule_that_raises_gives_the_job_back(mesh_name: str) -> None:
    asked = []

    def ask(message: meshmq.Message) -> bool:
        asked.append(message.attempt)
        return bool(1 / (len(asked) - 1))

    settings = meshmq.Settings(backoff=0.01)
    with meshmq.Node("shop", mesh=mesh_name, settings=settings) as shop, meshmq.Node(mesh=mesh_name) as router:
        route(router, "orders", [(ask, ["large"])], "rest")
        shop.push("orders", 1)
        with shop.pull("large") as jobs:
            assert jobs.receive(20).redelivered
        shop.flush(20)
    assert asked == [1, 2]
