from __future__ import annotations

import logging
import select
import threading
from functools import partial

import pytest

from meshmq.errors import ClosedError, InUseError, LinkError, WouldBlock
from meshmq.links.engine import Engine
from meshmq.links.waiter import ThreadWaiter
from tests.drivers.fakes import LIMIT, ToyDecider, ToyLinks, opened, toy


def fail(cause: Exception) -> None:
    raise cause


@pytest.mark.parametrize("where", ["links", "decider", "posted", "send", "mesh error"])
def test_an_exception_in_a_step_breaks_the_node(where: str, caplog: pytest.LogCaptureFixture) -> None:
    with opened() as (engine, decider, links):
        waiter = ThreadWaiter()
        with engine.gate:
            engine.register("key", waiter)
        cause: Exception = LinkError("disk full") if where == "mesh error" else ValueError("disk full")
        match where:
            case "posted":
                engine.post(partial(fail, cause))
            case "decider":
                decider.outputs.append(("dance",))
            case "send":
                decider.outputs.append(("send", 2, ()))
                links.error = cause
            case _:
                links.error = cause
        decider.words.append((logging.INFO, "meshmq.toy", "the last words"))
        engine.step()
        assert engine.closed
        assert waiter.wait(0)
        assert links.done[-1] == ("close", 0.0)
        with pytest.raises(ClosedError, match="broke") as raised:
            engine.check()
        if where != "decider":
            assert raised.value.__cause__ is cause
        with pytest.raises(ClosedError), engine.gate:
            engine.register("key", waiter)
        engine.step()
        engine.close(1.0)
        engine.post(lambda: pytest.fail("done after the end"))
        assert "broke and is closed: Traceback" in caplog.text


def test_an_exception_in_a_call_breaks_the_node_unless_it_is_the_callers() -> None:
    with opened() as (engine, decider, links):
        with pytest.raises(WouldBlock), engine.gate:
            raise WouldBlock
        engine.check()
        links.error = LinkError("no such socket")  # a MeshError, but not the fault of who flushes
        decider.outputs.append(("send", 2, (b"x",)))
        with pytest.raises(ClosedError) as raised, engine.gate:
            engine.flush()
        assert raised.value.__cause__ is links.error
        assert engine.closed
    with opened() as (engine, _, links):
        with pytest.raises(ClosedError, match="ZeroDivisionError"), engine.gate:
            raise ZeroDivisionError
        assert engine.closed
        assert ("close", 0.0) in links.done


def test_breaking_from_inside_and_outside_and_the_first_cause_counts() -> None:
    with opened() as (engine, _, _):
        first = ValueError("first")
        with engine.gate:
            engine.break_(first)
        engine.break_(ValueError("second"))
        with pytest.raises(ClosedError) as raised:
            engine.check()
        assert raised.value.__cause__ is first
        assert repr(engine) == "<Engine 'toy' broken, 0 waiting>"


def test_closing_sends_what_is_left_and_wakes_everybody() -> None:
    engine, decider, links = toy()
    waiter = ThreadWaiter()
    with engine.gate:
        engine.register("key", waiter)
    assert repr(engine) == "<Engine 'toy' open, 1 waiting>"
    decider.outputs.append(("publish", (b"goodbye",)))
    engine.close(0.5)
    engine.close(0.7)
    assert links.done == [("publish", (b"goodbye",)), ("close", 0.5)]
    assert waiter.wait(0)
    with pytest.raises(ClosedError, match="node 'toy' is closed"):
        engine.check()
    with pytest.raises(ClosedError):
        engine.fileno()
    with engine.gate:
        engine.unregister("key", waiter)
        decider.outputs.append(("publish", (b"too late",)))
        engine.flush()
    assert decider.outputs == []
    engine.wake()
    assert engine.deadline is None


def test_links_that_cannot_be_closed_are_told(caplog: pytest.LogCaptureFixture) -> None:
    class Stubborn(ToyLinks):
        def close(self, linger: float) -> None:
            super().close(linger)
            raise OSError("busy")

    engine = Engine(ToyDecider(), Stubborn(), name="x")
    engine.close(0.0)
    assert "closing its links failed: OSError('busy')" in caplog.text


def test_one_driver_is_at_the_helm_and_keeps_the_descriptor_open() -> None:
    engine, _, _ = toy()
    descriptor = engine.take_helm()
    with pytest.raises(InUseError):
        engine.take_helm()
    engine.check()
    engine.step()
    assert not select.select([descriptor], [], [], 0)[0]
    engine.close(0.0)
    assert select.select([descriptor], [], [], 0)[0], "the driver is not told"
    engine.leave_helm()
    engine.leave_helm()
    with pytest.raises(ClosedError):
        engine.take_helm()


def test_sixteen_threads_use_it_while_another_closes_it() -> None:
    engine, decider, links = toy()
    refused: list[int] = []
    begun = threading.Barrier(17)

    def use() -> None:
        begun.wait(LIMIT)
        try:
            while True:
                with engine.gate:
                    engine.check()
                    decider.outputs.append(("publish", (b"x",)))
                    engine.flush()
        except ClosedError:
            refused.append(1)

    threads = [threading.Thread(target=use) for _ in range(16)]
    for thread in threads:
        thread.start()
    begun.wait(LIMIT)
    engine.close(0.0)
    for thread in threads:
        thread.join(LIMIT)
    assert len(refused) == 16
    assert links.done[-1] == ("close", 0.0), "used after it was closed"
