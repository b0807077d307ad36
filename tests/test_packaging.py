"""What is built: the wheel holds the package and the recipes, and works without the checkout."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.architecture import ROOT

pytest.importorskip("hatchling", reason="building needs hatchling")

RECIPE = '"""A recipe that only this test knows."""\n\nANSWER = 42\n'
IMPORT = "import meshmq.patterns.of_this_test as recipe; print(recipe.ANSWER, recipe.__name__, recipe.__file__)"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy what the build may read, and add a recipe, so that the tests do not depend on which there are."""
    top = tmp_path_factory.mktemp("checkout")
    for path in files_here():
        target = top / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / path).read_bytes())
    (top / "patterns").mkdir(exist_ok=True)
    (top / "patterns" / "of_this_test.py").write_text(RECIPE)
    return top


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", checkout, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", checkout, tmp_path_factory.mktemp("sdist"))


def files_here() -> list[Path]:
    single = (".gitignore", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "Makefile", ".ci/run")
    found = [ROOT / name for name in single if (ROOT / name).exists()]
    for folder in ("meshmq", "patterns", "examples", "tests"):
        found += [path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return [path.relative_to(ROOT) for path in found]


def build(target: str, top: Path, into: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(into)]
    done = subprocess.run(command, cwd=top, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = into.iterdir()
    return built


def run(code: str, cwd: Path) -> str:
    """Run code that imports from ``cwd`` first; not from the checkout, which may be installed."""
    code = f"import sys; sys.path.insert(0, {str(cwd)!r}); {code}"
    command = [sys.executable, "-I", "-c", code]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_wheel_holds_the_package_and_the_recipes_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {"meshmq/__init__.py", "meshmq/py.typed", "meshmq/patterns/__init__.py"} <= set(names)
    assert "meshmq/patterns/of_this_test.py" in names
    assert len(names) == len(set(names))
    assert {name.split("/")[0] for name in names} == {"meshmq", "meshmq-0.1.0.dist-info"}


def test_every_module_of_the_tree_is_in_the_wheel(wheel: Path) -> None:
    here = {path.as_posix() for path in files_here() if path.parts[0] in ("meshmq", "patterns")}
    there = {f"meshmq/{path}" if path.startswith("patterns/") else path for path in here}
    assert there <= set(zipfile.ZipFile(wheel).namelist())


def test_recipe_is_imported_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    file = tmp_path / "meshmq" / "patterns" / "of_this_test.py"
    assert run(IMPORT, tmp_path) == f"42 meshmq.patterns.of_this_test {file}"


def test_recipe_is_imported_from_a_checkout(checkout: Path) -> None:
    assert run(IMPORT, checkout) == f"42 meshmq.patterns.of_this_test {checkout / 'patterns' / 'of_this_test.py'}"


def test_foreign_patterns_beside_an_installed_package_are_not_ours(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    (tmp_path / "patterns").mkdir()
    assert run("import meshmq.patterns as p; print(len(list(p.__path__)))", tmp_path) == "1"


def test_sdist_builds_the_same_wheel(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.2 of Debian 12 has none
        archive.extractall(tmp_path)
    (top,) = tmp_path.iterdir()
    again = build("wheel", top, tmp_path / "again")
    assert sorted(zipfile.ZipFile(again).namelist()) == sorted(zipfile.ZipFile(wheel).namelist())


def test_sdist_holds_what_its_tests_need(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {path.as_posix() for path in files_here()} <= names


def test_metadata_names_python_the_command_and_three_dependencies(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read("meshmq-0.1.0.dist-info/METADATA").decode()
        commands = archive.read("meshmq-0.1.0.dist-info/entry_points.txt").decode()
    lines = [line for line in metadata.splitlines() if line.startswith("Requires-Dist:") and "extra ==" not in line]
    assert sorted(line.split()[1].partition(">")[0] for line in lines) == ["msgpack", "pyzmq", "zeroconf"]
    assert "Requires-Python: >=3.11" in metadata
    assert "meshmq = meshmq.cli:main" in commands
    if (ROOT / "README.md").exists():
        assert "Description-Content-Type: text/markdown" in metadata, 'pyproject.toml: readme = "README.md"'


def test_changelog_speaks_of_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f" {version}\n" in (ROOT / "CHANGELOG.md").read_text()
