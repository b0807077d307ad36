"""Every fault of the laboratory: how it strikes and is mended, and what is promised while it does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic as clock
from typing import Final

from tests.faults.rig import PORT, Rig
from tests.network.children import python

#: Another address of the same network.
ELSEWHERE: Final = "10.77.99.99"
#: A neighbour that does not exist.
NOBODY: Final = "02:00:00:00:00:01"
BYTES_PER_SECOND: Final = 40_000
DELAY: Final = 0.15
DAY: Final = 86_400
CALLERS: Final = 60

#: Connects many times, and stays until its input ends.
CALL: Final = """
import socket, sys
calls = [socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=20) for _ in range(int(sys.argv[3]))]
print("called", flush=True)
sys.stdin.read()
"""

#: When it struck and when it was mended.
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Fault:
    """One row: its name, what brings it about, and what is promised meanwhile beyond what holds for all."""

    name: str
    strike: Callable[[Rig], Span]
    #: Whether a job may be run again, flagged; else none is.
    repeats: bool = True
    #: Whether messages may be missed, told exactly; else none is.
    gaps: bool = True
    #: Whether a request may fail, with an error that says whether it may have run; else none does.
    failures: bool = True
    #: Whether a publisher dies, and with it what it had on its way.
    deadly: bool = False
    #: Whether all but the control link goes through proxies; whether the far process has few descriptors.
    detoured: bool = False
    few: bool = False
    #: Whether jobs are durable, in a journal on a small disk.
    durable: bool = False


def cut_cable(rig: Rig) -> Span:
    """Pull the far machine's cable, and plug it in again."""
    struck = clock()
    rig.network.cut(rig.far_machine)
    rig.last()
    rig.network.heal(rig.far_machine)
    return struck, clock()


def lose_towards(rig: Rig) -> Span:
    """Lose whatever the near machine sends to the far one."""
    return _lose(rig, rig.near_machine.name, rig.far_machine.address)


def lose_from(rig: Rig) -> Span:
    """Lose whatever the far machine sends to the near one."""
    return _lose(rig, rig.far_machine.name, rig.near_machine.address)


def _lose(rig: Rig, machine: str, address: str) -> Span:
    neighbour = ("neigh", "replace", address, "dev", "eth0")
    struck = clock()
    rig.network.change(machine, *neighbour, "lladdr", NOBODY, "nud", "permanent")
    rig.last()
    rig.network.change(machine, "neigh", "del", address, "dev", "eth0")
    return struck, clock()


def move(rig: Rig) -> Span:
    """Give the far machine another address, as DHCP does; the old one does not come back."""
    far = rig.far_machine
    struck = clock()
    rig.network.change(far.name, "address", "del", f"{far.address}/16", "dev", "eth0")
    rig.network.change(far.name, "address", "add", f"{ELSEWHERE}/16", "dev", "eth0")
    return struck, clock()


def exchange(rig: Rig) -> Span:
    """Take the far machine's interface away, and give it another, as from cable to wireless."""
    struck = clock()
    rig.network.exchange(rig.far_machine, "eth1", ELSEWHERE)
    return struck, clock()


def slow_down(rig: Rig) -> Span:
    """Let all data through a narrow and long line."""
    struck = clock()
    rig.near.say(f"slow {BYTES_PER_SECOND} {DELAY}")
    rig.last()
    rig.near.say("slow 0 0")
    return struck, clock()


def kill(rig: Rig) -> Span:
    """Kill the far process with SIGKILL, and start another in its place."""
    struck = clock()
    rig.far.kill()
    rig.start_far()
    rig.tell_far("begin")  # before anybody has met it
    return struck, clock()


def freeze(rig: Rig) -> Span:
    """Stop the far process with SIGSTOP, and let it go on."""
    struck = clock()
    rig.far.stop()
    rig.last()
    rig.far.resume()
    return struck, clock()


def use_up_descriptors(rig: Rig) -> Span:
    """Leave the far process no descriptor while many knock at its doors, then give all back."""
    struck = clock()
    rig.tell_far("fill")
    doors = [rig.start_here(python(CALL, rig.far_machine.address, PORT + link, CALLERS // 3)) for link in range(3)]
    for door in doors:
        door.until("called")
    rig.watch_cpu()
    rig.last()
    rig.note_cpu()
    for door in doors:
        door.end_input()
    rig.tell_far("free")
    return struck, clock()


def jump_ahead(rig: Rig) -> Span:
    """Put the far process's wall clock a day ahead, then a day behind."""
    struck = clock()
    rig.tell_far("jump", DAY)
    rig.last()
    rig.tell_far("jump", -DAY)
    return struck, clock()


def fill_disk(rig: Rig) -> Span:
    """Fill the disk under the near node's journal, then make room."""
    assert rig.disk is not None
    ballast = rig.disk / "ballast"
    struck = clock()
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    rig.last()
    ballast.unlink()
    return struck, clock()


FAULTS: Final = (
    Fault("cable cut and plugged in again", cut_cable),
    Fault("one-way loss, towards the worker", lose_towards),
    Fault("one-way loss, from the worker", lose_from),
    Fault("address changes", move),
    Fault("interface goes, another comes", exchange),
    Fault("narrow and long line", slow_down, repeats=False, gaps=False, detoured=True),
    Fault("`kill -9`, and another is started", kill, deadly=True),
    Fault("process stopped (SIGSTOP) and resumed", freeze),
    Fault("no descriptors left", use_up_descriptors, repeats=False, gaps=False, failures=False, few=True),
    Fault("wall clock jumps by days", jump_ahead, repeats=False, gaps=False, failures=False),
    Fault("disk full, and jobs are durable", fill_disk, repeats=False, gaps=False, failures=False, durable=True),
)
