"""``meshmq run``: the node of a module in supervised processes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from meshmq.cli.options import UsageError, add_shared, count, seconds, split_target, target
from meshmq.supervisor import LIMIT, Supervisor, several

#: How a worker ends that cannot do what was typed; EX_CONFIG of sysexits.h.
HOPELESS: Final = 78

_EPILOG: Final = """\
Each worker is a process that imports MODULE and calls NODE.run(): a meshmq.Node or AsyncNode that the
module makes and does not open. What workers print comes out with the module's name and their number in
front. One that dies is started again, soon at first and later while it dies soon; one that has drained
and ended with 0, as after "meshmq drain", is not.

Ctrl-C or SIGTERM drains: workers take no new work, finish what runs, confirm it, and end; a second
signal ends them at once. A worker does not outlive this command, however that ends. A module that gives
its node a name gives it to all workers; without one each is called by its program and process.

With --reload all are drained and started anew when a .py file of the module's package changes.

examples:
  meshmq run shop.orders:node
  meshmq run shop.orders:node --workers 4
  meshmq run shop.orders:node --reload
"""


def add_arguments(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "run", help="run the handlers of a module", description="Run a module's node in processes.", epilog=_EPILOG
    )
    parser.add_argument("target", type=target, metavar="MODULE:NODE", help="what to import, and the node in it")
    parser.add_argument("--workers", type=count, default=1, metavar="N", help="so many processes (default: 1)")
    parser.add_argument("--reload", action="store_true", help="start anew when the module's files change")
    parser.add_argument(
        "--limit",
        type=seconds,
        default=LIMIT,
        metavar="SECONDS",
        help=f"kill a worker that has not drained in so long (default: {LIMIT:g})",
    )
    add_shared(parser, place="after")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the workers until they are done, or somebody ends it.

    Raises:
        UsageError: ``--insecure``, which the module says itself.
    """
    if arguments.insecure:
        raise UsageError("--insecure is not for 'run': write it in the module, meshmq.Node(insecure=True)")
    for variable, value in (
        ("NAME", arguments.name),
        ("MESH", arguments.mesh),
        ("SECRET_FILE", arguments.secret_file and str(arguments.secret_file.absolute())),
        ("PEERS", ",".join(arguments.peers)),
    ):
        if value:
            os.environ[f"MESHMQ_{variable}"] = value
    if arguments.secret_file:
        os.environ.pop("MESHMQ_SECRET", None)  # of the two the file was asked for
    module, _ = split_target(arguments.target)
    status = Supervisor(
        several(
            module.rpartition(".")[2],
            [sys.executable, "-m", "meshmq.cli.worker", arguments.target, str(arguments.loud)],
            arguments.workers,
        ),
        limit=arguments.limit,
        hopeless=() if arguments.reload else (HOPELESS,),
        changed=changes(files_of(module)) if arguments.reload else None,
    ).run()
    return 2 if status == HOPELESS else status


def files_of(module: str) -> Callable[[], list[Path]]:
    """Return what lists the .py files of a module's package, without importing it."""
    top, here = module.partition(".")[0], Path.cwd()

    def files() -> list[Path]:
        if (here / top).is_dir():
            return list((here / top).rglob("*.py"))
        if (here / f"{top}.py").exists():
            return [here / f"{top}.py"]
        try:
            spec = find_spec(top)
        except (ImportError, ValueError):
            return []
        if spec is None:
            return []
        folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
        return [file for folder in folders for file in folder.rglob("*.py")] or [Path(spec.origin or os.devnull)]

    return files


def changes(files: Callable[[], list[Path]]) -> Callable[[], bool]:
    """Return what says whether a file has come, gone or changed since it was last asked."""
    seen: dict[Path, int] | None = None

    def changed() -> bool:
        nonlocal seen
        before, seen = seen, {}
        for file in files():
            try:
                seen[file] = file.stat().st_mtime_ns
            except OSError:  # gone meanwhile, or a link to nowhere
                continue
        return before is not None and before != seen

    return changed
