"""By what the processes of a pipeline find it: ``MODULE:NAME`` or ``FILE.py:NAME``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

from meshmq.errors import ConfigError
from meshmq.pipeline.definition import Definition

#: The modules that this process has imported to run but a stage of what is in them.
imported: Final[list[str]] = []


def check_not_imported(name: str) -> None:
    """Look that no process of a pipeline runs one itself.

    Raises:
        ConfigError: it is about to.
    """
    if imported:
        raise ConfigError(
            f"pipeline {name!r} is run by a process that only imports {imported[0]}: "
            'put pipeline.run() behind if __name__ == "__main__":'
        )


def target_of(pipeline: object, definition: Definition) -> str:
    """Return by what another process finds a pipeline: at the top of its source's module, or of the program.

    Raises:
        ConfigError: it is not there.
    """
    definition.check()
    places = (getattr(definition.source.function, "__module__", None) or "", "__main__")
    for module in [sys.modules[place] for place in places if place in sys.modules]:
        for name, value in vars(module).items():
            if value is pipeline:
                return f"{_found_as(module, definition.name)}:{name}"
    raise ConfigError(
        f"pipeline {definition.name!r} is not at the top of the module of its source, {places[0]}: "
        "its processes would not find it there"
    )


def _found_as(module: Any, name: str) -> str:
    if module.__name__ != "__main__":
        return str(module.__name__)
    if module.__spec__ is not None and module.__spec__.name != "__main__":  # python -m package.module
        return str(module.__spec__.name)
    if not (file := getattr(module, "__file__", None)):
        raise ConfigError(f"pipeline {name!r} is in no file that its processes could import")
    return str(Path(file).resolve())
