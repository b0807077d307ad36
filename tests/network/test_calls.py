"""Services of several processes: who is asked, what a death does, what comes too late."""

from __future__ import annotations

import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import meshmq
from tests.network.children import LIMIT, Child
from tests.network.conftest import Spawn
from tests.scale import scale

#: Serves ``work`` and tells of every run; each takes as many seconds as the request says.
SERVER: Final = """
import os, sys, threading
import meshmq

name, mesh = sys.argv[1:]
never, began = threading.Event(), []

with meshmq.Node(name, mesh=mesh) as node:
    requests = node.reply("work", concurrency=32)

    @requests
    def work(data, request):
        began.append(request.id)
        os.write(1, f"ran {request.id}\\n".encode())
        never.wait(data["seconds"])
        return [name, data["number"]]

    @node.reply("runs")
    def runs(data):
        return len(began)

    print("open", flush=True)
    sys.stdin.read()
"""
SERVERS: Final = 3
CALLERS: Final = 32
CALLS: Final = scale(10, 100)


def serve(spawn: Spawn, mesh: str) -> dict[str, Child]:
    names = [f"server-{number}" for number in range(SERVERS)]
    children = {name: spawn(SERVER, name, mesh) for name in names}
    for child in children.values():
        assert child.line(LIMIT) == "open"
    return children


def runs(child: Child) -> Counter[str]:
    """Return how often a server, which has ended, ran each request."""
    return Counter(line.split()[1] for line in child.rest())


def test_thirty_calls_over_three_servers_run_thirty_handlers_spread_evenly(spawn: Spawn, mesh_name: str) -> None:
    children = serve(spawn, mesh_name)
    with meshmq.Node("caller", mesh=mesh_name) as node, ThreadPoolExecutor(30) as pool:
        node.wait_for(reply="work", count=SERVERS, timeout=LIMIT)
        work = [{"seconds": 2.0, "number": number} for number in range(30)]
        asked = [pool.submit(node.request, "work", each, timeout=LIMIT) for each in work]
        answers = [future.result() for future in asked]
    assert sorted(number for _, number in answers) == list(range(30))
    assert Counter(name for name, _ in answers) == dict.fromkeys(children, 10)
    for child in children.values():
        child.end_input()
        assert sorted(runs(child).values()) == [1] * 10


def test_answers_that_come_too_late_are_counted_and_the_next_call_gets_its_own(spawn: Spawn, mesh_name: str) -> None:
    child = spawn(SERVER, "server", mesh_name)
    with meshmq.Node("caller", mesh=mesh_name) as node, ThreadPoolExecutor(CALLERS) as pool:
        node.wait_for(reply="work", timeout=LIMIT)
        work = node.service("work")
        assert work.request({"seconds": 0, "number": 0}, timeout=LIMIT) == ["server", 0]
        late = [pool.submit(work.request, {"seconds": 0.3, "number": n}, timeout=0.1) for n in range(50)]
        assert all(isinstance(future.exception(), meshmq.TimedOut) for future in late)
        assert work.request({"seconds": 0, "number": 51}, timeout=LIMIT) == ["server", 51]
        asked = node.stats()["services"]["work"]["request"]
        assert (asked["asked"], asked["timed_out"], asked["answered"]) == (52, 50, 2)
        # What was begun ends 0.3 s later and is late then; what was not is dropped, late or in the same moment.
        began = node.request("runs", timeout=LIMIT) - 2
        assert began > 0
        while asked["dropped"]["late"] < began:
            assert work.request({"seconds": 0.05, "number": 0}, timeout=LIMIT)
            asked = node.stats()["services"]["work"]["request"]
        assert asked["outstanding"] == 0
    child.end_input()


def test_one_of_three_servers_is_killed_under_many_callers(spawn: Spawn, mesh_name: str) -> None:
    children = serve(spawn, mesh_name)

    def call(number: int) -> str:
        """Return how one call ended; every second one may run twice."""
        idempotent = number % 2 == 0
        request = {"seconds": 0.02, "number": number}
        try:
            _, told = node.request("work", request, timeout=LIMIT, idempotent=idempotent)
        except meshmq.PeerLost as lost:
            assert not idempotent
            return "may have run" if lost.may_have_run else "has not run"
        assert told == number
        return "done"

    with meshmq.Node("caller", mesh=mesh_name) as node, ThreadPoolExecutor(CALLERS) as pool:
        node.wait_for(reply="work", count=SERVERS, timeout=LIMIT)
        asked = [pool.submit(call, number) for number in range(CALLERS * CALLS)]
        asked[CALLERS * CALLS // 4].result()
        children["server-1"].kill()
        ends = Counter(future.result() for future in asked)
        counted = node.stats()["services"]["work"]["request"]
    assert ends["done"] + ends["may have run"] + ends["has not run"] == CALLERS * CALLS
    assert counted["asked"] == counted["answered"] + counted["failed"] == CALLERS * CALLS
    assert counted["moved"]
    for name, child in children.items():
        if name != "server-1":
            child.end_input()
        assert max(runs(child).values()) == 1, "a request was run twice on one server"
    print(f"{dict(ends)}, {counted['moved']} moved")


#: Asks, is interrupted, and goes on.
CALLER: Final = """
import sys
import meshmq

with meshmq.Node("caller", mesh=sys.argv[1]) as node:
    try:
        node.request("work", timeout=None)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    print(node.request("sum", [1, 2], timeout=30), flush=True)
    sys.stdin.read()
"""


def test_interrupt_gives_a_request_up_and_the_node_goes_on(spawn: Spawn, mesh_name: str) -> None:
    with meshmq.Node("server", mesh=mesh_name) as node:
        requests = node.reply("work")
        node.reply("sum")(sum)
        child = spawn(CALLER, mesh_name)
        request = requests.receive(timeout=LIMIT)
        child.signal(signal.SIGINT)
        assert child.line(LIMIT) == "interrupted"
        assert child.line(LIMIT) == "3"
        assert request.cancelled
        assert child.running
        child.end_input()
        assert child.wait(LIMIT) == 0
        requests.close()
