"""Reads the sources as the architecture tests need them: files, modules, imports, calls."""

from __future__ import annotations

import ast
import functools
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Source:
    """One Python file of this tree."""

    path: str
    """Relative to the top, with slashes."""

    text: str

    @property
    def module(self) -> str:
        """The name by which it is imported."""
        dotted = self.path.removesuffix(".py").replace("/", ".")
        return "meshmq." + dotted if dotted.startswith("patterns.") else dotted.removesuffix(".__init__")

    @property
    def tree(self) -> ast.Module:
        return _parse(self.path, self.text)

    def imports(self) -> Iterator[tuple[int, str]]:
        """Yield line and full name of what is imported, under ``TYPE_CHECKING`` and in functions too.

        ``from a import b`` is ``a.b`` where that is a module of ours, and ``a`` elsewhere.
        """
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level:
                yield node.lineno, "." * node.level + (node.module or "")
            elif isinstance(node, ast.ImportFrom) and node.module:
                full = [f"{node.module}.{alias.name}" for alias in node.names]
                yield from ((node.lineno, name) for name in {n if n in modules() else node.module for n in full})

    def uses(self, names: Collection[str]) -> Iterator[tuple[int, str, str]]:
        """Yield line, module and what is used of it, for the modules of these names where they are imported."""
        here: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                here.update(alias.name for alias in node.names if alias.name in names and not alias.asname)
            elif isinstance(node, ast.ImportFrom) and node.module and node.module in names:
                yield from ((node.lineno, node.module, alias.name) for alias in node.names)
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in here:
                yield node.lineno, node.value.id, node.attr

    def calls(self) -> Iterator[tuple[ast.Call, str]]:
        """Yield each call with the last part of what is called: ``b`` for ``a.b(1)``."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                if isinstance(node.func, ast.Name):
                    yield node, node.func.id
                elif isinstance(node.func, ast.Attribute):
                    yield node, node.func.attr


def sources(*folders: str) -> list[Source]:
    """Return all Python files under the folders, sorted; a missing folder has none."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return [Source(path.relative_to(ROOT).as_posix(), _read(path)) for path in paths]


def forget() -> None:
    """Let go of all trees."""
    _parse.cache_clear()


@functools.cache
def modules() -> frozenset[str]:
    """Return the names of all modules and packages of ours."""
    return frozenset(source.module for source in sources("meshmq", "patterns"))


@functools.cache
def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@functools.cache
def _parse(path: str, text: str) -> ast.Module:
    return ast.parse(text, path)
