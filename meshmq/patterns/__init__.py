"""Recipes on the public API, one module each: ``import meshmq.patterns.work_queue``.

In a wheel the recipes lie beside this file. In a checkout they lie in ``patterns/`` at the top, and
this package looks there too.
"""

from __future__ import annotations

from pathlib import Path

_checkout = Path(__file__).resolve().parents[2]
# Two levels above an installed package is site-packages, where "patterns" could be anybody's.
if (_checkout / "pyproject.toml").is_file() and (_checkout / "patterns").is_dir():
    __path__.append(str(_checkout / "patterns"))
