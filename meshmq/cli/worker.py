"""One worker of ``meshmq run``: imports the module, finds the node and runs it until it is told to end.

Exit status 0: it has drained. ``HOPELESS``: what it was to run is not there or no node, which another attempt would
not change; a module that fails when it is imported may do better next time.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

from meshmq.cli.options import split_target
from meshmq.cli.run import HOPELESS
from meshmq.cli.terminal import start_logging, words
from meshmq.errors import ConfigError, MeshError
from meshmq.faces.blocking import Node
from meshmq.node import BaseNode
from meshmq.supervisor import end_with_supervisor

if TYPE_CHECKING:
    from meshmq.faces.aio import AsyncNode


def load(target: str) -> Node | AsyncNode:
    """Import ``MODULE:NODE`` and return the node.

    Raises:
        ConfigError: there is no such module or attribute, or it is no node that can be run.
        Exception: whatever the module raises when it is imported.
    """
    module, attribute = split_target(target)
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError as error:
        # Of a.b.c the missing may be a, a.b or a.b.c; any other is missed by the module itself.
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise ConfigError(
            f"there is no module {error.name!r}, in {here} or where Python looks; write it as in package.module:node"
        ) from error
    try:
        node = getattr(loaded, attribute)
    except AttributeError:
        raise ConfigError(f"module {module!r} has no {attribute!r}; {_others(loaded)}") from None
    if not isinstance(node, BaseNode):
        what = f"the class {node.__name__}" if isinstance(node, type) else f"of type {type(node).__name__}"
        raise ConfigError(f"{target} is no Node or AsyncNode but {what}; {_others(loaded)}")
    if node.closed:
        raise ConfigError(f"{target} was closed before it could run: let the module make it, and leave it unopened")
    return cast("Node | AsyncNode", node)


def _others(module: object) -> str:
    names = sorted(name for name, value in vars(module).items() if isinstance(value, BaseNode))
    return f"nodes there: {', '.join(names)}" if names else "it makes no node at its top level: node = meshmq.Node()"


def main(target: str, loud: int) -> int:
    """Run the node; returns the exit status."""
    end_with_supervisor()
    sys.argv[:] = [split_target(target)[0].rpartition(".")[2]]  # nodes without a name are called after it
    if loud:  # else Python says warnings itself, with the stacks of handlers that failed as they are
        start_logging(loud)
    try:
        node = load(target)
    except ConfigError as error:
        words(str(error))
        return HOPELESS
    if not node._crews:
        words(
            f"{target} has no handlers: decorate functions with node.pull(...), node.subscribe(...) or node.reply(...)"
        )
    try:
        if isinstance(node, Node):
            node.run()
        else:
            import asyncio  # only here: it takes long to import

            asyncio.run(node.run())
    except MeshError as error:
        words(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
