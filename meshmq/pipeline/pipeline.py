"""The pipeline as its user declares and runs it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar, overload

from meshmq.errors import ConfigError
from meshmq.pipeline.definition import After, Branch, Definition
from meshmq.pipeline.in_memory import run_in_memory
from meshmq.pipeline.report import Report
from meshmq.pipeline.running import Run
from meshmq.pipeline.stage_node import StageNode
from meshmq.pipeline.target import check_not_imported, target_of
from meshmq.settings import Settings

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])
Key = Callable[[Any], object]


class Pipeline:
    """A source, stages and sinks, joined by queues.

    Functions are declared with the decorators, from the first to the last::

        pipeline = Pipeline("names")

        @pipeline.source
        def files():
            yield from ...

        @pipeline.stage(workers=3)
        def count(file):
            return ...

        @pipeline.sink
        def total(counts): ...

        if __name__ == "__main__":
            pipeline.run()

    A stage takes one value, and returns nothing (``None``), one value, or an iterator, which gives several. Any
    function may be async, and any may be a class: one object of it is made in each process, called with each value,
    and closed at the end if it has ``close``. Each worker is a process of one thread for all of that.

    Every stage keeps custody: it has confirmed a value when what it made of it is confirmed, so that each ack comes
    from the end. A value runs again where a worker was lost, or where the function raised (after a pause, as often
    as it raises). Values come at least once.

    ``mesh``, ``secret``, ``insecure``, ``peers`` and ``settings`` are those of its nodes: see ``Node``. Without
    ``settings`` a process that has given 1,000 values which nobody has done yet waits.

    Raises:
        ConfigError: the name cannot be one.
    """

    def __init__(
        self,
        name: str,
        *,
        mesh: str | None = None,
        secret: str | None = None,
        insecure: bool = False,
        peers: Sequence[str] = (),
        settings: Settings | None = None,
    ) -> None:
        self.definition = Definition(name, settings)
        self.node_options: dict[str, Any] = {"mesh": mesh, "secret": secret, "insecure": insecure, "peers": peers}
        self.name = self.definition.name

    def __repr__(self) -> str:
        return f"<Pipeline {self.name!r}: {', '.join(self.definition.stages) or 'empty'}>"

    @overload
    def source(self, function: FunctionT, /) -> FunctionT: ...
    @overload
    def source(self, *, name: str | None = None) -> Callable[[FunctionT], FunctionT]: ...
    def source(self, function: Callable[..., Any] | None = None, *, name: str | None = None) -> Any:
        """Declare where values come from: a function that yields them, or returns what can be iterated.

        There is one, and it runs in one process. One that is killed begins anew, and its values come again, as new
        ones; one that raises ends the run.

        Raises:
            ConfigError: there is one already, or it cannot be one.
        """
        return self._declare(function, lambda one: self.definition.add("source", one, name=name))

    @overload
    def stage(self, function: FunctionT, /) -> FunctionT: ...
    @overload
    def stage(
        self,
        *,
        name: str | None = None,
        after: After | None = None,
        workers: int = 1,
        key: Key | None = None,
        batch: tuple[int, float] | None = None,
    ) -> Callable[[FunctionT], FunctionT]: ...
    def stage(
        self,
        function: Callable[..., Any] | None = None,
        *,
        name: str | None = None,
        after: After | None = None,
        workers: int = 1,
        key: Key | None = None,
        batch: tuple[int, float] | None = None,
    ) -> Any:
        """Declare what is done with values, by ``workers`` processes on each machine that runs it.

        ``after`` names what it takes values of, by name or function, one or several (default: what is declared right
        before it). Each of several stages after one gets all that this one gives, but for ``to``.
        ``key(value)`` parts values among the workers: equal keys of one type come to the same worker, in order.
        ``batch=(size, seconds)`` gives it lists: of so many values, or of what has come in so long since the first.

        Raises:
            ConfigError: it cannot be one, or ``after`` names none that is declared above it.
        """
        options: dict[str, Any] = {"name": name, "after": after, "workers": workers, "key": key, "batch": batch}
        return self._declare(function, lambda one: self.definition.add("stage", one, **options))

    @overload
    def sink(self, function: FunctionT, /) -> FunctionT: ...
    @overload
    def sink(
        self,
        *,
        name: str | None = None,
        after: After | None = None,
        workers: int = 1,
        key: Key | None = None,
        batch: tuple[int, float] | None = None,
    ) -> Callable[[FunctionT], FunctionT]: ...
    def sink(
        self,
        function: Callable[..., Any] | None = None,
        *,
        name: str | None = None,
        after: After | None = None,
        workers: int = 1,
        key: Key | None = None,
        batch: tuple[int, float] | None = None,
    ) -> Any:
        """Declare where values end; the options are those of ``stage``.

        A value is done when it returns: what must outlast the process is written by then.

        Raises:
            ConfigError: as ``stage``.
        """
        options: dict[str, Any] = {"name": name, "after": after, "workers": workers, "key": key, "batch": batch}
        return self._declare(function, lambda one: self.definition.add("sink", one, **options))

    def to(self, stage: str, value: object) -> Branch:
        """Return what a stage gives (returns, yields) to have ``value`` come to one of the stages after it alone."""
        return Branch(stage, value)

    def run(self, *, limit: float = 30.0, show: Callable[[Report], object] | None = None) -> Report:
        """Run all stages in processes of this machine until the source has ended and all is done; in the main thread.

        A process that dies is started again. What they print comes out with their name in front, and how it goes is
        told on stderr: a table on a terminal, else a line now and then. ``show`` is told instead, four times a second,
        in another thread. The first SIGINT or SIGTERM ends the source alone, what it has given is done, and the
        report says that it is not ``complete``; a second ends all. Who has not ended in ``limit`` seconds is killed.

        The processes import the module, so this stands behind ``if __name__ == "__main__":`` there; they have the
        arguments of this program.

        Raises:
            ConfigError: the pipeline is not whole, or is not at the top level of its module.
            MeshError: the source raised, or a process could not do what it was to.
        """
        check_not_imported(self.name)
        target = target_of(self, self.definition)
        options = self.node_options
        return Run(self.definition, options, target, arguments=sys.argv[1:], limit=limit, show=show).run()

    def test(self, values: Iterable[object]) -> dict[str, list[Any]]:
        """Run it in memory, in this thread, with ``values`` in place of the source's.

        Returns what came to each stage, by its name; of a stage with ``batch`` the values one by one. Values are
        encoded and decoded on their way, as in a mesh. What a stage raises is raised.

        Raises:
            ConfigError: the pipeline is not whole, or a stage gives to one that is not after it.
            EncodeError: a value cannot be sent.
        """
        return run_in_memory(self.definition, values)

    def node(self, name: str) -> StageNode:
        """Return a node of this pipeline's mesh, not opened, with its settings."""
        return StageNode(name, settings=self.definition.settings, **self.node_options)

    def _declare(self, function: Any, add: Callable[[Any], None]) -> Any:
        def declare(one: Any) -> Any:
            add(one)
            return one

        if function is None:
            return declare
        if isinstance(function, str):
            raise ConfigError(f"a stage is given its name as name={function!r}")
        return declare(function)
