"""Holds the house in order: layers, doors, sizes, names, and what must not be there at all.

Every failure names the file, the line and the place where the thing belongs.
"""

from __future__ import annotations

import ast
import fnmatch
import gc
import re
import sys
from collections.abc import Iterator
from typing import Final

import pytest

import meshmq
from meshmq import errors
from tests.architecture import ROOT, Source, forget, sources
from tests.house import DOORS, IMPURE_MODULES, JOINERS, LAYERS, PURE, PURE_PARTS, VIRTUAL

#: What the recipes, which show the public API, may import of us.
PUBLIC: Final = {"meshmq", "meshmq.errors", "meshmq.testing"}

MAX_LINES: Final = 300
MAX_RECIPE_LINES: Final = 120
#: Files that may be longer, each with its reason.
LONGER: Final[dict[str, str]] = {}

NOT_A_NAME: Final = {
    "common", "helper", "helpers", "impl", "info", "manager", "managers", "misc", "mixin", "mixins", "util", "utils",
}  # fmt: skip

TOP_LEVEL: Final = {
    ".ci", ".gitignore", "CHANGELOG.md", "LICENSE", "Makefile", "README.md", "examples", "meshmq", "patterns",
    "pyproject.toml", "tests",
}  # fmt: skip

PACKAGE: Final = sources("meshmq", "patterns")
TESTS: Final = sources("tests")
ALL: Final = sources("meshmq", "patterns", "examples", "tests")


@pytest.fixture(scope="module", autouse=True)
def uncollected() -> Iterator[None]:
    """Leave the collector off: it would look at 700,000 nodes, none of them garbage, again and again."""
    gc.disable()
    yield
    forget()
    gc.enable()


def no(wrong: list[str]) -> None:
    assert not wrong, "\n  ".join(["", *wrong])


def layer_of(part: str) -> int | None:
    return next((height for height, parts in enumerate(LAYERS) if part in parts), None)


def part_of(module: str) -> str:
    """Return the second word of a module's name: ``core`` for ``meshmq.core.outbox``."""
    return ".".join(module.split(".")[1:2])


def test_every_part_has_its_layer() -> None:
    no([f"{s.path}: say in LAYERS where it stands" for s in PACKAGE if layer_of(part_of(s.module)) is None])


def test_imports_go_down_only() -> None:
    wrong = []
    for source in PACKAGE:
        here = part_of(source.module)
        for line, name in source.imports():
            if name.split(".")[0] != "meshmq":
                continue
            there = part_of(name)
            below = (layer_of(there) or 0) < (layer_of(here) or 0)
            root = there == "" and here in {"cli", "patterns", "__main__"}
            if not (below or root or here == there):
                wrong.append(f"{source.path}:{line} imports {name}: {here or 'the package'} stands below {there}")
    no(wrong)


def test_imports_are_absolute() -> None:
    no([f"{s.path}:{line}: import it by its full name" for s in ALL for line, name in s.imports() if name[0] == "."])


def test_in_core_only_the_participant_knows_its_sisters() -> None:
    wrong = []
    for source in sources("meshmq/core"):
        machine = source.module.split(".")[2:3]
        for line, name in source.imports():
            # A machine may be a package: what is inside one is no sister.
            if name.startswith("meshmq.core.") and name.split(".")[2:3] != machine and machine[0] not in JOINERS:
                wrong.append(f"{source.path}:{line} imports {name}: only {', '.join(JOINERS)} may; see JOINERS")
    no(wrong)


def test_what_decides_knows_no_sockets_threads_clocks_or_logs() -> None:
    wrong = []
    for source in sources("meshmq"):
        if part_of(source.module) not in PURE:
            continue
        wrong += [
            f"{source.path}:{line} imports {name}: let it be given, or do it in links/ or drivers/"
            for line, name in source.imports()
            if name.split(".")[0] in IMPURE_MODULES
        ]
        wrong += [
            f"{source.path}:{line} uses {module}.{name}: ask what is given, leave a word to be logged"
            for line, module, name in source.uses(PURE_PARTS)
            if name not in PURE_PARTS[module]
        ]
    no(wrong)


def test_third_parties_have_one_door() -> None:
    wrong = []
    for source in PACKAGE:
        for line, name in source.imports():
            first = name.split(".")[0]
            if first in DOORS:
                if not source.path.startswith(DOORS[first]):
                    wrong.append(f"{source.path}:{line} imports {name}: only {DOORS[first]} may")
            elif first not in sys.stdlib_module_names | {"meshmq", ""}:
                wrong.append(f"{source.path}:{line} imports {name}: we depend on pyzmq, msgpack and zeroconf alone")
    no(wrong)


