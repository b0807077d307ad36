"""What the README of an example says: the command that runs it, and what it prints."""

from __future__ import annotations

import re
import shlex
import sys
from typing import Final

from tests.architecture import ROOT

#: A number with a unit is measured, and another in each run.
MEASURED: Final = re.compile(r"\d[\d.,]*(?= (?:s|ms|MiB|GiB|%)(?:\W|$))")


def command(example: str) -> list[str]:
    """Return what stands in the first block, as it is run from the top of the checkout with this interpreter."""
    (python, *words) = shlex.split(_block(example, "shell").strip())
    assert (python, words[0]) == ("python", f"examples/{example}")
    return [sys.executable, *words]


def promised(example: str) -> list[str]:
    """Return the lines that it prints, as ``steady`` makes them."""
    return steady(_block(example, "text").splitlines())


def steady(lines: list[str]) -> list[str]:
    """Return lines with ``#`` for what is measured, and one space for many."""
    return [" ".join(MEASURED.sub("#", line).split()) for line in lines]


def _block(example: str, language: str) -> str:
    text = (ROOT / "examples" / example / "README.md").read_text()
    found = re.search(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)
    assert found, f"examples/{example}/README.md has no block of {language}"
    return found[1]
