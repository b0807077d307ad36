"""Which connections stay on this host."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from meshmq.links.accepted import inode
from meshmq.links.shared.host import is_accepted_here, is_dialled_here

Ends = Callable[[], tuple[socket.socket, socket.socket]]


@pytest.mark.parametrize(
    ("endpoint", "local", "here"),
    [
        ("ipc:///run/user/1/a.d", "", True),
        ("tcp://127.0.0.1:5555", "127.0.0.1", True),
        ("tcp://127.0.0.2:5555", "127.0.0.1", True),
        ("tcp://192.0.2.7:5555", "192.0.2.7", True),
        ("tcp://192.0.2.7:5555", "192.0.2.8", False),
        ("tcp://192.0.2.7:5555", "127.0.0.1", False),
        ("tcp://[::1]:5555", "::1", True),
        ("tcp://[fe80::1%eth0]:5555", "fe80::1%eth0", True),
        ("tcp://[fe80::1%eth0]:5555", "fe80::2%eth0", False),
        ("tcp://192.0.2.7:5555", "", False),
        ("tcp://:5555", "", False),
    ],
)
def test_what_is_dialled_is_here_where_both_addresses_are_one(endpoint: str, local: str, *, here: bool) -> None:
    assert is_dialled_here(endpoint, local) is here


def test_what_is_accepted_is_here_where_both_addresses_are_one(tmp_path: Path) -> None:
    families = [(socket.AF_INET, ("127.0.0.1", 0))]
    if hasattr(socket, "AF_UNIX"):
        families.append((socket.AF_UNIX, str(tmp_path / "s")))  # type: ignore[arg-type]  # its kind of address
    for family, address in families:
        with socket.socket(family) as door, socket.socket(family) as dialled:
            door.bind(address)
            door.listen()
            dialled.connect(door.getsockname())
            accepted = door.accept()[0]
            fileno = accepted.fileno()
            known = inode(fileno)
            assert is_accepted_here(fileno, known)
            assert not is_accepted_here(fileno, known + 1), "it is another's by now"
            accepted.close()
            assert not is_accepted_here(fileno, known)


def test_what_is_no_connection_is_not_here() -> None:
    with open(os.devnull, "rb") as file:  # noqa: PTH123  # its descriptor is wanted
        assert not is_accepted_here(file.fileno(), inode(file.fileno()))
    assert not is_accepted_here(-1, -1)
