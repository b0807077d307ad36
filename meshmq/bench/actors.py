"""The processes of a run in the hand of the one that has them play: started, told, heard, ended."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final, Protocol

from meshmq.bench.work import LIMIT, Place, Work
from meshmq.errors import MeshError

_COMMAND: Final = (sys.executable, "-m", "meshmq.bench.stage")
#: Beyond what a part waits for itself, so that it says what it has waited for.
_PATIENCE: Final = LIMIT + 30.0


class Crew(Protocol):
    """Processes that play the same part: some of this machine, or of another."""

    def begin(self, part: str, work: Work, place: Place, count: int, addresses: Sequence[str]) -> None:
        """Have ``count`` of them begin a part."""

    def hear(self, word: str) -> list[dict[str, Any]]:
        """Return the next answer of each that has this word in it."""

    def say(self, word: str) -> None:
        """Say a word to each."""

    def cpu(self) -> float:
        """Return the seconds of processor time that they have used, all together."""

    def stop(self) -> list[dict[str, Any]]:
        """End the part, and return what each told last."""

    def close(self) -> None:
        """End the processes."""


class Actor:
    """One process of this machine, in a process group of its own: Ctrl-C is ours."""

    def __init__(self) -> None:
        self._words = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the process
        # What a node is made with is in the place, and nothing else is to come from outside.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MESHMQ_")}
        self._process = subprocess.Popen(
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            env=environment,
            process_group=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        self._heard = b""
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._out, selectors.EVENT_READ)

    def say(self, word: str) -> None:
        """Write one line.

        Raises:
            MeshError: the process has ended.
        """
        try:
            self._in.write(word.encode() + b"\n")
            self._in.flush()
        except BrokenPipeError:
            raise self._ended() from None

    def hear(self, word: str) -> dict[str, Any]:
        """Return the next answer that has this word in it.

        Raises:
            MeshError: the process has ended, or says nothing.
        """
        deadline = time.monotonic() + _PATIENCE
        while True:
            answer: dict[str, Any] = json.loads(self._line(deadline))
            if word in answer:
                return answer

    def stop(self) -> dict[str, Any]:
        """End the part, and return what was told last."""
        self.say("stop")
        last: dict[str, Any] = {}
        while "over" not in (answer := json.loads(self._line(time.monotonic() + _PATIENCE))):
            last = answer
        return last

    def close(self) -> None:
        """End the process and whatever it has started; nothing that it has is worth waiting for."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, 9)
        self._process.wait()
        self._selector.close()
        with contextlib.suppress(BrokenPipeError):
            self._in.close()
        self._out.close()
        self._words.close()

    def _line(self, deadline: float) -> bytes:
        while b"\n" not in self._heard:
            if not self._selector.select(deadline - time.monotonic()):
                raise MeshError(f"a process of the bench has said nothing for {_PATIENCE:g} s; run it again with -vv")
            some = os.read(self._out.fileno(), 1 << 16)
            if not some:
                raise self._ended()
            self._heard += some
        line, _, self._heard = self._heard.partition(b"\n")
        return line

    def _ended(self) -> MeshError:
        self._process.wait(_PATIENCE)
        said = os.pread(self._words.fileno(), 1 << 20, 0).decode(errors="replace").strip().splitlines()
        return MeshError(f"a process of the bench has ended ({self._process.returncode}): {said[-1] if said else ''}")


class Troupe:
    """A crew of this machine; a process stays for the next part."""

    def __init__(self) -> None:
        self._all: list[Actor] = []
        self._playing: list[Actor] = []

    def begin(self, part: str, work: Work, place: Place, count: int, addresses: Sequence[str]) -> None:
        """Have ``count`` of them begin a part."""
        while len(self._all) < count:
            self._all.append(Actor())
        self._playing = self._all[:count]
        told = {"part": part, "work": asdict(work), "place": asdict(place), "addresses": list(addresses)}
        for number, actor in enumerate(self._playing):
            actor.say(json.dumps({**told, "number": number}))

    def hear(self, word: str) -> list[dict[str, Any]]:
        """Return the next answer of each that has this word in it."""
        return [actor.hear(word) for actor in self._playing]

    def say(self, word: str) -> None:
        """Say a word to each."""
        for actor in self._playing:
            actor.say(word)

    def cpu(self) -> float:
        """Return the seconds of processor time that they have used, all together."""
        self.say("cpu")
        return float(sum(answer["cpu"] for answer in self.hear("cpu")))

    def stop(self) -> list[dict[str, Any]]:
        """End the part, and return what each told last."""
        told = [actor.stop() for actor in self._playing]
        self._playing = []
        return told

    def close(self) -> None:
        """End the processes."""
        while self._all:
            self._all.pop().close()
