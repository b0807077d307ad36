"""What the README says is so: every command and program in it is run, every link leads somewhere."""

from __future__ import annotations

import itertools
import re
import shlex
import signal
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import pytest

import meshmq
from tests.architecture import ROOT
from tests.network.children import Child
from tests.network.conftest import Spawn, Start, spawn, start

__all__ = ["spawn", "start"]

TEXT: Final = (ROOT / "README.md").read_text()
BLOCK: Final = re.compile(r"(?:^<!-- (?P<mark>[^\n]+) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S)
DRAWING: Final = "program A ── push("
HELLO: Final = ("pull", "push", "subscribe", "publish", "reply", "request")

EXAMPLES: Final = sorted((ROOT / "examples").glob("*/README.md"))

#: Blocks that are not run here, each with its reason.
NOT_RUN: Final = {
    "install": "test_packaging builds the wheel it would install",
    "makefile": "that would be this very run; the targets are looked up",
}


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block, and what the comment above it calls it."""

    mark: str
    language: str
    text: str


BLOCKS: Final = [Block(found["mark"] or "", found["language"], found["text"]) for found in BLOCK.finditer(TEXT)]
FILES: Final = [block for block in BLOCKS if block.mark.startswith("file: ")]
PROGRAMS: Final = [(block.text, after.text) for block, after in itertools.pairwise(BLOCKS) if block.mark == "program"]


def marked(mark: str) -> str:
    (text,) = [block.text for block in BLOCKS if block.mark == mark]
    return text


def shell(lines: str) -> list[str]:
    """Return the command that runs ``lines`` as typed, with our ``meshmq`` and ``python`` on the PATH."""
    tools = shlex.quote(str(Path(sys.executable).parent))
    return ["sh", "-ec", f"PATH={tools}:$PATH\n{lines}"]


def write_hello(directory: Path, face: str) -> None:
    for name in HELLO:
        (directory / f"{name}.py").write_text(marked(f"file: {face}/{name}.py"))


def end(child: Child) -> None:
    child.signal(signal.SIGINT)
    child.wait()


def test_every_block_is_run_or_says_why_not() -> None:
    known = {"shell: pull", "shell: push", "shell: output", "program", "program: output", "two machines", *NOT_RUN}
    known |= {"rules", "shell: route", "shell: device", "shell: bench"}
    known |= {block.mark for block in FILES}
    assert [block.text for block in BLOCKS if block.mark not in known and DRAWING not in block.text] == []
    assert all(
        block.mark.startswith("file: ") or block.mark == "program" for block in BLOCKS if block.language == "python"
    )
    assert len(FILES) == 2 * len(HELLO)
    assert len(PROGRAMS) == sum(block.mark == "program: output" for block in BLOCKS) >= 6


def test_make_has_the_two_commands() -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = re.findall(r"^make (\w+)", marked("makefile"), re.M)
    assert named == ["demo", "test"]
    assert all(f"\n{target}:" in makefile for target in named)


def test_shell_says_hello(start: Start, mesh_name: str, tmp_path: Path) -> None:
    env = {"MESHMQ_MESH": mesh_name}
    push = start(shell(marked("shell: push")), env=env, cwd=tmp_path)
    pull = start(shell(f"exec {marked('shell: pull')}"), env=env, cwd=tmp_path)
    assert pull.line() == marked("shell: output").strip()
    assert push.wait() == 0, push.stderr
    end(pull)


# They are the examples, line by line (see below), and tests/examples/test_hello.py runs those.
@pytest.mark.stress
@pytest.mark.parametrize("face", ["blocking", "aio"])
def test_python_says_hello(spawn: Spawn, mesh_name: str, tmp_path: Path, face: str) -> None:
    env = {"MESHMQ_MESH": mesh_name}
    write_hello(tmp_path, face)
    push = spawn(tmp_path / "push.py", env=env)
    pull = spawn(tmp_path / "pull.py", env=env)
    assert pull.line() == "{'n': 1}"
    assert push.wait() == 0, push.stderr
    end(pull)
    request = spawn(tmp_path / "request.py", env=env)
    reply = spawn(tmp_path / "reply.py", env=env)
    assert request.line() == "3"
    assert request.wait() == 0, request.stderr
    reply.signal(signal.SIGTERM)
    assert reply.wait() == 0, reply.stderr
    subscribe = spawn(tmp_path / "subscribe.py", env=env)
    with meshmq.Node(mesh=mesh_name) as node:
        node.wait_for(subscribe="hello.world", timeout=20)
    publish = spawn(tmp_path / "publish.py", env=env)
    assert subscribe.line() == "hello.world {'n': 1}"
    assert publish.wait() == 0, publish.stderr
    end(subscribe)


def test_bench_tells_the_ratio_to_bare_pyzmq(start: Start, tmp_path: Path) -> None:
    bench = start(shell(marked("shell: bench")), cwd=tmp_path)
    table = "\n".join(bench.rest())
    assert bench.wait() == 0, bench.stderr
    assert re.search(r"^ *to pyzmq +\d+\.\d\d x", table, re.M), table


def test_rules_route(start: Start, mesh_name: str, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(marked("rules"))
    check, route = marked("shell: route").splitlines()
    table = start(shell(check), cwd=tmp_path)
    router = start(shell(f"exec {route}"), env={"MESHMQ_MESH": mesh_name}, cwd=tmp_path)
    assert [row.split()[-1] for row in table.rest()] == ["TO", "audit", "alarm.frost", "unrouted"]
    assert table.wait() == 0
    with meshmq.Node("here", mesh=mesh_name) as node:
        orders = [{"total": total, "customer": {"country": "AT"}} for total in (899, 900)]
        for order in orders:
            node.push("orders", order, headers={"kind": "new"})
        node.wait_for(subscribe="weather.garden.outside", timeout=20)
        node.publish("weather.garden.outside", -0.5)
        for queue, data, origin in (
            ("unrouted", orders[0], {"kind": "new", "from-queue": "orders"}),
            ("large-orders", orders[1], {"kind": "new", "from-queue": "orders"}),
            ("audit", orders[1], {"kind": "new", "from-queue": "orders"}),
            ("frost", -0.5, {"from-topic": "weather.garden.outside"}),
        ):
            with node.pull(queue) as jobs:
                job = jobs.receive(20)
                assert (job.data, job.headers) == (data, {**origin, "from-sender": "here"})
    end(router)


@pytest.mark.parametrize("block", FILES, ids=lambda block: block.mark)
def test_hello_is_the_example(block: Block) -> None:
    example = (ROOT / "examples" / "hello" / block.mark.removeprefix("file: ")).read_text()
    assert example.partition('"""\n\n')[2] == block.text


@pytest.mark.parametrize("program", range(len(PROGRAMS)))
def test_program_prints_what_stands_below_it(spawn: Spawn, mesh_name: str, tmp_path: Path, program: int) -> None:
    text, output = PROGRAMS[program]
    file = tmp_path / "program.py"
    file.write_text(text)
    child = spawn(file, env={"MESHMQ_MESH": mesh_name})
    assert child.wait() == 0, child.stderr
    assert child.rest() == output.splitlines()


def test_lines_for_two_machines_work_on_one(start: Start, mesh_name: str, tmp_path: Path) -> None:
    """The same between two network namespaces: tests/network/test_two_machines.py."""
    write_hello(tmp_path, "blocking")
    once, one, two = (part.partition("\n")[2] for part in re.split(r"^# ", marked("two machines"), flags=re.M)[1:])
    env = {"MESHMQ_MESH": mesh_name}
    keys = start(shell(once), cwd=tmp_path)
    assert keys.wait() == 0, keys.stderr
    assert (tmp_path / "mesh.secret").stat().st_mode & 0o077 == 0
    pull = start(shell(one), env=env, cwd=tmp_path)
    push = start(shell(two), env=env, cwd=tmp_path)
    assert pull.line() == "{'n': 1}"
    assert push.wait() == 0, push.stderr


PAGES: Final = ["README.md", "patterns/README.md", *(f"examples/{one.parent.name}/README.md" for one in EXAMPLES)]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text())
    assert [link for link in links if "://" in link] == [], "links stay inside the repository"
    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []


