"""A process without descriptors serves who is here and turns away who comes, at no cost, and lets in again later."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Final

import pytest

from meshmq.links import reserve as module
from meshmq.links.reserve import HELD, LEAST_LEFT, Reserve, hidden_name
from tests.links.ends import opened, until
from tests.network.children import Child, python

pytest.importorskip("resource", reason="no limit on descriptors here")

LIMIT: Final = 20.0
KNOCKS: Final = 30
CROWD: Final = 300
#: Of processor time for all of it; one second at the limit took libzmq one.
SECONDS: Final = 1.0

CROWDED: Final = """
import os, resource, selectors, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
from pathlib import Path
from tests.links.ends import until, zmq_end

here, there = zmq_end(), zmq_end(ipc=Path(sys.argv[1]))
out = here.dial(there.links.bound.direct[:1])
here.links.send(out, [b"MQ first"])
until(lambda: there.log.received, here, there)
print(there.links.bound.direct[1], flush=True)
taken = []
with selectors.DefaultSelector() as selector:
    selector.register(sys.stdin, selectors.EVENT_READ, True)
    for end in (here, there):
        selector.register(end.links.fileno(), selectors.EVENT_READ)
    while True:
        ready = selector.select(0.02)
        here.step(), there.step()
        for _, _, sentence in here.log.words + there.log.words:
            print("said", sentence, flush=True)
        for _, frames in there.log.received[1:]:
            print("heard", frames[0].decode(), flush=True)
        there.log.words.clear(), here.log.words.clear()
        del there.log.received[1:]
        if any(key.data for key, _ in ready):
            word = sys.stdin.readline().strip()
            if word == "fill":
                try:
                    while True:
                        taken.append(os.open(os.devnull, os.O_RDONLY))
                except OSError:
                    pass
            elif word == "free":
                while taken:
                    os.close(taken.pop())
            elif word == "hello":
                here.links.send(out, [b"MQ hello"])
            elif not word:
                break
            print("did", word, time.process_time(), len(taken), flush=True)
here.links.close(0)
there.links.close(0)
"""


@pytest.fixture
def crowded(runtime_directory: Path) -> Iterator[Child]:
    child = Child(python(CROWDED, runtime_directory / "crowded"))
    with closing(child):
        yield child
        child.end_input()
        assert child.wait() == 0, child.stderr


def do(child: Child, word: str) -> tuple[float, int]:
    """Have it done; returns the processor time until now, and how many files are open for nothing."""
    child.say(word)
    *_, seconds, taken = child.until(f"did {word}")[-1].split()
    return float(seconds), int(taken)


def knock(address: str) -> None:
    """Knock many times at once; returns when all were turned away."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    with ExitStack() as stack:
        for knocker in [socket.create_connection((host, int(port)), timeout=LIMIT) for _ in range(KNOCKS)]:
            stack.enter_context(knocker)
            with suppress(ConnectionResetError):
                while knocker.recv(100):
                    pass


def test_at_the_limit_peers_are_served_and_newcomers_turned_away(crowded: Child, runtime_directory: Path) -> None:
    door = runtime_directory / "crowded.d"
    address = crowded.line()
    before, _ = do(crowded, "hello")
    crowded.until("heard MQ hello")
    do(crowded, "fill")
    assert "raise the limit" in crowded.until("said")[-1]
    knock(address)
    # libzmq would abort the process where somebody knocks at this door.
    assert not door.exists()
    assert hidden_name(door).exists()
    do(crowded, "hello")
    crowded.until("heard MQ hello")
    _, taken = do(crowded, "fill")
    assert taken > 0
    knock(address)  # though the program has eaten what was given to libzmq
    after, _ = do(crowded, "hello")
    crowded.until("heard MQ hello")
    do(crowded, "free")
    assert "there are descriptors again" in crowded.until("said")[-1]
    for way in (address, f"ipc://{door}"):
        with ExitStack() as stack:
            newcomer = opened(stack)
            newcomer.links.send(newcomer.dial([way]), [b"MQ newcomer"])
            until(lambda: newcomer.log.reaches, newcomer)  # noqa: B023
            crowded.until("heard MQ newcomer")
    print(f"{after - before:.2f} s of processor time at the limit")
    assert after - before < SECONDS


def test_of_a_crowd_that_comes_at_once_as_many_stay_as_there_is_room_for(crowded: Child) -> None:
    host, _, port = crowded.line().removeprefix("tcp://").rpartition(":")
    before, _ = do(crowded, "hello")
    with ExitStack() as stack:
        for _ in range(CROWD):
            stack.enter_context(socket.create_connection((host, int(port)), timeout=LIMIT))
        assert "newcomers are turned away" in crowded.until("said")[-1]
        after, _ = do(crowded, "hello")
        crowded.until("heard MQ hello")
    assert "there are descriptors again" in crowded.until("said")[-1]
    assert after - before < SECONDS


@pytest.fixture
def reserve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reserve]:
    """A reserve whose limit a test sets."""
    reserve = Reserve()
    monkeypatch.setattr(module, "descriptor_limit", lambda: 1 << 20)
    yield reserve
    reserve.close()


def test_each_change_is_said_once(reserve: Reserve, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reserve.look() is None
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    monkeypatch.setattr(module, "descriptor_limit", lambda: lowest + LEAST_LEFT)
    sentence = (reserve.look() or (0, ""))[1]
    assert sentence.startswith(f"less than {LEAST_LEFT} descriptors are left")
    assert reserve.scarce
    assert reserve.look() is None
    monkeypatch.setattr(module, "descriptor_limit", lambda: lowest + 2 * LEAST_LEFT)
    assert reserve.look() is None  # not yet: room for as many again
    monkeypatch.setattr(module, "descriptor_limit", lambda: lowest + 2 * LEAST_LEFT + HELD + 1)
    assert "again" in (reserve.look() or (0, ""))[1]
    assert not reserve.scarce


def test_a_process_holds_one_reserve_and_gives_it_back_with_its_last_links() -> None:
    with ExitStack() as stack:
        ends = [opened(stack), opened(stack)]
        for end in ends:
            end.step()
        assert not module.process_reserve().scarce
        assert len(module.process_reserve()._held) == HELD
    assert module.process_reserve()._held == []
