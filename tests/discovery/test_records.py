"""Records: what a node shows fits into DNS, and what anybody shows is checked."""

from __future__ import annotations

import secrets
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshmq.discovery.base import Announcement
from meshmq.discovery.records import instance_of, properties_of, read_records

_ID = bytes(range(16))
_GOOD: dict[bytes, bytes | None] = {b"id": _ID.hex().encode(), b"mesh": b"home", b"tag": b"01020304"}


def _announcement(name: str = "kitchen", tag: bytes = b"") -> Announcement:
    return Announcement(_ID, name, "home", tag, 5555, ("10.0.0.7",))


@pytest.mark.parametrize(
    ("name", "instance"),
    [
        ("kitchen", "kitchen-00010203"),
        ("weather.kitchen", "weather-kitchen-00010203"),
        ("x" * 200, "x" * 40 + "-00010203"),
        ("ü" * 100, "ü" * 20 + "-00010203"),
        ("x" + "ü" * 100, "x" + "ü" * 19 + "-00010203"),
    ],
)
def test_an_instance_is_one_short_label(name: str, instance: str) -> None:
    assert instance_of(_announcement(name)) == instance
    assert len(instance.encode()) <= 49


def test_nothing_but_id_mesh_and_tag_is_shown() -> None:
    assert properties_of(_announcement()) == {"id": _ID.hex(), "mesh": "home"}
    assert properties_of(_announcement(tag=b"\1\2\3\4")) == {"id": _ID.hex(), "mesh": "home", "tag": "01020304"}


def test_what_is_shown_is_read_back() -> None:
    shown = {key.encode(): value.encode() for key, value in properties_of(_announcement(tag=b"\1\2\3\4")).items()}
    read = read_records(instance_of(_announcement()), shown, ["10.0.0.7", "fd00::7", "fe80::1%1"], 5555)
    assert read is not None
    assert (read.name, read.node_id, read.mesh, read.tag) == ("kitchen", _ID, "home", b"\1\2\3\4")
    assert read.addresses == (
        "tcp://10.0.0.7:5555",
        "tcp://[fd00::7]:5555",
        f"tcp://[fe80::1%{socket.if_indextoname(1)}]:5555",
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": 0},
        {"port": 65536},
        {"hosts": []},
        {"hosts": ["0.0.0.0", "224.0.0.251", "::", "ff02::fb", "fe80::1%99999", "nonsense"]},
        {"properties": {}},
        {"properties": {**_GOOD, b"id": None}},
        {"properties": {**_GOOD, b"id": b"00"}},
        {"properties": {**_GOOD, b"id": b"\xff" * 32}},
        {"properties": {**_GOOD, b"tag": b"0102"}},
        {"properties": {**_GOOD, b"mesh": b""}},
        {"properties": {**_GOOD, b"mesh": b"\xff"}},
    ],
)
def test_what_is_not_a_node_is_passed_over(wrong: dict[str, Any]) -> None:
    good = {"instance": "kitchen-00010203", "properties": _GOOD, "hosts": ["10.0.0.7"], "port": 5555}
    assert read_records(**good) is not None  # type: ignore[arg-type]  # the same call with and without a fault
    assert read_records(**{**good, **wrong}) is None


def test_a_name_cannot_write_to_the_terminal() -> None:
    read = read_records("\x1b[2Jkit\u202echen\n-00010203", _GOOD, ["10.0.0.7"], 5555)
    assert read is not None
    assert read.name == "?[2Jkit?chen?"


def test_addresses_are_bounded() -> None:
    read = read_records("kitchen-00010203", _GOOD, [f"10.0.{n // 256}.{n % 256}" for n in range(1, 1000)], 5555)
    assert read is not None
    assert len(read.addresses) == 16


@given(
    st.text(),
    st.dictionaries(st.sampled_from([b"id", b"mesh", b"tag", b"x"]), st.none() | st.binary()),
    st.lists(st.text() | st.ip_addresses().map(str)),
    st.integers(),
)
def test_any_records_are_a_node_or_nothing(
    instance: str, properties: dict[bytes, bytes | None], hosts: list[str], port: int
) -> None:
    read = read_records(instance, properties, hosts, port)
    assert read is None or (len(read.node_id) == 16 and read.addresses)


def test_ids_that_begin_alike_are_still_told_apart() -> None:
    one, other = (bytes(4) + secrets.token_bytes(12) for _ in range(2))
    shown = [
        read_records("a-00000000", {**_GOOD, b"id": each.hex().encode()}, ["10.0.0.7"], 1) for each in (one, other)
    ]
    assert {read.node_id for read in shown if read} == {one, other}
