"""What a pipeline is: stages, what each comes after, and what of that cannot be."""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from meshmq.codecs.msgpack import MsgpackCodec
from meshmq.errors import ConfigError
from meshmq.names import check_name, counted
from meshmq.settings import Settings

Kind = Literal["source", "stage", "sink"]
#: What ``after=`` takes: a stage's name, its function, or several of them.
After = str | Callable[..., Any] | Sequence[str | Callable[..., Any]]

#: What one process has given and nobody has done yet, before it waits: what is on its way stays small.
OUTBOX_JOBS: Final = 1_000
#: A pipeline's stages come in any order, also tomorrow: who has no room waits, and the log says for whom.
PATIENCE: Final = 365 * 86_400.0
WORKERS_LIMIT: Final = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """One stage of a pipeline."""

    pipeline: str
    name: str
    kind: Kind
    function: Callable[..., Any]
    after: tuple[str, ...] = ()
    workers: int = 1
    key: Callable[[Any], object] | None = None
    batch: tuple[int, float] | None = None

    @property
    def title(self) -> str:
        """What its queue and its nodes begin with."""
        return f"{self.pipeline}.{self.name}"

    @property
    def queues(self) -> tuple[str, ...]:
        """What its workers pull: one queue, or with a key one for each worker."""
        if self.kind == "source":
            return ()
        return tuple(map(self.queue_of, range(1, self.workers + 1))) if self.key is not None else (self.title,)

    def queue_of(self, number: int) -> str:
        """Return what the worker with this number pulls."""
        return f"{self.title}.{number}" if self.key is not None else self.title

    def queue_for(self, value: object) -> str:
        """Return the queue in which a value comes here: with a key the same one for equal keys, in all processes.

        Raises:
            EncodeError: the key is nothing that can be sent.
        """
        if self.key is None:
            return self.title
        body, buffers = _CODEC.encode(self.key(value))
        return self.queue_of(zlib.crc32(b"".join((body, *buffers))) % self.workers + 1)

    def node(self, number: int) -> str:
        """Return what the node of the worker with this number is called."""
        return f"{self.title}-{number}"


@dataclass(frozen=True, slots=True)
class Branch:
    """A value for one stage alone, of those that come after the one that gives it."""

    stage: str
    value: object


