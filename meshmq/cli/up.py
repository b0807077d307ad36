"""``meshmq up``: a pipeline, or some of its stages, in supervised processes; or units for it."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from meshmq.cli.options import UsageError, add_shared, count, seconds
from meshmq.cli.terminal import line, words
from meshmq.errors import ConfigError, MeshError
from meshmq.pipeline.loading import load
from meshmq.pipeline.pipeline import Pipeline
from meshmq.pipeline.running import HOPELESS, Run, workers_of
from meshmq.pipeline.units import compose, systemd
from meshmq.pipeline.worker import run_source, run_worker
from meshmq.supervisor import LIMIT, end_with_supervisor

_EPILOG = """\
Each worker of each stage is a process that imports MODULE, or FILE.py, in which PIPELINE is a
meshmq.Pipeline. It ends when the source has ended and all it gave is done, with a summary. The first
Ctrl-C or SIGTERM ends the source, and what it has given is done; a second ends all at once. One that
dies is started again.

With --only, on this or on another machine of the same mesh, some stages join the pipeline of the same
name and take their share, until a signal drains them (or, with the source among them, until it is done).

examples:
  meshmq up names.py:pipeline
  meshmq up shop.orders:pipeline --arguments --since 2026-01-01
  meshmq up shop.orders:pipeline --only count --workers 8
  meshmq up shop.orders:pipeline --print systemd
"""


def add_arguments(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("up", help="run a pipeline", description="Run a pipeline.", epilog=_EPILOG)
    parser.add_argument("target", type=target, metavar="MODULE:PIPELINE", help="what to import, and the pipeline in it")
    parser.add_argument(
        "--only", action="append", default=[], metavar="STAGE", help="run this stage alone; may be given again"
    )
    parser.add_argument("--workers", type=count, metavar="N", help="so many processes of it (default: as declared)")
    parser.add_argument(
        "--print", choices=("systemd", "compose"), dest="printed", help="print units that run the stages, and end"
    )
    parser.add_argument(
        "--limit",
        type=seconds,
        default=LIMIT,
        metavar="SECONDS",
        help=f"kill who has not drained in so long (default: {LIMIT:g})",
    )
    parser.add_argument("--stage", metavar="STAGE", help="be one process of this stage, as units are")
    parser.add_argument("--number", type=count, default=1, metavar="N", help="which one (default: 1)")
    parser.add_argument("--observer", help=argparse.SUPPRESS)
    parser.add_argument(
        "--arguments",
        nargs=argparse.REMAINDER,
        default=[],
        metavar="...",
        help="all that follows is for the module's program: its sys.argv",
    )
    add_shared(parser, place="after")
    parser.set_defaults(run=run)


def target(text: str) -> str:
    """Return ``text`` if it is ``MODULE:PIPELINE`` or ``FILE.py:PIPELINE``."""
    where, colon, name = text.rpartition(":")
    parts = [where] if where.endswith(".py") else where.split(".")
    if colon and name.isidentifier() and (where.endswith(".py") or all(part.isidentifier() for part in parts)):
        return text
    raise argparse.ArgumentTypeError(
        f"{text!r} is not MODULE:PIPELINE, as in package.module:pipeline or file.py:pipeline"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the stages until all is done, or somebody ends it.

    Raises:
        UsageError: what was typed does not fit the pipeline.
        MeshError: the module cannot be imported, or the source raised.
    """
    if arguments.insecure:
        raise UsageError("--insecure is not for 'up': write it in the module, meshmq.Pipeline(..., insecure=True)")
    if arguments.name:
        raise UsageError("--name is not for 'up': nodes are called by the pipeline, their stage and number")
    if arguments.workers is not None and not arguments.only:
        raise UsageError("--workers is for the stages of --only; those of all are declared in the module")
    for variable, value in (
        ("MESH", arguments.mesh),
        ("SECRET_FILE", arguments.secret_file and str(arguments.secret_file.absolute())),
        ("PEERS", ",".join(arguments.peers)),
    ):
        if value:
            os.environ[f"MESHMQ_{variable}"] = value
    if arguments.secret_file:
        os.environ.pop("MESHMQ_SECRET", None)  # of the two the file was asked for
    if arguments.stage is not None:
        return _be(arguments)
    pipeline = _load(arguments, inside=False)
    if arguments.printed:
        write = {"systemd": systemd, "compose": compose}[arguments.printed]
        line(write(pipeline.definition, arguments.target, arguments.arguments).rstrip("\n"))
        return 0
    try:
        running = Run(
            pipeline.definition,
            pipeline.node_options,
            arguments.target,
            arguments=arguments.arguments,
            only=arguments.only,
            workers=arguments.workers,
            limit=arguments.limit,
            loud=arguments.loud,
        )
    except ConfigError as error:
        raise UsageError(str(error)) from error
    running.run()
    return 0


def _be(arguments: argparse.Namespace) -> int:
    """Be one process of one stage."""
    end_with_supervisor()
    try:
        pipeline = _load(arguments, inside=True)
        definition = pipeline.definition
        stage = definition.stage(arguments.stage)
        if stage.key is not None and arguments.number > stage.workers:
            workers_of(stage, arguments.number)
        node = pipeline.node(stage.node(arguments.number))
        if stage.kind == "source":
            return run_source(definition, node, observer=arguments.observer)
        return run_worker(definition, stage, arguments.number, node)
    except ConfigError as error:
        words(str(error))
        return HOPELESS


def _load(arguments: argparse.Namespace, *, inside: bool) -> Pipeline:
    where = arguments.target.rpartition(":")[0]
    sys.argv[:] = [str(Path(where)), *arguments.arguments]
    try:
        return load(arguments.target, inside=inside)
    except ConfigError as error:
        raise (error if inside else UsageError(str(error))) from error
    except Exception as error:
        traceback.print_exception(error)
        raise MeshError(f"{where} cannot be imported: {type(error).__name__}") from error
