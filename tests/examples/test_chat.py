"""People chat: through pipes, and in a terminal of their own."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.architecture import ROOT
from tests.network.children import LIMIT, Child
from tests.network.conftest import Spawn

CHAT = ROOT / "examples" / "chat"


def told(child: Child, *awaited: str) -> None:
    """Take lines until each of those awaited has come, in any order; times of day do not count."""
    missing = set(awaited)
    while missing:
        missing.discard(re.sub(r"^\d\d:\d\d ", "", child.line()))


def test_what_is_said_reaches_all_and_those_who_come_later(spawn: Spawn) -> None:
    ann, bob = spawn(CHAT, "ann"), spawn(CHAT, "bob")
    told(ann, "* bob came")
    told(bob, "* ann came")
    ann.say("hello")
    told(bob, "ann: hello")
    bob.say("hi \x1b[31mred")
    told(ann, "bob: hi ?[31mred")

    cid = spawn(CHAT, "cid")
    told(cid, "* ann came", "* bob came", "ann: hello", "bob: hi ?[31mred")
    told(ann, "* cid came")
    cid.say("/who")
    told(cid, "* here: you, ann, bob")

    bob.say("bye")
    bob.end_input()
    told(ann, "bob: bye", "* bob left")
    told(cid, "bob: bye", "* bob left")
    cid.kill()
    told(ann, "* cid lost")
    ann.say("/leave")
    assert (ann.wait(), bob.wait()) == (0, 0), ann.stderr + bob.stderr
    assert ann.stderr + bob.stderr == ""


def test_rooms_do_not_hear_each_other(spawn: Spawn) -> None:
    ann, bob, cid = spawn(CHAT, "ann"), spawn(CHAT, "bob", "kitchen"), spawn(CHAT, "cid", "kitchen")
    told(bob, "* cid came")
    told(cid, "* bob came")
    bob.say("the soup is ready")
    told(cid, "bob: the soup is ready")
    ann.end_input()
    assert ann.wait() == 0
    assert ann.rest() == []


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self, name: str) -> None:
        self._screen, inside = pty.openpty()
        self.program = subprocess.Popen(
            [sys.executable, str(CHAT), name],
            stdin=inside,
            stdout=inside,
            stderr=inside,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb"},
            start_new_session=True,
        )
        os.close(inside)
        self._seen = ""

    def type(self, keys: str) -> None:
        os.write(self._screen, keys.encode())

    def see(self, text: str) -> None:
        """Wait until this is shown."""
        deadline = time.monotonic() + LIMIT
        while text not in self._seen:
            assert select.select([self._screen], [], [], max(0.0, deadline - time.monotonic()))[0], self._seen
            self._seen += os.read(self._screen, 4096).decode(errors="replace")
        self._seen = self._seen.partition(text)[2]

    def close(self) -> None:
        if self.program.poll() is None:
            self.program.kill()
        self.program.wait()
        os.close(self._screen)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    """Open two terminals."""
    opened = [Terminal("ann"), Terminal("bob")]
    yield opened
    for terminal in opened:
        terminal.close()


def test_a_line_that_is_being_typed_stays_below_what_is_said(terminals: list[Terminal]) -> None:
    ann, bob = terminals
    ann.see("* bob came")
    bob.see("* ann came")
    ann.type("how are")
    ann.see("how are")
    bob.type("I am here\r")
    ann.see("bob: I am here\r\n> how are")
    ann.type(" you?\r")
    bob.see("ann: how are you?\r\n> ")
    ann.type("/leave\r")
    bob.see("* ann left")
    bob.type("\x04")
    assert ann.program.wait(LIMIT) == 0
    assert bob.program.wait(LIMIT) == 0
