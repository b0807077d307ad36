"""Networks change under their nodes: addresses move, cables are cut; peers come back and jobs go on."""

from __future__ import annotations

import secrets
import threading
from time import monotonic as clock
from typing import Final

import pytest

from tests.network.conftest import Namespaces, Start
from tests.network.members import Member, member
from tests.network.namespaces import Namespace
from tests.scale import STRESS

pytestmark = pytest.mark.root

#: Seconds without a heartbeat after which a peer is missed; the short one makes the test short.
SILENCE: Final = 4.0 if STRESS else 0.8
CUT: Final = 10.0 if STRESS else 2.5
SECRET: Final = secrets.token_urlsafe(32)
LIMIT: Final = 40.0


@pytest.fixture
def env(mesh_name: str) -> dict[str, str]:
    return {"MESHMQ_MESH": mesh_name, "MESHMQ_SECRET": SECRET}


def two(left: Namespace, right: Namespace, start: Start, env: dict[str, str]) -> tuple[Member, Member]:
    """Return a pusher and a puller that know each other and work together."""
    pusher = member(start, "pusher", env=env, within=left, silence=SILENCE, push="jobs")
    puller = member(start, "puller", env=env, within=right, silence=SILENCE, pull="jobs")
    pusher.saw("joined", "puller")
    puller.saw("joined", "pusher")
    pusher.push("before")
    puller.hear(lambda: bool(puller.jobs))
    return pusher, puller


def test_cut_cable_loses_peers_and_healed_brings_them_back(
    namespaces: Namespaces, start: Start, env: dict[str, str]
) -> None:
    network = namespaces(2)
    left, right = network.nodes
    pusher, puller = two(left, right, start, env)
    cut = clock()
    network.cut(right)
    pusher.push("while it is cut")
    lost = [one.saw("lost", other, timeout=LIMIT) for one, other in ((pusher, "puller"), (puller, "pusher"))]
    threading.Event().wait(cut + CUT - clock())
    network.heal(right)
    healed = clock()
    puller.hear(lambda: len(puller.jobs) == 2, LIMIT)
    back = [
        one.saw("joined", other, after=healed, timeout=LIMIT) for one, other in ((pusher, "puller"), (puller, "pusher"))
    ]
    pusher.push("after")
    puller.hear(lambda: len(puller.jobs) == 3, LIMIT)
    print(f"missed {max(one.moment for one in lost) - cut:.2f} s after the cut of {CUT:g} s,", end=" ")
    print(f"back {max(one.moment for one in back) - healed:.2f} s after the heal,", end=" ")
    print(f"the job {puller.jobs[1][0] - healed:.2f} s after it")
    assert [data for _, data in puller.jobs] == ["before", "while it is cut", "after"]
    assert (pusher.kinds("puller"), puller.kinds("pusher")) == (["joined", "lost", "joined"],) * 2


def test_jobs_go_on_where_an_address_changed(namespaces: Namespaces, start: Start, env: dict[str, str]) -> None:
    # The puller moves in one network, and at the same time the pusher in another.
    networks = {"puller": namespaces(2), "pusher": namespaces(2)}
    pairs: dict[str, tuple[Member, Member]] = {}
    for mover, network in networks.items():
        left, right = network.nodes
        pairs[mover] = two(left, right, start, env)
    moved: dict[str, float] = {}
    for mover, network in networks.items():
        moving = network.nodes[mover == "puller"]
        for change in (("del", f"{moving.address}/16"), ("add", "10.77.99.99/16")):
            assert moving.run("ip", "address", *change, "dev", "eth0").returncode == 0
        moved[mover] = clock()
        pairs[mover][0].push("after")
    for mover, (pusher, puller) in pairs.items():
        go_on(mover, moved[mover], pusher, puller)


def go_on(mover: str, moved: float, pusher: Member, puller: Member) -> None:
    puller.hear(lambda: len(puller.jobs) == 2, LIMIT)
    # Where the one that moved was missed, it is back.
    back = max(pusher.met(1, LIMIT), puller.met(1, LIMIT))
    print(f"{mover} moved: its job done after {puller.jobs[1][0] - moved:.2f} s,", end=" ")
    print(f"found again after {back - moved:.2f} s" if back > moved else "missed by nobody")
    pusher.push("again")
    puller.hear(lambda: len(puller.jobs) == 3, LIMIT)
    assert [data for _, data in puller.jobs] == ["before", "after", "again"], f"where the {mover} moved"


def test_who_knows_nobody_else_reaches_a_node_at_its_new_address(
    namespaces: Namespaces, start: Start, env: dict[str, str]
) -> None:
    network = namespaces(2)
    left, right = network.nodes
    puller = member(start, "puller", env=env, within=right, silence=SILENCE, pull="jobs")
    port = puller.ready().addresses[-1].rpartition(":")[2]
    for change in (("del", f"{right.address}/16"), ("add", "10.77.99.99/16")):
        assert right.run("ip", "address", *change, "dev", "eth0").returncode == 0
    pusher = member(start, "pusher", env=env, within=left, push="jobs", deaf=True, peer=f"10.77.99.99:{port}")
    pusher.push("hello")
    puller.hear(lambda: bool(puller.jobs), LIMIT)
    assert [data for _, data in puller.jobs] == ["hello"]
