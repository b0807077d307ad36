"""Children do what the tests that use them rely on."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path

import pytest

from tests.network.conftest import Spawn

PAUSE = "import signal; print('up'); signal.pause()"


def test_lines_arrive_one_by_one(spawn: Spawn) -> None:
    child = spawn("import sys; print('one'); print('two', sys.argv[1:])", 7, "x")
    assert child.line() == "one"
    assert child.line() == "two ['7', 'x']"
    assert child.wait() == 0


def test_file_runs_in_the_directory_and_environment_given(spawn: Spawn, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("import os; print(os.getcwd(), os.environ['COLOUR'])")
    assert spawn(program, env={"COLOUR": "blue"}, cwd=tmp_path).rest() == [f"{tmp_path} blue"]


def test_child_imports_the_package_of_this_tree(spawn: Spawn, tmp_path: Path) -> None:
    child = spawn("import meshmq; print(meshmq.__file__)", cwd=tmp_path)
    assert child.line() == str(Path(__file__).parents[2] / "meshmq" / "__init__.py")


def test_line_that_does_not_come_fails_with_what_stderr_says(spawn: Spawn) -> None:
    child = spawn("import sys, signal; print('so it is', file=sys.stderr); print('up'); signal.pause()")
    assert child.line() == "up"
    with pytest.raises(AssertionError, match="so it is"):
        child.line(timeout=0.01)


def test_line_after_the_end_fails_at_once_and_again(spawn: Spawn) -> None:
    child = spawn("raise SystemExit('no such thing')")
    assert child.wait() == 1
    for _ in range(2):
        with pytest.raises(AssertionError, match="no such thing"):
            child.line()


def test_lines_up_to_a_text(spawn: Spawn) -> None:
    child = spawn("for n in range(5): print('line', n)")
    assert child.until("2") == ["line 0", "line 1", "line 2"]
    assert child.rest() == ["line 3", "line 4"]


def test_child_hears_what_is_said(spawn: Spawn) -> None:
    child = spawn("import sys\nfor line in sys.stdin: print(line.strip().upper())")
    child.say("hello")
    assert child.line() == "HELLO"
    child.end_input()
    assert child.wait() == 0


def test_killed_child_has_not_ended_by_itself(spawn: Spawn) -> None:
    child = spawn(PAUSE)
    assert child.line() == "up"
    child.kill()
    assert child.wait() == -signal.SIGKILL
    assert not child.running


def test_stopped_child_stands_still_until_resumed(spawn: Spawn) -> None:
    child = spawn("import sys\nprint('up')\nfor line in sys.stdin: print(line.strip())")
    assert child.line() == "up"
    child.stop()
    child.say("are you there?")
    with pytest.raises(AssertionError):
        child.line(timeout=0.05)
    child.resume()
    assert child.line() == "are you there?"


def test_signal_reaches_the_child(spawn: Spawn) -> None:
    child = spawn(PAUSE)
    assert child.line() == "up"
    child.signal(signal.SIGINT)
    assert child.wait() != 0
    assert "KeyboardInterrupt" in child.stderr


@pytest.mark.parametrize("ended", [False, True], ids=["running", "ended"])
def test_closing_ends_grandchildren_too(spawn: Spawn, ended: bool) -> None:
    child = spawn(
        "import signal, subprocess, sys\n"
        "grandchild = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])\n"
        "print(grandchild.pid)\n"
        "grandchild.returncode = 0  # no warning at exit\n"
        "sys.stdin.read()\n"
    )
    grandchild = os.pidfd_open(int(child.line()))
    if ended:
        child.end_input()
        assert child.wait() == 0
    child.close()
    try:
        # A pidfd becomes readable when its process has ended.
        assert _readable(grandchild, timeout=10)
    finally:
        os.close(grandchild)


def _readable(descriptor: int, *, timeout: float) -> bool:
    return bool(select.select([descriptor], [], [], timeout)[0])
