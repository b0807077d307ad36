"""A thread that borrowed the helm and is held up, as by a handler of the program: the keeper does what is overdue."""

from __future__ import annotations

import threading

import meshmq
from meshmq.drivers.caller import Caller
from tests.drivers.fakes import LIMIT, give, run_child
from tests.drivers.test_caller import until
from tests.drivers.test_keeper import kept

ASKS_WITHIN = """
import signal, sys, threading, meshmq
from tests.drivers.fakes import LIMIT
from tests.drivers.test_caller import until
from tests.drivers.test_staying_awake import goes_to_sleep

held, main = threading.Event(), threading.get_ident()

def ask(*_):
    if not (held.is_set() or node._engine.gate.mine):
        held.set()
        print(node.request("quick", timeout=LIMIT), flush=True)
        print(node.request("go-on", timeout=LIMIT), flush=True)

def strike():
    while not held.wait(0.01):
        until(goes_to_sleep(node._engine))
        signal.pthread_kill(main, signal.SIGUSR1)

with meshmq.Node(mesh=sys.argv[1]) as node:
    node.wait_for(reply="slow", timeout=LIMIT)
    signal.signal(signal.SIGUSR1, ask)
    striker = threading.Thread(target=strike)
    striker.start()
    print(node.request("slow", timeout=LIMIT), flush=True)
    striker.join()
"""


def test_what_is_overdue_is_done_while_who_borrowed_the_helm_is_held_up() -> None:
    with kept() as (engine, decider, _), Caller(engine) as caller:
        with engine.gate:
            engine.register("nothing", caller)
            caller.take_helm(engine.now())
            assert engine.helm.borrowed
            caller.rest()
        try:
            for number in range(3):
                ticks = len(decider.ticks)
                decider.deadline = engine.now()
                give(engine, decider, "something", b"%d" % number)
                until(lambda ticks=ticks: len(decider.ticks) > ticks)  # type: ignore[misc]  # a default is no argument
        finally:
            with engine.gate:
                engine.unregister("nothing", caller)
                caller.leave_helm()


def test_a_signal_handler_of_the_program_may_ask_while_its_thread_waits(mesh_name: str) -> None:
    asked = threading.Event()
    with meshmq.Node("server", mesh=mesh_name) as server:

        @server.reply("quick")
        def quick(_: object) -> str:
            return "quick"

        @server.reply("go-on")
        def go_on(_: object) -> str:
            asked.set()
            return "asked"

        @server.reply("slow", concurrency=1)
        def slow(_: object) -> str:
            assert asked.wait(LIMIT)
            return "slow"

        child = run_child(ASKS_WITHIN, mesh_name)
    assert child.stderr == ""
    assert child.stdout == "quick\nasked\nslow\n"
