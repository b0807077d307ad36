"""``meshmq recipe``: programs to start from."""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path
from typing import Any, Final

from meshmq.cli.options import UsageError, add_shared
from meshmq.cli.terminal import line, table, words
from meshmq.errors import MeshError

#: What would make a demonstration on one machine meet others, or its nodes each other's ports.
_OF_A_NODE: Final = (
    "NAME", "MESH", "SECRET", "SECRET_FILE", "PEERS", "PORT", "JOURNAL",
)  # fmt: skip

_EPILOG: Final = """\
A recipe is one file on the public API, made to be copied. "run" shows it at work, in a mesh of its own
on this machine.

examples:
  meshmq recipe list
  meshmq recipe show work_queue
  meshmq recipe run work_queue
  meshmq recipe new work_queue .
"""


def add_arguments(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "recipe",
        help="programs to start from",
        description="List, show, run and copy recipes.",
        epilog=_EPILOG,
        mixed=False,
    )
    add_shared(parser, place="after")
    actions = parser.add_subparsers(metavar="list | show | run | new", required=True)
    for name, does, action in (
        ("list", "all recipes, one line each", _list),
        ("show", "print one", _show),
        ("run", "run its demonstration", _run),
        ("new", "copy one into a directory", _new),
    ):
        one = actions.add_parser(name, help=does, description=f"Recipes: {does}.", epilog=_example(name))
        if name != "list":
            one.add_argument("recipe", metavar="NAME", help="as 'meshmq recipe list' names it")
        if name == "new":
            one.add_argument("directory", type=Path, metavar="DIR", help="where it is put; made if it is not there")
        one.set_defaults(run=action)


def find() -> dict[str, Path]:
    """Return the recipes by name, without importing them."""
    import meshmq.patterns

    files = [file for folder in meshmq.patterns.__path__ for file in Path(folder).glob("[a-z]*.py")]
    return {file.stem: file for file in sorted(files)}


def _example(action: str) -> str:
    rest = {"list": "", "new": " work_queue ."}.get(action, " work_queue")
    return f"example:\n  meshmq recipe {action}{rest}\n"


def _chosen(arguments: argparse.Namespace) -> Path:
    recipes = find()
    if arguments.recipe not in recipes:
        raise UsageError(f"there is no recipe {arguments.recipe!r}; there are: {', '.join(recipes)}")
    return recipes[arguments.recipe]


def _list(arguments: argparse.Namespace) -> int:
    import ast

    rows = []
    for name, file in find().items():
        text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
        rows.append((name, text.partition("\n")[0]))
    line(table(("RECIPE", "WHAT FOR"), rows))
    return 0


def _show(arguments: argparse.Namespace) -> int:
    line(_chosen(arguments).read_text(encoding="utf-8").rstrip("\n"))
    return 0


def _run(arguments: argparse.Namespace) -> int:
    from importlib import import_module

    module = import_module(f"meshmq.patterns.{_chosen(arguments).stem}")
    for name in _OF_A_NODE:
        os.environ.pop(f"MESHMQ_{name}", None)
    module.demo()
    return 0


def _new(arguments: argparse.Namespace) -> int:
    source, directory = _chosen(arguments), arguments.directory
    target = directory / source.name
    try:
        directory.mkdir(parents=True, exist_ok=True)
        # Never over a file that is there: it may hold somebody's work.
        with source.open("rb") as old, target.open("xb") as new:
            shutil.copyfileobj(old, new)
    except FileExistsError:
        raise MeshError(f"{str(target)!r} is there already: move it, or name another directory") from None
    except OSError as error:
        raise MeshError(f"{str(target)!r} cannot be written: {error.strerror or error}") from None
    line(str(target))
    words(f"run it with: python {target}")
    return 0
