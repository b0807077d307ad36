"""The direct connection breaks in every way it can while the control link lives: nobody notices."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import pytest

import meshmq
from meshmq.core import pulse
from meshmq.core.pulse import Pulse
from tests.network.children import LIMIT
from tests.network.conftest import Spawn
from tests.network.detour import DetouredNode
from tests.network.proxy import Proxy
from tests.network.workforce import Record, Workforce
from tests.scale import STRESS, scale

BETWEEN: Final = 400
LAST: Final = -1
#: Half-open connections stall it for 4 s by design.
STALL: Final = 5.0 if STRESS else 15.0

Break = Callable[[Proxy], int]


def test_resets_under_load_lose_and_repeat_nothing(spawn: Spawn, mesh_name: str) -> None:
    break_and_count(spawn, mesh_name, Proxy.cut, scale(5, 50))


@pytest.mark.parametrize(
    ("towards", "back"),
    [
        pytest.param(True, True),
        pytest.param(True, False, marks=pytest.mark.stress),
        pytest.param(False, True, marks=pytest.mark.stress),
    ],
)
def test_half_open_connections_lose_and_repeat_nothing(
    spawn: Spawn, mesh_name: str, monkeypatch: pytest.MonkeyPatch, towards: bool, back: bool
) -> None:
    if not STRESS:
        lose_patience_soon(monkeypatch)

    def silence(proxy: Proxy) -> int:
        return proxy.silence(towards_target=towards, from_target=back)

    break_and_count(spawn, mesh_name, silence, scale(1, 5))


def lose_patience_soon(patch: pytest.MonkeyPatch) -> None:
    """Let sessions of this process ask, and give up, after less than they do."""
    whole = Pulse.ask

    def ask(self: Pulse, now: float, allowance: float = 0.5) -> bool:
        return whole(self, now, allowance)

    patch.setattr(pulse, "PING_AFTER", 0.3)
    patch.setattr(Pulse, "ask", ask)


def break_and_count(spawn: Spawn, mesh: str, break_it: Break, times: int) -> None:
    """Break the connection again and again while jobs flow; then count the executions of every job."""
    team = Workforce(spawn, mesh, "jobs", 1, "--name", "worker", "--insecure")
    broken, longest = 0, 0.0
    enough = threading.Event()
    with DetouredNode("boss", mesh=mesh, settings=meshmq.Settings(outbox_jobs=2_000)) as node:
        node.wait_for(pull="jobs", count=1, timeout=LIMIT)
        pushed: list[int] = []

        def push() -> None:
            while not enough.is_set():
                node.push("jobs", len(pushed))
                pushed.append(len(pushed))

        pusher = threading.Thread(target=push)
        pusher.start()
        try:
            while broken < times:
                longest = max(longest, until_acked(node, acked(node) + BETWEEN))
                broken += max(map(break_it, list(node.proxies.values())))  # it goes through one of them
            longest = max(longest, until_acked(node, acked(node) + BETWEEN))
        finally:
            enough.set()
            pusher.join()
        node.push("jobs", LAST)
        node.flush(LIMIT)
        record = Record([team.workers[0].until(f"done {LAST}")])  # what it tells of our leaving comes after
        events = list(node.events(0))
        accepted = sum(proxy.accepted for proxy in node.proxies.values())
    team.end()
    print(f"{len(pushed):,} jobs, {broken} breaks, {accepted} connections, longest stall {longest:.2f} s")
    assert accepted > times
    assert list(record.done) == [*range(len(pushed)), LAST]  # one pusher, one worker: in the order of push
    assert record.repeats == 0
    assert [event.kind for event in events if event.kind in ("lost", "left", "refused")] == []
    assert {kind for kind, _ in record.events} <= {"joined", "changed"}
    assert longest < STALL


def acked(node: meshmq.Node) -> int:
    count = node.stats()["queues"].get("jobs", {}).get("push", {}).get("acked", 0)
    assert isinstance(count, int)
    return count


def until_acked(node: meshmq.Node, count: int) -> float:
    """Wait until so many jobs are acked; returns the longest time without an ack."""
    last = begun = time.monotonic()
    longest, before = 0.0, acked(node)
    beat = threading.Event()
    while before < count:
        beat.wait(0.005)
        now = time.monotonic()
        current = acked(node)
        if current > before:
            longest, last, before = max(longest, now - last), now, current
        assert now - begun < 4 * STALL, f"no ack for {now - last:.1f} s: {node.stats()}"
    return longest
