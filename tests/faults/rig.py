"""Two machines on one bridge under the load of all three patterns, and a fault between them or in one of them."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Self

from tests.faults.books import Far, Near, Outcome, settle
from tests.network.children import Child, python
from tests.network.namespaces import Namespace, Network

PROGRAMS: Final = Path(__file__).parent / "programs"
LIMIT: Final = 60.0
#: In a network of one's own every port is free.
PORT: Final = 5555
DISK_BYTES: Final = 4 * 1024 * 1024
PATTERNS: Final = ("jobs", "topics", "requests")


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a fault lasts, how long the load runs before it, and after how much silence a peer is missed."""

    fault: float
    calm: float
    silence: float


#: Of the table, with the silence that nodes have, and of a test of each fault.
WHOLE: Final = Pace(fault=8.0, calm=2.0, silence=4.0)
SHORT: Final = Pace(fault=2.5, calm=0.5, silence=0.8)


class Rig:
    """The two machines and what runs on them; its end is theirs."""

    def __init__(self, pace: Pace, *, detoured: bool = False, few: bool = False, durable: bool = False) -> None:
        self.pace = pace
        self._few = few
        self._stack = ExitStack()
        self._fars: list[Child] = []
        self._said: list[list[str]] = []
        self._cpu_since = (0.0, 0.0)
        #: The share of a core that the far process took, where a fault measures it.
        self.cpu: float | None = None
        #: A small disk for the near node's journal.
        self.disk: Path | None = None
        try:
            if durable:
                self.disk = self._stack.enter_context(small_disk())
            self.network = self._stack.enter_context(Network(2))
            self.near_machine, self.far_machine = self.network.nodes
            self.start_far()
            words = ["--detoured", "--peer", f"{self.far_machine.address}:{PORT}"] if detoured else []
            if self.disk is not None:
                words += ["--journal", str(self.disk / "near.db")]
            self.near = self.start(self.near_machine, "near.py", "--silence", pace.silence, *words)
            self.near.until("ready", LIMIT)
            self.tell_far("begin")
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def far(self) -> Child:
        """The far side's process of today."""
        return self._fars[-1]

    def start(self, machine: Namespace, program: str, *words: object) -> Child:
        """Start a program on a machine; the rig's end is its end."""
        env: Mapping[str, str] = {**machine.env, "MESHMQ_INTERFACES": "*", "MESHMQ_MESH": "laboratory"}
        child = Child(machine.command(*python(PROGRAMS / program, *words)), env=env)
        self._stack.callback(child.close)
        return child

    def start_here(self, command: Sequence[str]) -> Child:
        """Start any command on the near machine."""
        child = Child(self.near_machine.command(*command))
        self._stack.callback(child.close)
        return child

    def start_far(self) -> None:
        """Start the far side, again where one was killed."""
        words = [f"far-{len(self._fars) + 1}", "--silence", self.pace.silence, "--port", PORT]
        self._fars.append(self.start(self.far_machine, "far.py", *words, *(["--few"] if self._few else [])))
        self._said.append([])
        self.hear("open")

    def hear(self, word: str) -> None:
        """Take in what the far side says up to a line that begins with ``word``."""
        limit = time.monotonic() + LIMIT
        said = self._said[-1]
        while not said or said[-1].split(" ")[0] != word:
            said.append(self.far.line(max(0.0, limit - time.monotonic())))

    def tell_far(self, *words: object) -> None:
        """Have the far side do something, and wait until it has."""
        self.far.say(" ".join(map(str, words)))
        self.hear(str(words[0]))

    def last(self, seconds: float | None = None) -> None:
        """Let time go by, as long as a fault lasts."""
        threading.Event().wait(self.pace.fault if seconds is None else seconds)

    def watch_cpu(self) -> None:
        """Begin to measure how much of a core the far process takes."""
        self._cpu_since = (time.monotonic(), _cpu_seconds(self.far.pid))

    def note_cpu(self) -> None:
        """Note how much of a core it took since."""
        moment, seconds = self._cpu_since
        self.cpu = (_cpu_seconds(self.far.pid) - seconds) / (time.monotonic() - moment)

    def measure(self, strike: Callable[[Rig], tuple[float, float]]) -> Outcome:
        """Let the fault strike under load; return what became of everything."""
        self.last(self.pace.calm)
        struck, mended = strike(self)
        recovered = self._recovered(mended)
        self.tell_far("quiet")
        self._read_dead()
        self.near.say(f"end far-{len(self._fars)} {Far.read(self._said[-1]).said}")
        account = Near.read(self.near.line(2 * LIMIT))
        self.far.end_input()
        self._said[-1] += self.far.rest(LIMIT)
        assert self.far.wait(LIMIT) == 0, self.far.stderr
        assert self.near.wait(LIMIT) == 0, self.near.stderr
        return settle(account, [Far.read(said) for said in self._said], struck, mended, recovered, self.cpu)

    def _recovered(self, mended: float) -> dict[str, float]:
        self.near.say(f"since {mended}")
        recovered: dict[str, float] = {}
        while len(recovered) < len(PATTERNS):
            word, *rest = self.near.line(LIMIT).split()
            assert word == "again", word
            recovered[rest[0]] = float(rest[1])
        return recovered

    def _read_dead(self) -> None:
        for far, said in zip(self._fars[:-1], self._said, strict=False):
            said += far.rest()


@contextmanager
def small_disk() -> Iterator[Path]:
    """Make a disk of a few MiB."""
    with TemporaryDirectory(prefix="meshmq-disk-") as place:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", place], check=True)
        try:
            yield Path(place)
        finally:
            subprocess.run(["umount", place], check=True)


def _cpu_seconds(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
