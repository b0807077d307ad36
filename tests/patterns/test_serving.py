"""Recipes for those who serve: in several processes, through changes of settings and of versions."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
from multiprocessing.context import SpawnProcess

import pytest
from meshmq.patterns.config_broadcast import ConfigBroadcast
from meshmq.patterns.graceful_rollout import roll_out
from meshmq.patterns.service_pool import ServicePool

import meshmq


def serve(mesh: str, name: str | None = None) -> None:
    node = meshmq.Node(name, mesh=mesh)
    node.reply("pid", idempotent=True)(lambda data: os.getpid())
    node.run()


def leave_badly(mesh: str, name: str) -> None:
    node = meshmq.Node(name, mesh=mesh)
    node.reply("pid")(lambda data: os.getpid())
    node.run()
    raise SystemExit(3)


def do_nothing() -> None:
    return


def started(target: object, name: str, *arguments: str) -> SpawnProcess:
    process = multiprocessing.get_context("spawn").Process(target=target, args=arguments, name=name, daemon=True)  # type: ignore[arg-type]  # one of the functions above
    process.start()
    return process


def ended(*processes: SpawnProcess) -> list[int | None]:
    for process in processes:
        process.terminate()
        process.join(20)
    return [process.exitcode for process in processes]


def test_a_pool_has_the_size_it_was_given_last_and_replaces_who_dies(mesh_name: str) -> None:
    with meshmq.Node("caller", mesh=mesh_name) as caller:
        with ServicePool(1, serve, mesh_name) as pool:
            first = caller.request("pid", timeout=20)
            pool.resize(2)
            caller.wait_for(reply="pid", count=2, timeout=20)
            os.kill(first, signal.SIGKILL)
            pids: set[int] = set()
            while len(pids - {first}) < 2:  # one that was there, and one in place of the first
                pids.add(caller.request("pid", timeout=20, idempotent=True))
        with pytest.raises(meshmq.NoPeersError):
            caller.request("pid", timeout=0)


def test_settings_reach_who_comes_later_and_failures_are_told(mesh_name: str) -> None:
    applied: queue.SimpleQueue[int] = queue.SimpleQueue()

    def apply(values: dict[str, int]) -> None:
        applied.put(values["limit"])
        if values["limit"] < 0:
            raise ValueError("below 0")

    with meshmq.Node("operator", mesh=mesh_name) as operator, meshmq.Node("worker", mesh=mesh_name) as worker:
        config = ConfigBroadcast(operator, "limits")
        assert config.confirm(timeout=0.5) == {}
        config.set({"limit": 1})
        ConfigBroadcast.follow(worker, "limits", apply)
        assert applied.get(timeout=20) == 1
        operator.wait_for(reply="config.limits.applied", timeout=20)
        assert config.confirm(timeout=20) == {"worker": ""}
        config.set({"limit": -1})
        assert config.confirm(timeout=20) == {"worker": "NotApplied on worker: ValueError: below 0"}
        config.set({"limit": 2})
        assert config.confirm(timeout=20) == {"worker": ""}
        with pytest.raises(meshmq.EncodeError):
            config.set({"limit": threading.Event()})
        assert config.confirm(timeout=20) == {"worker": ""}


def test_who_has_not_applied_settings_in_time_is_told(mesh_name: str) -> None:
    over = threading.Event()
    with meshmq.Node("operator", mesh=mesh_name) as operator, meshmq.Node("worker", mesh=mesh_name) as worker:
        config = ConfigBroadcast(operator, "limits")
        ConfigBroadcast.follow(worker, "limits", lambda values: over.wait(20))
        operator.wait_for(reply="config.limits.applied", timeout=20)
        config.set(1)
        assert config.confirm(timeout=0.3)["worker"].startswith("no answer of 'config.limits.applied'")
        over.set()
        assert config.confirm(timeout=20) == {"worker": ""}


def test_old_workers_stay_where_the_new_one_does_not_come(mesh_name: str) -> None:
    old = started(serve, "old", mesh_name, "old")
    with meshmq.Node("operator", mesh=mesh_name) as operator:
        operator.wait_for(reply="pid", timeout=20)
        with pytest.raises(RuntimeError, match="new has not come: old stays"):
            roll_out(operator, [old], lambda: started(do_nothing, "new"), timeout=20)
        assert operator.request("pid", timeout=20) == old.pid
        assert ended(old) == [0]


@pytest.mark.stress
def test_a_rollout_stops_at_an_old_worker_that_ends_badly(mesh_name: str) -> None:
    bad, good = started(leave_badly, "bad", mesh_name, "bad"), started(serve, "good", mesh_name, "good")
    new: list[SpawnProcess] = []

    def start() -> SpawnProcess:
        new.append(started(serve, "new", mesh_name, "new"))
        return new[-1]

    with meshmq.Node("operator", mesh=mesh_name) as operator:
        operator.wait_for(reply="pid", count=2, timeout=20)
        with pytest.raises(RuntimeError, match="bad has not ended well: its status is 3"):
            roll_out(operator, [bad, good], start)
        assert (len(new), good.is_alive()) == (1, True)
        assert ended(good, *new) == [0, 0]
