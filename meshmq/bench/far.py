"""Receivers on another machine: a node there lets ours have parts begun, heard and ended.

``FarTroupe`` is the near end and ``Host`` the far one; between them go requests of a node of each. Only receivers of
the kinds that exist are begun, with what can be a work, and the secret of each end stays there.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from typing import Any, Final, get_args

from meshmq.bench.actors import Troupe
from meshmq.bench.kinds import mesh, plain
from meshmq.bench.work import LIMIT, Face, Kind, Place, Work
from meshmq.errors import ConfigError, TimedOut
from meshmq.faces.blocking import Node

#: The most processes that somebody else may start here.
MOST: Final = 64
_PORT: Final = re.compile(r"(tcp://)?\S+:(\d+)")


def service(port: int) -> str:
    """Return the name under which the node with this control port serves."""
    return f"bench.{port}"


class Host:
    """The far end: plays receivers of one kind as it is told, in processes of its own."""

    def __init__(self, kind: Kind, *, baseline: bool, interfaces: str, secret: str | None) -> None:
        self._kind, self._interfaces, self._secret = kind, interfaces, secret
        sides = [one(kind, face) for one in (mesh, plain)[: 1 + baseline] for face in get_args(Face)]
        self._parts = {side.receiver for side in sides}
        self._baseline = baseline
        self._troupe = Troupe()
        self._playing = False

    def answer(self, data: Any) -> Any:
        """Do what is asked, which is checked.

        Raises:
            ConfigError: it cannot be.
            MeshError: a process has ended, or has said nothing for long.
        """
        word = data.get("do") if isinstance(data, dict) else None
        if word == "begin":
            return self._begin(data)
        if not self._playing:
            raise ConfigError("nothing has begun here")
        if word == "hear":
            return self._troupe.hear(str(data.get("word")))
        if word == "say":
            return self._troupe.say("go")
        if word == "cpu":
            return self._troupe.cpu()
        if word == "stop":
            self._playing = False
            return self._troupe.stop()
        raise ConfigError(f"{word!r} is nothing that can be done here")

    def close(self) -> None:
        """End the processes."""
        self._troupe.close()

    def _begin(self, data: dict[str, Any]) -> None:
        if self._playing:  # whoever began it has gone
            self._troupe.close()
            self._playing = False
        work, part = _work(data.get("work")), data.get("part")
        if work.kind != self._kind:
            raise ConfigError(f"here 'meshmq bench {self._kind} --serve' runs, not {work.kind}")
        if part not in self._parts:
            hint = "" if self._baseline else "; for --baseline it has to be given at both ends"
            raise ConfigError(f"{part!r} is not played here{hint}")
        if work.secure != (self._secret is not None):
            raise ConfigError("one end has a secret and the other has none")
        with tempfile.TemporaryDirectory(prefix="mq-", dir="/tmp") as directory:  # over TCP nothing is left there
            place = Place(
                mesh=str(data.get("mesh")),
                directory=directory,
                transport="tcp",
                secret=self._secret,
                interfaces=self._interfaces,
            )
            self._troupe.begin(part, work, place, work.receivers, ())
        self._playing = True


class FarTroupe:
    """The near end: a crew of another machine."""

    def __init__(self, node: Node, host: str, port: int) -> None:
        self._node, self._host, self._service = node, host, service(port)

    def begin(self, part: str, work: Work, place: Place, count: int, addresses: Sequence[str]) -> None:
        """Have ``count`` of them begin a part."""
        self._ask(do="begin", part=part, work=asdict(replace(work, receivers=count)), mesh=place.mesh)

    def hear(self, word: str) -> list[dict[str, Any]]:
        """Return the next answer of each that has this word in it; addresses as they are reached from here."""
        told: list[dict[str, Any]] = self._ask(do="hear", word=word)
        for one in told:
            if "address" in one:
                one["address"] = _PORT.sub(rf"\g<1>{self._host}:\g<2>", one["address"])
        return told

    def say(self, word: str) -> None:
        """Say a word to each."""
        self._ask(do="say", word=word)

    def cpu(self) -> float:
        """Return the seconds of processor time that they have used, all together."""
        return float(self._ask(do="cpu"))

    def stop(self) -> list[dict[str, Any]]:
        """End the part, and return what each told last."""
        told: list[dict[str, Any]] = self._ask(do="stop")
        return told

    def close(self) -> None:
        """Nothing: they are the other machine's."""

    def _ask(self, **words: Any) -> Any:
        return self._node.request(self._service, words, timeout=2 * LIMIT)


def meet(node: Node, host: str, port: int, timeout: float) -> FarTroupe:
    """Return the crew of the machine that serves there.

    Raises:
        TimedOut: nobody answers.
    """
    try:
        node.wait_for(reply=service(port), timeout=timeout)
    except TimedOut as error:
        raise TimedOut(
            f"nobody serves at {host}:{port}; run 'meshmq bench ... --serve' there, with the same mesh and secret"
        ) from error
    return FarTroupe(node, host, port)


def _work(told: Any) -> Work:
    """Return what was told as work, if it can be.

    Raises:
        ConfigError: it cannot.
    """
    names = {field.name for field in fields(Work)}
    try:
        work = Work(**{name: value for name, value in told.items() if name in names})
        numbers = (work.count, work.senders, work.receivers, work.in_flight)
        sound = all(type(number) is int and number > 0 for number in numbers) and work.receivers <= MOST
        sound = sound and work.kind in get_args(Kind) and work.face in get_args(Face) and work.transport == "tcp"
        sound = sound and (work.size is None or (type(work.size) is int and 0 < work.size < 1 << 31))
    except (AttributeError, TypeError):
        sound = False
    if not sound:
        raise ConfigError(
            f"{str(told)[:200]} is no work that can be done here: over TCP, with {MOST} receivers at most"
        )
    return work
