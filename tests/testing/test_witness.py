"""The witness of a simulation sees what nodes would not say of themselves."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass

import pytest

from meshmq import AsyncNode
from meshmq.core.outbox import Outbox
from meshmq.core.runs import Run
from meshmq.message import Message
from meshmq.testing import Faults, SimulatedNode, Simulation, SimulationFailed, simulate
from meshmq.testing.watched import WatchedConsumer, WatchedOutbox
from tests.scale import scale
from tests.testing.test_programs import STILL, Orders, many


def test_the_witness_sees_an_ack_of_what_was_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WatchedConsumer, "_finish", lambda self: None)
    with pytest.raises(SimulationFailed, match="is acked, and was not done"):
        simulate(1, scenario=Orders(), faults=STILL)


def test_the_witness_sees_a_repeat_without_a_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Message, "redelivered", False)
    with pytest.raises(SimulationFailed, match="is executed twice without a flag"):
        many(range(20), Faults.few(6))


def test_outboxes_are_watched() -> None:
    scenario = Orders()
    simulate(1, scenario=scenario, faults=STILL)
    outboxes = [outbox for node in scenario.nodes() for outbox in node.participant.outboxes.values()]
    assert outboxes
    assert all(isinstance(outbox, WatchedOutbox) for outbox in outboxes)


@dataclass
class Keyed(Orders):
    """Orders of one customer are to be shipped one after the other."""

    async def main(self, node: AsyncNode, index: int) -> None:
        if index:
            async for message in node.pull("orders"):
                await asyncio.sleep(0.05)
                self.shipped[message.data] += 1
        else:
            for number in range(self.orders):
                await node.push("orders", number, key=f"customer-{number % 3}")

    def may_crash(self, sim: Simulation, node: SimulatedNode) -> bool:
        return node.index > 0


def test_jobs_of_one_key_are_done_in_order() -> None:
    counts: Counter[str] = Counter()
    for seed in range(scale(test=15, stress=300)):
        counts.update(simulate(seed, scenario=Keyed(), faults=Faults.few(3)).counts)
    assert counts["crash"]


def test_the_witness_sees_jobs_of_one_key_out_of_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def add_all(self: Outbox, run: Run, key: str | None, due: float | None) -> None:
        self.backlog.append(run)

    monkeypatch.setattr(Outbox, "_let_go", add_all)
    with pytest.raises(SimulationFailed, match="one of its key"):
        simulate(1, scenario=Keyed(), faults=STILL)
