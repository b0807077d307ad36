"""Imports the module or the file that a pipeline is in."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

from meshmq.errors import ConfigError
from meshmq.pipeline.pipeline import Pipeline
from meshmq.pipeline.target import imported

#: What a program is called that is imported for its pipeline, so that it does not run it once more.
PROGRAM: Final = "__meshmq_main__"


def load(target: str, *, inside: bool) -> Pipeline:
    """Import what ``target`` names and return the pipeline; ``inside`` is a process that runs but one stage of it.

    Raises:
        ConfigError: there is no such module, file or name in it, or it is no pipeline, or not whole.
        Exception: whatever the module raises when it is imported.
    """
    where, _, name = target.rpartition(":")
    if inside:
        imported.append(where)
    module = _run_file(Path(where)) if where.endswith(".py") else _import(where)
    found = getattr(module, name, None)
    if not isinstance(found, Pipeline):
        names = sorted(key for key, value in vars(module).items() if isinstance(value, Pipeline))
        there = f"pipelines there: {', '.join(names)}" if names else "it makes none at its top level"
        what = f"no pipeline but of type {type(found).__name__}" if hasattr(module, name) else "not there"
        raise ConfigError(f"{name!r} of {where} is {what}; {there}")
    found.definition.check()
    return found


def _run_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ConfigError(f"there is no file {path}")
    path = path.resolve()
    sys.path.insert(0, str(path.parent))  # as Python does for a program
    spec = importlib.util.spec_from_file_location(PROGRAM, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[PROGRAM] = module
    spec.loader.exec_module(module)
    return module


def _import(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # Of a.b.c the missing may be a, a.b or a.b.c; any other is missed by the module itself.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise ConfigError(
            f"there is no module {error.name!r}, in {here} or where Python looks; "
            "write it as in package.module:pipeline or file.py:pipeline"
        ) from error
