"""Whoever is refused, and whoever refuses, is told why and what repairs it: another sentence for each cause."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Final

import pytest

import meshmq
from tests.network.children import LIMIT
from tests.network.conftest import Spawn
from tests.scale import scale

OURS: Final = "the one secret of this mesh, long enough"
OTHER: Final = "another secret of another mesh, as long"

WRONG: Final = "its secret is another one; give both nodes the same MESHMQ_SECRET"
NONE_THERE: Final = "it has no secret and this node has one; set MESHMQ_SECRET there too"
NONE_HERE: Final = "it has a secret and this node has none; set MESHMQ_SECRET here too"
MESH: Final = "it belongs to mesh {!r}; start both with the same mesh= or MESHMQ_MESH"


class Deaf:
    """Stands in for zeroconf where no multicast gets through."""

    name = "zeroconf"
    status = "hears nothing"

    def __init__(self, *arguments: object) -> None:
        pass

    def start(self, *arguments: object) -> None:
        pass

    def refresh(self) -> None:
        pass

    def close(self) -> None:
        pass


class Places:
    """Opens nodes that share no directory, so that they meet over TCP alone."""

    def __init__(self, directory: Path, patch: pytest.MonkeyPatch) -> None:
        self._directory, self._patch, self._count = directory, patch, 0

    def open(self, name: str, mesh: str, secret: str | None, *peers: str) -> meshmq.Node:
        self._patch.setenv("MESHMQ_RUNTIME_DIR", str(self.private()))
        return meshmq.Node(name, mesh=mesh, secret=secret, insecure=secret is None, peers=peers).open()

    def private(self) -> Path:
        self._count += 1
        path = self._directory / str(self._count)
        path.mkdir(mode=0o700)
        return path


@pytest.fixture(params=["addresses", "zeroconf"])
def places(request: pytest.FixtureRequest, runtime_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """With zeroconf, too, whose records tell of a stranger before the dial does."""
    if request.param == "addresses":
        monkeypatch.setattr("meshmq.discovery.zeroconf.ZeroconfDiscovery", Deaf)
    return Places(runtime_directory, monkeypatch)


def tcp(node: meshmq.Node) -> str:
    """Return the address to give to others."""
    return next(address for address in node.addresses if address.startswith("tcp://")).removeprefix("tcp://")


def told(node: meshmq.Node) -> str:
    """Return the reason of the first refusal."""
    return next(event.reason for event in node.events(LIMIT) if event.kind == "refused")


def logged(caplog: pytest.LogCaptureFixture, *sentences: str) -> None:
    """Hold that it stands in the log, too: whoever left the node's lock writes it, a moment after the event."""
    never, deadline = threading.Event(), time.monotonic() + LIMIT
    while any(sentence not in caplog.text for sentence in sentences) and time.monotonic() < deadline:
        never.wait(0.01)
    assert not [sentence for sentence in sentences if sentence not in caplog.text]


@pytest.mark.parametrize(
    ("here", "there", "told_here", "told_there"),
    [
        (OURS, OTHER, WRONG, WRONG),
        (OURS, None, NONE_THERE, NONE_HERE),
        (None, OURS, NONE_HERE, NONE_THERE),
    ],
    ids=["another secret", "none there", "none here"],
)
def test_who_has_another_secret_is_told_at_both_ends(
    places: Places,
    mesh_name: str,
    caplog: pytest.LogCaptureFixture,
    here: str | None,
    there: str | None,
    told_here: str,
    told_there: str,
) -> None:
    with (
        caplog.at_level(logging.WARNING),
        places.open("there", mesh_name, there) as bound,
        places.open("here", mesh_name, here, tcp(bound)) as dialling,
    ):
        assert (told(dialling), told(bound)) == (told_here, told_there)
        assert dialling.peers() == bound.peers() == []
    logged(caplog, told_here, told_there)


@pytest.mark.parametrize("secret", [OURS, None], ids=["with a secret", "insecure"])
def test_who_is_of_another_mesh_is_told_at_both_ends(
    places: Places, mesh_name: str, caplog: pytest.LogCaptureFixture, secret: str | None
) -> None:
    other = f"{mesh_name}-other"
    with (
        caplog.at_level(logging.WARNING),
        places.open("there", other, secret) as bound,
        places.open("here", mesh_name, secret, tcp(bound)) as dialling,
    ):
        assert (told(dialling), told(bound)) == (MESH.format(other), MESH.format(mesh_name))
        assert dialling.peers() == bound.peers() == []
    logged(caplog, MESH.format(other), MESH.format(mesh_name))


def test_who_speaks_another_version_is_told_at_both_ends(
    places: Places, spawn: Spawn, mesh_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), places.open("here", mesh_name, OURS) as node:
        env = {"MESHMQ_RUNTIME_DIR": str(places.private()), "MESHMQ_MESH": mesh_name, "MESHMQ_SECRET": OURS}
        child = spawn(FROM_TOMORROW, env=env | {"MESHMQ_PEERS": tcp(node)})
        reason = told(node)
        assert "it speaks protocol version 3" in reason
        assert "install the same MeshMQ on both" in reason
        assert "it speaks protocol version 2 and this node another" in child.line()
        assert node.peers() == []
        child.end_input()
        assert child.wait() == 0
    logged(caplog, reason)


FROM_TOMORROW: Final = """
import sys
import meshmq
from meshmq.wire import card, frames
card.VERSION = frames.VERSION = 3
with meshmq.Node("tomorrow") as node:
    print(next(event.reason for event in node.events(20) if event.kind == "refused"), flush=True)
    sys.stdin.read()
"""


def test_who_was_refused_comes_in_once_the_secret_is_right(places: Places, mesh_name: str) -> None:
    with places.open("there", mesh_name, OURS) as bound:
        with places.open("here", mesh_name, OTHER, tcp(bound)) as dialling:
            assert told(dialling) == WRONG
        jobs = bound.pull("jobs")
        with places.open("here", mesh_name, OURS, tcp(bound)) as dialling:
            dialling.push("jobs", "let in")
            message = jobs.receive(LIMIT)
            message.ack()
            assert message.data == "let in"


@pytest.mark.parametrize("places", ["addresses"], indirect=True)
def test_who_comes_again_and_again_is_told_once(
    places: Places, mesh_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), places.open("there", mesh_name, OURS) as bound:
        for _ in range(scale(3, 20)):
            with places.open("here", mesh_name, OTHER, tcp(bound)) as dialling:
                assert told(dialling) == WRONG
        told_there = [event.address for event in bound.events(0) if event.kind == "refused"]
        assert told_there == ["127.0.0.1"]
        assert bound.stats()["dropped"]["turned_away"] >= scale(3, 20)
