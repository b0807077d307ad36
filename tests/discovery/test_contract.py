"""What every discovery keeps to; a new one gets a row in ``WAYS``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest

from meshmq.discovery.addresses import GivenAddresses
from meshmq.discovery.base import Announcement, Discovery
from meshmq.discovery.same_host import SameHost
from meshmq.discovery.zeroconf import ZeroconfDiscovery
from tests.discovery.multicast_here import MULTICAST
from tests.discovery.neighbours import Ear, announcement


@contextmanager
def same_host(ours: Announcement) -> Iterator[Discovery]:
    theirs = announcement(mesh=ours.mesh)
    neighbour = SameHost(theirs.mesh, theirs.node_id)
    neighbour.start(theirs, Ear())
    yield SameHost(ours.mesh, ours.node_id)
    neighbour.close()


@contextmanager
def zeroconf(ours: Announcement) -> Iterator[Discovery]:
    theirs = announcement(mesh=ours.mesh)
    neighbour = ZeroconfDiscovery(["127.0.0.1"])
    neighbour.start(theirs, Ear())
    yield ZeroconfDiscovery(["127.0.0.1"])
    neighbour.close()


@contextmanager
def addresses(ours: Announcement) -> Iterator[Discovery]:
    yield GivenAddresses(["10.0.0.7:5555"])


WAYS: Final = [same_host, pytest.param(zeroconf, marks=MULTICAST), addresses]


@pytest.fixture
def ours(mesh_name: str) -> Announcement:
    return announcement(name="hall", mesh=mesh_name)


@pytest.fixture(params=WAYS)
def discovery(request: pytest.FixtureRequest, ours: Announcement) -> Iterator[Discovery]:
    """One way of discovery, in surroundings where there is one other node to be found."""
    with request.param(ours) as made:
        yield made
        made.close()


def test_it_finds_the_one_that_is_there(discovery: Discovery, ours: Announcement) -> None:
    ear = Ear()
    discovery.start(ours, ear)
    assert ear.wait_for(bool)
    assert {rumour.source for rumour in ear.rumours} == {discovery.name}
    assert len({rumour.addresses for rumour in ear.rumours}) == 1


def test_addresses_are_what_zeromq_dials(discovery: Discovery, ours: Announcement) -> None:
    ear = Ear()
    discovery.start(ours, ear)
    assert ear.wait_for(bool)
    for rumour in ear.rumours:
        assert rumour.addresses
        assert all(address.startswith(("ipc:///", "tcp://")) for address in rumour.addresses)


def test_it_never_finds_the_node_itself(discovery: Discovery, ours: Announcement) -> None:
    ear = Ear()
    discovery.start(ours, ear)
    assert ear.wait_for(bool)
    before = len(ear.rumours)
    discovery.refresh()
    assert ear.wait_for(lambda rumours: len(rumours) > before)
    assert ours.node_id not in ear.ids


def test_refresh_tells_again(discovery: Discovery, ours: Announcement) -> None:
    ear = Ear()
    discovery.start(ours, ear)
    assert ear.wait_for(bool)
    before = len(ear.rumours)
    discovery.refresh()
    assert ear.wait_for(lambda rumours: len(rumours) > before)


def test_after_close_nothing_is_told(discovery: Discovery, ours: Announcement) -> None:
    ear = Ear()
    discovery.start(ours, ear)
    assert ear.wait_for(bool)
    discovery.close()
    before = ear.rumours
    discovery.refresh()
    assert ear.rumours == before


def test_every_call_is_harmless_at_any_time(discovery: Discovery, ours: Announcement) -> None:
    discovery.refresh()
    discovery.start(ours, Ear())
    discovery.close()
    discovery.close()
    discovery.refresh()


def test_status_is_always_a_phrase(discovery: Discovery, ours: Announcement) -> None:
    seen = [discovery.status]
    discovery.start(ours, ear := Ear())
    assert ear.wait_for(bool)
    seen.append(discovery.status)
    discovery.close()
    seen.append(discovery.status)
    assert all(status and "\n" not in status for status in seen)
    assert seen[1] in repr(discovery) or discovery.status in repr(discovery)


def test_closing_takes_a_second_at_most(discovery: Discovery, ours: Announcement) -> None:
    ear = Ear()
    discovery.start(ours, ear)
    assert ear.wait_for(bool)
    began = time.monotonic()
    discovery.close()
    assert time.monotonic() - began < 1.5
