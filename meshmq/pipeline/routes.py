"""Where the values go that a stage gives."""

from __future__ import annotations

from collections.abc import Iterator

from meshmq.errors import ConfigError
from meshmq.pipeline.definition import Branch, Definition, Stage


class Routes:
    """From one stage to those after it."""

    def __init__(self, definition: Definition, stage: Stage) -> None:
        self._from = stage
        self._after = {one.name: one for one in definition.behind(stage.name)}

    def of(self, output: object) -> Iterator[tuple[Stage, object]]:
        """Yield each stage that gets an output, and the value it gets.

        Raises:
            ConfigError: it is for a stage that is not right after this one.
        """
        if isinstance(output, Branch):
            if output.stage not in self._after:
                there = ", ".join(self._after) or "none"
                raise ConfigError(f"{self._from.name!r} gives to {output.stage!r}; after it there are: {there}")
            yield self._after[output.stage], output.value
        else:
            for stage in self._after.values():
                yield stage, output