class Definition:
    """The stages of a pipeline in the order in which they are declared, which is one in which values pass them."""

    def __init__(self, name: str, settings: Settings | None) -> None:
        self.name = check_name("pipeline", name)
        self.stages: dict[str, Stage] = {}
        self._settings = settings
        self._custody = (settings or Settings()).custody

    @property
    def settings(self) -> Settings:
        """The settings of all its nodes."""
        if self._settings is not None:
            return self._settings
        batches = [2 * stage.batch[0] * stage.workers for stage in self.stages.values() if stage.batch is not None]
        return Settings(outbox_jobs=max(OUTBOX_JOBS, *batches, 0), patience=PATIENCE)

    @property
    def source(self) -> Stage:
        """Where values begin."""
        return next(stage for stage in self.stages.values() if stage.kind == "source")

    def behind(self, name: str) -> list[Stage]:
        """Return the stages that come right after one."""
        return [stage for stage in self.stages.values() if name in stage.after]

    def add(
        self,
        kind: Kind,
        function: Callable[..., Any],
        *,
        name: str | None,
        after: After | None = None,
        workers: int = 1,
        key: Callable[[Any], object] | None = None,
        batch: tuple[int, float] | None = None,
    ) -> None:
        """Add a stage.

        Raises:
            ConfigError: it cannot be one, or not there.
        """
        if not callable(function):
            raise ConfigError(f"a {kind} is a function or a class, not {function!r}")
        stage = Stage(self.name, _stage_name(kind, function, name), kind, function)
        check_name("node", stage.node(WORKERS_LIMIT))
        if stage.name in self.stages:
            raise ConfigError(f"{self.name!r} has a stage {stage.name!r} already: give this one name=")
        if kind == "source":
            if first := [one.name for one in self.stages.values() if one.kind == "source"]:
                raise ConfigError(f"{self.name!r} has a source, {first[0]!r}: let it yield what {stage.name!r} would")
            _check_call(stage)
        else:
            if not _is_count(workers, WORKERS_LIMIT):
                raise ConfigError(f"workers= of {stage.name!r} is a whole number from 1, not {workers!r}")
            if key is not None and not callable(key):
                raise ConfigError(f"key= of {stage.name!r} is a function of a value, not {key!r}")
            _check_call(stage, None)
            before = self._before(stage, after)
            stage = replace(stage, after=before, workers=workers, key=key, batch=self._batch(stage, batch))
        self.stages[stage.name] = stage

    def check(self) -> None:
        """Look whether all of it is there.

        Raises:
            ConfigError: there is no source, or what a stage gives goes nowhere.
        """
        if not any(stage.kind == "source" for stage in self.stages.values()):
            raise ConfigError(f"pipeline {self.name!r} has no source: decorate a generator with @pipeline.source")
        for stage in self.stages.values():
            if stage.kind != "sink" and not self.behind(stage.name):
                raise ConfigError(f"what {stage.name!r} gives goes nowhere: put a stage or a sink after it")

    def stage(self, name: str) -> Stage:
        """Return the stage of a name.

        Raises:
            ConfigError: there is none.
        """
        if name not in self.stages:
            raise ConfigError(f"pipeline {self.name!r} has no stage {name!r}; it has {', '.join(self.stages)}")
        return self.stages[name]

    def _before(self, stage: Stage, after: After | None) -> tuple[str, ...]:
        if after is None:
            if not self.stages:
                raise ConfigError(f"nothing comes before {stage.name!r}: declare the source first")
            before: tuple[str, ...] = (next(reversed(self.stages)),)
        else:
            several = [after] if isinstance(after, str) or callable(after) else list(after)
            before = tuple(dict.fromkeys(self._named(stage, one) for one in several))
            if not before:
                raise ConfigError(f"after= of {stage.name!r} names no stage")
        for name in before:
            if self.stages[name].kind == "sink":
                raise ConfigError(
                    f"{stage.name!r} comes after {name!r}, and nothing comes out of a sink: give it after="
                )
        return before

    def _named(self, stage: Stage, after: str | Callable[..., Any]) -> str:
        found = [one.name for one in self.stages.values() if after in (one.name, one.function)]
        if not found:
            # What is declared later cannot be named, so there are no cycles.
            what = repr(after) if isinstance(after, str) else repr(getattr(after, "__name__", after))
            there = f"; there are {', '.join(self.stages)}" if self.stages else ""
            raise ConfigError(f"after= of {stage.name!r} names {what}, which is no stage declared above it{there}")
        return found[-1]

    def _batch(self, stage: Stage, batch: Any) -> tuple[int, float] | None:
        if batch is None:
            return None
        wrong = f"batch= of {stage.name!r} is (size, seconds), as (100, 0.5), not {batch!r}"
        if not isinstance(batch, tuple) or len(batch) != 2:
            raise ConfigError(wrong)
        size, seconds = batch
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise ConfigError(wrong)
        if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 < seconds < float("inf"):
            raise ConfigError(wrong)
        if size > self._custody:
            raise ConfigError(
                f"batch= of {stage.name!r} takes {size:,} values at once, and a stage keeps at most "
                f"{counted(self._custody, 'job')} that are not yet safe: take fewer, or raise Settings(custody=...)"
            )
        return size, float(seconds)


_CODEC: Final = MsgpackCodec(limit=Settings().message_bytes)


def _stage_name(kind: Kind, function: Callable[..., Any], name: str | None) -> str:
    found = getattr(function, "__name__", type(function).__name__) if name is None else name
    checked = check_name(kind, found.lower() if isinstance(function, type) and name is None else found)
    if not checked.replace("-", "_").isidentifier():
        raise ConfigError(f"a {kind} is called as a function is, not {checked!r}: give it name=")
    return checked


def _is_count(number: object, most: int) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= most


def makes_object(function: object) -> bool:
    """Whether a stage is a class whose objects are called; others, as ``int`` is, are called themselves."""
    return isinstance(function, type) and any("__call__" in vars(base) for base in function.__mro__)


def _check_call(stage: Stage, *values: object) -> None:
    """Look whether a function takes what it will be given."""
    function: Any = stage.function
    try:
        if makes_object(function):
            what = f"the class {stage.name!r} is made of nothing, and its __call__"
            inspect.signature(function).bind()
            inspect.signature(function.__call__).bind(None, *values)
        else:
            what = f"{stage.kind} {stage.name!r}"
            inspect.signature(function).bind(*values)
    except ValueError:  # written in C, and says nothing of itself
        return
    except TypeError:
        raise ConfigError(f"{what} takes {'one value' if values else 'nothing'}") from None
