"""Modules that a command imports, so that what they register can be read."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from meshmq.cli.options import UsageError


def add_import(parser: argparse.ArgumentParser) -> None:
    """Add the option that names them."""
    parser.add_argument(
        "--import",
        action="append",
        default=[],
        dest="modules",
        metavar="MODULE",
        help="import what registers the classes in the data; may be given again",
    )


def import_modules(modules: list[str]) -> None:
    """Import them, also from the current directory.

    Raises:
        UsageError: one cannot be imported.
    """
    here = str(Path.cwd())
    if modules and here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:
            raise UsageError(f"--import {module}: it cannot be imported ({type(error).__name__}: {error})") from error
