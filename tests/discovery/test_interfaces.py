"""Interfaces: addresses and names in, addresses out."""

from __future__ import annotations

import ipaddress

import pytest

from meshmq.discovery import interfaces
from meshmq.discovery.adapters import Adapter, adapters
from meshmq.discovery.interfaces import Interfaces, parse_interfaces, usable_interfaces
from meshmq.errors import ConfigError

_HERE = [
    Adapter("lo", "127.0.0.1", 1),
    Adapter("lo", "::1", 1),
    Adapter("docker0", "172.17.0.1", 2),
    Adapter("eth0", "10.0.0.7", 3),
    Adapter("eth0", "fe80::7%eth0", 3),
    Adapter("eth0:1", "10.0.0.8", 3),
    Adapter("wlan0", "169.254.3.4", 4),
    Adapter("wlan0", "192.168.1.7", 4),
    Adapter("veth1", "10.9.0.1", 5),
    Adapter("eth1", "10.1.0.7", 6),
    Adapter("six", "fd00::7", 7),
    Adapter("six", "fe80::1%six", 7),
]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with several interfaces, of which eth1 is down."""
    monkeypatch.setattr(interfaces, "adapters", lambda: list(_HERE))
    monkeypatch.setattr(interfaces, "_is_up", lambda name: name != "eth1")


@pytest.mark.usefixtures("machine")
def test_usable_are_those_that_are_up_and_lead_out_inner_networks_last() -> None:
    assert usable_interfaces() == ("10.0.0.7", "10.0.0.8", "192.168.1.7", "172.17.0.1", "10.9.0.1")


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("10.0.0.7", ("10.0.0.7",)),
        (" 10.0.0.7 , eth1,,", ("10.0.0.7", "10.1.0.7")),
        ("eth0", ("10.0.0.7",)),
        ("eth0,10.0.0.7", ("10.0.0.7",)),
        ("six", ("fd00::7", "fe80::1%six")),
        ("::1", ("::1",)),
        ("fe80::1%six", ("fe80::1%six",)),
        ("203.0.113.9", ("203.0.113.9",)),
        ("*", ("10.0.0.7", "10.0.0.8", "192.168.1.7", "172.17.0.1", "10.9.0.1")),
        ("0.0.0.0", ("10.0.0.7", "10.0.0.8", "192.168.1.7", "172.17.0.1", "10.9.0.1")),
    ],
)
def test_addresses_and_names_are_taken(text: str, addresses: tuple[str, ...]) -> None:
    assert parse_interfaces(text) == addresses


@pytest.mark.usefixtures("machine")
def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no interface 'eth7' .* there are docker0, eth0, eth0:1, eth1, lo, six"):
        parse_interfaces("eth7")


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("text", ["", " ", ",,"])
def test_nothing_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match="names no interface: write addresses or names"):
        parse_interfaces(text)


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("text", "may_change"),
    [("", True), ("*", True), ("eth0", True), ("10.0.0.7,eth0", True), ("10.0.0.7", False), ("::1, 10.0.0.7,", False)],
)
def test_addresses_stay_what_they_are_and_names_may_not(text: str, may_change: bool) -> None:
    assert Interfaces(text).may_change == may_change
    assert Interfaces(text).addresses() == Interfaces(text)() != ()


def test_where_there_is_nothing_a_name_has_no_address_and_nothing_said_is_loopback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(interfaces, "adapters", list)
    assert Interfaces("eth0")() == ()
    assert Interfaces()() == ("127.0.0.1",)


def test_a_machine_without_interfaces_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interfaces, "adapters", list)
    assert usable_interfaces() == ()
    with pytest.raises(ConfigError, match="there is none at all"):
        parse_interfaces("eth0")


def test_this_machine_can_be_listed() -> None:
    assert "127.0.0.1" in {adapter.address for adapter in adapters()}
    assert all(ipaddress.ip_address(adapter.address) for adapter in adapters())
    assert not any(ipaddress.ip_address(address).is_loopback for address in usable_interfaces())
    loopback = next(adapter.name for adapter in adapters() if adapter.address == "127.0.0.1")
    assert "127.0.0.1" in parse_interfaces(loopback)
