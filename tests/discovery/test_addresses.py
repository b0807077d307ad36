"""Given addresses: what is one, and what is said about what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshmq.discovery.addresses import GivenAddresses, parse_peer
from meshmq.errors import ConfigError
from tests.discovery.neighbours import Ear, announcement


@pytest.mark.parametrize(
    ("text", "peer"),
    [
        ("10.0.0.7:5555", ("10.0.0.7", 5555)),
        ("camera:1", ("camera", 1)),
        ("camera.lan:65535", ("camera.lan", 65535)),
        ("camera.lan.:5555", ("camera.lan.", 5555)),
        ("my_host-2:5555", ("my_host-2", 5555)),
        ("küche.lan:5555", ("küche.lan", 5555)),
        ("[::1]:5555", ("::1", 5555)),
        ("[fe80::1%eth0]:5555", ("fe80::1%eth0", 5555)),
    ],
)
def test_host_and_port_are_parted(text: str, peer: tuple[str, int]) -> None:
    assert parse_peer(text) == peer


@pytest.mark.parametrize(
    "text",
    [
        "",
        "camera",
        "camera:",
        ":5555",
        "camera:0",
        "camera:65536",
        "camera:٣",
        "camera:http",
        "::1:5555",
        "::1",
        "[::1]",
        "[camera]:5555",
        "[::1%]:5555",
        "10.0.0.300:5555",
        "10.0.7:5555",
        "tcp://camera:5555",
        "a b:5555",
        "a/b:5555",
        "a..b:5555",
        "camera:5555\n",
        "x" * 254 + ":5555",
        None,
        5555,
        b"camera:5555",
    ],
)
def test_what_is_no_address_is_refused_with_an_example(text: object) -> None:
    with pytest.raises(ConfigError, match=r"is not the address of a peer: .*'10\.0\.0\.7:5555'"):
        parse_peer(text)


@given(st.text())
def test_any_text_is_an_address_or_one_error(text: str) -> None:
    try:
        host, port = parse_peer(text)
    except ConfigError:
        return
    assert host
    assert 1 <= port <= 65535


def test_a_long_text_is_not_repeated_whole() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_peer("x" * 10_000)
    assert len(str(caught.value)) < 300


def test_a_bad_address_is_refused_before_the_start() -> None:
    with pytest.raises(ConfigError):
        GivenAddresses(["10.0.0.7:5555", "camera"])


@pytest.mark.parametrize("peers", ["10.0.0.7:5555", b"10.0.0.7:5555"])
def test_one_text_instead_of_a_list_is_refused(peers: str) -> None:
    with pytest.raises(ConfigError, match="it is a list"):
        GivenAddresses(peers)


def test_names_are_passed_on_unresolved_and_once_each() -> None:
    ear = Ear()
    GivenAddresses(["camera.lan:5555", "[fe80::1%eth0]:5", "camera.lan:5555"]).start(announcement(), ear)
    assert [rumour.addresses for rumour in ear.rumours] == [("tcp://camera.lan:5555",), ("tcp://[fe80::1%eth0]:5",)]
    assert ear.ids == {None}


@pytest.mark.parametrize(
    ("peers", "status"),
    [([], "no addresses given"), (["a:1"], "1 address given"), (["a:1", "b:1"], "2 addresses given")],
)
def test_status_counts_them(peers: list[str], status: str) -> None:
    assert GivenAddresses(peers).status == status
