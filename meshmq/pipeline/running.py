"""Runs a pipeline's processes on this machine, and tells how it goes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from typing import Any, Final

from meshmq.errors import ConfigError, MeshError
from meshmq.pipeline.definition import Definition, Stage
from meshmq.pipeline.report import Report
from meshmq.pipeline.screen import Screen
from meshmq.pipeline.tallies import Tallies
from meshmq.pipeline.worker import FAILED
from meshmq.supervisor import Program, Supervisor

#: How a process ends that cannot do what it was told; EX_CONFIG of sysexits.h.
HOPELESS: Final = 78
#: How argparse ends.
WRONG_USE: Final = 2


class Run:
    """The stages of a pipeline, or some of them, in supervised processes.

    ``target`` is by what they find the pipeline, ``arguments`` are those of their program. ``only`` names the stages
    that run here (default: all), with ``workers`` processes each.

    Raises:
        ConfigError: there is no such stage, or it cannot have so many workers.
    """

    def __init__(
        self,
        definition: Definition,
        node_options: dict[str, Any],
        target: str,
        *,
        arguments: Sequence[str] = (),
        only: Collection[str] = (),
        workers: int | None = None,
        limit: float,
        show: Callable[[Report], object] | None = None,
        loud: int = 0,
    ) -> None:
        # Only here: a stage's own process needs neither, nor asyncio.
        from meshmq.faces.aio import AsyncNode
        from meshmq.pipeline.observing import Observer

        self._definition, self._target, self._limit = definition, target, limit
        self._stages = [definition.stage(name) for name in only] or list(definition.stages.values())
        self._counts = {stage.name: workers_of(stage, workers) for stage in self._stages}
        self._arguments, self._loud = list(arguments), loud
        self._screen = Screen()
        self._told = show is not None
        node = AsyncNode(definition.name, settings=definition.settings, **node_options)
        tell = show if show is not None else self._screen.show
        self._observer = Observer(node, Tallies(definition), tell)

    def run(self) -> Report:
        """Run until all is done, or somebody ends it; in the main thread.

        Raises:
            MeshError: the source raised, or a process could not do what it was to.
            SystemExit: by a second signal.
        """
        supervisor = Supervisor(
            [program for stage in self._stages for program in self._programs(stage)],
            limit=self._limit,
            hopeless=(HOPELESS, FAILED, WRONG_USE),
            environment=self._environment(),
            write=self._screen.write,
        )
        self._observer.processes = lambda: supervisor.processes
        self._observer.restarts = lambda: supervisor.restarts
        with ExitStack() as stack:
            stack.enter_context(self._screen.above())
            self._observer.start()
            stack.callback(self._observer.stop)
            status = supervisor.run()
        report = self._observer.report()
        leads = any(stage.kind == "source" for stage in self._stages)
        report.complete = leads and not supervisor.struck and status in (0, 1)
        if not self._told:
            self._screen.end(report)
        self._judge(status)
        return report

    def _judge(self, status: int) -> None:
        if status == FAILED:
            raise MeshError(f"source {self._definition.source.name!r} raised; what it gave before is done")
        if status in (HOPELESS, WRONG_USE):
            raise ConfigError(f"a process of {self._definition.name!r} cannot do what it is to; it has said why")
        if status > 128:
            raise SystemExit(status)

    def _programs(self, stage: Stage) -> list[Program]:
        command = [sys.executable, "-m", "meshmq", "up", self._target, "--stage", stage.name]
        command += ["-" + "v" * self._loud] if self._loud else []
        command += ["--observer", self._observer.id] if stage.kind == "source" else []
        rest = ["--arguments", *self._arguments] if self._arguments else []
        return [
            Program(f"{stage.name}-{number}", [*command, "--number", str(number), *rest], stage.kind == "source")
            for number in range(1, self._counts[stage.name] + 1)
        ]

    def _environment(self) -> dict[str, str]:
        """Return what the processes are given: our port is ours, and they find each other on this machine without."""
        environment = {key: value for key, value in os.environ.items() if key not in ("MESHMQ_PORT", "MESHMQ_NAME")}
        if not self._target.rpartition(":")[0].endswith(".py"):
            environment["PYTHONPATH"] = os.pathsep.join(path or os.getcwd() for path in sys.path)  # noqa: PTH109  as text
        return environment


def workers_of(stage: Stage, wanted: int | None) -> int:
    """Return how many processes a stage has, where so many are wanted.

    Raises:
        ConfigError: it can have no other number than is declared.
    """
    if wanted is None or wanted == stage.workers:
        return stage.workers
    if stage.kind == "source":
        raise ConfigError(f"{stage.name!r} is the source, which runs in one process")
    if stage.key is not None:
        raise ConfigError(
            f"{stage.name!r} has key=, which parts its values among {stage.workers} workers: it cannot run with "
            f"{wanted} here; declare workers={wanted} for all machines"
        )
    return wanted
