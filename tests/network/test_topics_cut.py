"""The way to a publisher is cut for a while under load: what was missed is fetched, or told exactly."""

from __future__ import annotations

import threading
import time
from typing import Final

import pytest

import meshmq
from tests.network.audience import Publisher
from tests.network.children import LIMIT
from tests.network.conftest import Spawn
from tests.network.detour import DetouredNode
from tests.scale import STRESS, scale

RATE: Final = scale(2_000, 10_000)
COUNT: Final = RATE * scale(3, 10)
#: Longer than a session lives without a connection.
CUT: Final = 5.0 if STRESS else 1.5
#: A young publisher keeps everything for a while, history or not.
AFTER_YOUTH: Final = 7.0
WAIT: Final = 60.0


@pytest.mark.parametrize(
    ("way", "history"),
    [
        pytest.param("refused", 2 * COUNT, id="refused, history"),
        pytest.param("silent", 2 * COUNT, id="silent, history", marks=pytest.mark.stress),
        pytest.param("refused", 0, id="refused, no history", marks=pytest.mark.stress),
        pytest.param("silent", 0, id="silent, no history", marks=pytest.mark.stress),
    ],
)
def test_after_a_cut_under_load_what_was_missed_is_fetched_or_told(
    spawn: Spawn, mesh_name: str, way: str, history: int
) -> None:
    publisher = Publisher(spawn, mesh_name, "--insecure", *(["--history", history] if history else []))
    with (
        DetouredNode("subscriber", mesh=mesh_name, topics=True) as node,
        node.subscribe("load", capacity=2 * COUNT) as subscription,
    ):
        publisher.do("wait", "load", 1)
        subscription.ready(LIMIT)
        publisher.begin("publish", "load", COUNT, RATE, 0)
        cut = threading.Timer(0.5 if history else AFTER_YOUTH, cut_for_a_while, (node, way))
        cut.start()
        got: list[tuple[int, int]] = []
        limit = time.monotonic() + WAIT
        while len(got) + subscription.missed < COUNT and time.monotonic() < limit:
            try:
                got += [(message.seq, message.gap) for message in subscription.receive_many(1_000, 0.1)]
            except meshmq.TimedOut:
                continue
        cut.join()
        missed = subscription.missed
        publisher.done(WAIT)
    publisher.leave()
    gaps = [gap for _, gap in got if gap]
    print(f"{way}, history {history:,}: {len(got):,} got, {missed:,} missed, gaps {gaps}")
    assert len(got) + missed == COUNT
    last = 0
    for seq, gap in got:
        assert seq == last + 1 + gap
        last = seq
    if history:
        assert missed == 0
    else:
        assert sum(gaps) + COUNT - last == missed
        assert len(gaps) <= 1  # one hole, however it was cut
        assert missed > 0


def cut_for_a_while(node: DetouredNode, way: str) -> None:
    """Carry nothing, on all ways to and from a node, for ``CUT`` seconds."""
    proxies = list(node.proxies.values())
    for proxy in proxies:
        proxy.refuses = True
        if way == "refused":
            proxy.cut()
        else:
            proxy.silence()
    threading.Event().wait(CUT)
    for proxy in proxies:
        proxy.refuses = False