def test_settings_have_the_defaults_that_are_told() -> None:
    kinds = {field.name: field.default for field in fields(meshmq.Settings)}
    rows = re.findall(
        r"^\| (`\w+`(?:, `\w+`)?) \| ([^|]+) \|", TEXT.partition("## Settings")[2].partition("## Data")[0], re.M
    )
    told: dict[str, str] = {}
    for names, defaults in rows:
        if "MESHMQ" not in names:
            told |= dict(zip(re.findall(r"\w+", names), re.split(r", (?!\d{3})", defaults), strict=True))
    assert len(told) == 19
    assert told.pop("journal_sync") == f'`"{kinds["journal_sync"]}"`'
    for name in ("tap", "shared_memory"):
        assert told.pop(name) == f"`{kinds[name]}`"
    for name, default in told.items():
        number, _, unit = default.replace(",", "").partition(" ")
        assert kinds[name] == float(number) * (1 << 20 if unit == "MiB" else 1), name


def test_environment_variables_that_are_told_exist() -> None:
    package = "\n".join(path.read_text() for path in (ROOT / "meshmq").rglob("*.py"))
    told = set(re.findall(r"MESHMQ_\w+", TEXT))
    assert {name for name in told if f'"{name}"' not in package} == set()


def test_errors_and_calls_that_are_told_exist() -> None:
    errors = set(re.findall(r"`(\w+(?:Error|Lost|Out|Overflowed|Undelivered))\b", TEXT)) - {
        "CancelledError",
        "ZeroDivisionError",
    }
    assert {"NoPeersError", "TimedOut", "PeerLost", "RemoteError"} <= errors
    for name in (*errors, "Settings", "History", "register", "Node", "AsyncNode"):
        assert f"{name}" in TEXT
        assert hasattr(meshmq, name)
    seeing = ("peers", "events", "stats", "wait_for", "flush", "drain", "run", "close")
    for call in (*seeing, "push", "pull", "publish", "subscribe", "topic", "request", "reply", "survey", "stream"):
        assert f"`node.{call}" in TEXT or f"{call}(" in TEXT or f"`{call}`" in TEXT
        assert hasattr(meshmq.Node, call)
        assert hasattr(meshmq.AsyncNode, call)
