"""What a stage does, in one process and one thread: its function, or an object of its class."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from meshmq.errors import ConfigError
from meshmq.pipeline.definition import Stage, makes_object

if TYPE_CHECKING:
    import asyncio


class Work:
    """Calls a stage's function with values and tells what comes out; made, used and closed by one thread.

    Of a class one object is made, called with each value, and closed at the end where it has ``close``.
    What is async runs in an event loop of its own, which stands still between two values.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._runner: asyncio.Runner | None = None
        self._object: Any = stage.function() if makes_object(stage.function) else None
        self._function: Any = self._object if self._object is not None else stage.function

    def outputs(self, value: object) -> Generator[object]:
        """Call it with a value; yields what it returns or yields, and nothing for ``None``."""
        yield from self._given(self._function(value))

    def values(self) -> Iterator[object]:
        """Call the function of a source; yields what it yields, or what is in what it returns.

        Raises:
            ConfigError: it gives nothing that can be iterated.
        """
        result = self._await(self._function())
        if isinstance(result, Iterable) and not isinstance(result, str | bytes | Iterator):
            result = iter(result)
        if result is not None and not isinstance(result, Iterator | AsyncIterator):
            raise ConfigError(f"source {self._stage.name!r} yields values, or returns what can be iterated: {result!r}")
        return self._given(result)

    def close(self) -> None:
        """Close the object, if it can be, and the loop."""
        try:
            close = getattr(self._object, "close", None)
            if close is not None:
                self._await(close())
        finally:
            if self._runner is not None:
                self._runner.close()

    def _given(self, result: Any) -> Iterator[object]:
        result = self._await(result)
        if isinstance(result, AsyncIterator):
            yield from self._drained(result)
        elif isinstance(result, Iterator):
            try:
                yield from (one for one in result if one is not None)
            finally:
                if inspect.isgenerator(result):
                    result.close()
        elif result is not None:
            yield result

    def _drained(self, results: AsyncIterator[object]) -> Iterator[object]:
        async def following() -> tuple[object, bool]:
            try:
                return await anext(results), True
            except StopAsyncIteration:
                return None, False

        try:
            while True:
                one, more = self._await(following())
                if not more:
                    return
                if one is not None:
                    yield one
        finally:
            if inspect.isasyncgen(results):
                self._await(results.aclose())

    def _await(self, result: Any) -> Any:
        if not inspect.isawaitable(result):
            return result

        async def wait() -> Any:
            return await result

        if self._runner is None:
            import asyncio  # only where something is async: it takes long to import

            self._runner = asyncio.Runner()
        return self._runner.run(wait())