def test_recipes_use_the_public_api_alone() -> None:
    no(
        [
            f"{source.path}:{line} imports {name}: a recipe shows what users can do with {', '.join(sorted(PUBLIC))}"
            for source in sources("patterns")
            for line, name in source.imports()
            if name.split(".")[0] == "meshmq" and name not in PUBLIC
        ]
    )


def test_nothing_from_outside_is_executed() -> None:
    wrong = []
    for source in PACKAGE:
        wrong += [
            f"{source.path}:{line} imports {name}: values travel through meshmq/codecs/"
            for line, name in source.imports()
            if name.split(".")[0] in {"pickle", "marshal", "shelve", "dill", "cloudpickle"}
        ]
        wrong += [
            f"{source.path}:{call.lineno} calls {name}: nothing is evaluated"
            for call, name in source.calls()
            if name in {"eval", "exec", "__import__"} and isinstance(call.func, ast.Name)
        ]
    no(wrong)


def test_nothing_sleeps() -> None:
    wrong = []
    for source in [*sources("meshmq"), *TESTS]:
        if source.path in VIRTUAL:
            continue
        wrong += [
            f"{source.path}:{call.lineno} sleeps: wait for the event itself, with a limit"
            for call, name in source.calls()
            if name == "sleep" and ast.unparse(call) != "asyncio.sleep(0)"  # which only lets others run
        ]
        wrong += [
            f"{source.path}:{node.lineno} has a child that sleeps: let it wait for stdin or signal.pause()"
            for node in ast.walk(source.tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and source.path.startswith("tests/")
            if re.search(r"\bsleep\((?!0\))", node.value) and source.path != "tests/test_architecture.py"
        ]
    no(wrong)


def test_nothing_is_mocked() -> None:
    no(
        [
            f"{source.path}:{line}: write a fake that passes the real thing's contract"
            for source in TESTS
            for line, name in source.imports()
            if name.split(".")[0] in {"unittest", "mock", "pytest_mock"}
        ]
    )


def test_files_are_short() -> None:
    wrong = []
    for source in ALL:
        lines = source.text.count("\n")
        most = MAX_RECIPE_LINES if source.path.startswith("patterns/") else MAX_LINES
        if lines > most and source.path not in LONGER:
            wrong.append(f"{source.path} has {lines} lines of {most}: part it by ideas, or give its reason in LONGER")
    wrong += [f"{path} is short, or gone: take it out of LONGER" for path in LONGER if is_short(path)]
    no(wrong)


def is_short(path: str) -> bool:
    return not any(source.path == path and source.text.count("\n") > MAX_LINES for source in ALL)


def test_files_are_named_for_what_they_hold() -> None:
    no(
        [
            f"{source.path}: {word!r} says nothing; name it after its idea"
            for source in ALL
            for word in re.split(r"[/_.]", source.path)
            if word in NOT_A_NAME
        ]
    )


def test_every_module_says_what_it_knows() -> None:
    no([f"{source.path}: one sentence, as its docstring" for source in PACKAGE if not documented(source)])


def documented(source: Source) -> bool:
    return bool(ast.get_docstring(source.tree)) or not source.text.strip()


def test_top_level_holds_what_it_should() -> None:
    ignored = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text().split()] + [".git", "PKG-INFO"]
    found = {path.name for path in ROOT.iterdir()}
    found = {name for name in found if not any(fnmatch.fnmatch(name, pattern) for pattern in ignored)}
    no([f"{name} at the top: put it in its folder, or in TOP_LEVEL with the design" for name in found - TOP_LEVEL])


@pytest.mark.skipif(not hasattr(meshmq, "__all__"), reason="meshmq/__init__.py names nothing yet")
def test_public_names_are_there_documented_and_sorted() -> None:
    public: list[str] = list(getattr(meshmq, "__all__", []))
    assert public == sorted(public)
    assert not [name for name in public if name.startswith("_") and name != "__version__"]
    assert not [name for name in public if not hasattr(meshmq, name)]
    assert not [name for name in public if callable(getattr(meshmq, name)) and not getattr(meshmq, name).__doc__]
    # WouldBlock never reaches a user; every other error can be caught by its name.
    raised = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert raised - {"WouldBlock"} <= set(public)
