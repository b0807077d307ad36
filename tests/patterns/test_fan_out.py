"""One caller calls many times: with one queue for its answers, each with its call."""

from __future__ import annotations

import threading

import pytest
from meshmq.patterns.fan_out_fan_in import FanOut

import meshmq


def test_calls_share_a_queue_and_a_late_answer_is_left_aside(mesh_name: str) -> None:
    go = threading.Event()

    def double(value: int) -> int:
        assert go.wait(20)
        return 2 * value

    with meshmq.Node("worker", mesh=mesh_name) as worker:
        thread = threading.Thread(target=FanOut.work, args=(worker, "parts", double))
        thread.start()
        with meshmq.Node("caller", mesh=mesh_name) as caller:
            caller.wait_for(pull="parts", timeout=20)
            fan = FanOut(caller, "parts")
            with pytest.raises(meshmq.TimedOut):
                fan.map([-1], timeout=0.05)
            go.set()
            assert [fan.map([number, 10], timeout=20) for number in range(20)] == [[2 * n, 20] for n in range(20)]
            assert len(caller.stats()["queues"]) == len(worker.stats()["queues"]) == 2
        worker.close()
        thread.join()
