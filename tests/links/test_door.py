"""Who stands at the door is asked of a descriptor, which may be another socket's by the time of the answer."""

from __future__ import annotations

import socket

import pytest

from meshmq.links import door


class Reused(socket.socket):
    """A socket whose descriptor has become that of a unix socket since it was made."""

    def __init__(self, fileno: int) -> None:
        super().__init__(socket.AF_INET, socket.SOCK_STREAM, 0, fileno)

    def getpeername(self) -> str:
        return str(super().getpeername())


def test_descriptor_that_is_used_again_meanwhile_names_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        monkeypatch.setattr("meshmq.links.door.socket.socket", Reused)
        assert door._peer(ours.fileno()) == ""
        monkeypatch.undo()
        assert door._peer(ours.fileno()).startswith("process ")
