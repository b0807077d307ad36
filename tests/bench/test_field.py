"""What is compared is what was promised, and the table has the figures that say most."""

from __future__ import annotations

import os

from meshmq.bench.kinds import Run, mesh, plain
from meshmq.bench.rounds import Compared
from meshmq.bench.work import Work
from tests.bench import ratios
from tests.bench.batched import PUSH as BATCHED
from tests.bench.brokers import cpu_of
from tests.bench.field import missing, rivals, sections, servers


def test_everything_promised_is_compared_over_both_transports() -> None:
    titles: dict[tuple[str, str], set[str]] = {}
    for works in sections(1.0, (1, 4, 8)).values():
        for compared in works:
            titles.setdefault((compared.work.title, compared.work.transport), set()).update(
                side.name for side in compared.sides[1:]
            )
    for transport in ("ipc", "tcp"):
        for work, other in (
            ("push 1:1 sync", "pyzmq"),
            ("push 1:1 sync", BATCHED.name),
            ("push 1:1 async", "zmq.asyncio"),
            ("push 1:4 sync", "pyzmq"),
            ("push 4:1 sync", "pyzmq"),
            ("push 1:1 sync encrypted", "itself in clear"),
            *((f"publish 1:{number} sync", "pyzmq") for number in (1, 4, 8)),
            ("request 1:1 sync", "by handler"),
            ("request 1:1 async", "zmq.asyncio"),
            ("request 1:1 async", "by handler"),
            ("request 1:1 x 32 sync", "pyzmq"),
            ("request 1:1 x 32 async", "zmq.asyncio"),
            ("large 1 MB array 1:1 sync", "pyzmq"),
            ("large 16 MB array 1:1 sync", "pyzmq"),
            ("discover 4 there sync", "pyzmq"),
        ):
            assert other in titles[work, transport], (work, transport)


def test_rivals_are_there_or_it_is_said_how_they_come() -> None:
    assert bool(rivals("pynng", "PUSH")) != ("pynng" in " ".join(missing()))
    assert {broker.name for broker in servers()} == {
        side.name for name in ("nats", "redis", "rabbitmq") for side in rivals(name, "PUSH")
    }


def test_rows_have_ours_theirs_and_the_ratio() -> None:
    ours, theirs = mesh("push", "sync"), plain("push", "sync")
    compared = Compared(Work(kind="push", count=1), [ours, theirs])
    compared.runs = {ours.name: [Run({"rate": 3.0, "cpu": 2.0})], theirs.name: [Run({"rate": 2.0, "cpu": 4.0})]}
    assert ratios.rows(compared) == [
        ("push 1:1 sync", "ipc", "messages/s", "3.00", "pyzmq", "2.00", "1.50"),
        ("push 1:1 sync", "ipc", "CPU s/million", "2.00 s", "pyzmq", "4.00 s", "0.50"),
    ]


def test_processor_time_of_a_process_is_read() -> None:
    assert 0 < cpu_of(os.getpid()) < 1e6
