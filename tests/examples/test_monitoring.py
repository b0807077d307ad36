"""Agents and a viewer, in processes; and the board that decides what is alarming, with a clock in the test's hand."""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

import meshmq
from examples.monitoring.board import Board, Change
from examples.monitoring.figures import measure, memory_used
from examples.monitoring.screen import Screen, table
from examples.monitoring.watch import watch
from tests.architecture import ROOT
from tests.examples.promises import command, promised, steady
from tests.network.children import LIMIT, Child
from tests.network.conftest import Start

#: What a machine that is busy, full, or slow may say in between; the process is the one that runs the tests.
ITS_OWN: Final = re.compile(r"(ALARM|clear) +\w+: (load|memory|disk|silent|speaks|process) .*")

pytestmark = pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="the figures come from /proc")


def test_it_prints_what_its_readme_says(start: Start) -> None:
    example = start(command("monitoring"), cwd=ROOT)
    lines = iter(steady(example.rest()))
    assert example.wait() == 0, example.stderr
    for line in promised("monitoring"):
        for printed in lines:
            if printed == line:
                break
            assert ITS_OWN.fullmatch(printed), f"{printed!r} where {line!r} should be"
        else:
            pytest.fail(f"{line!r} is missing")
    assert all(ITS_OWN.fullmatch(line) for line in lines)
    assert "Traceback" not in example.stderr


def run(start: Start, module: str, mesh: str, *options: str) -> Child:
    env = {"MESHMQ_MESH": mesh, "MESHMQ_NAME": module}
    return start([sys.executable, "-m", f"examples.monitoring.{module}", *options], env=env, cwd=ROOT)


def test_who_left_is_told_from_who_died(start: Start, mesh_name: str) -> None:
    with meshmq.Node(mesh=mesh_name) as node:
        board, changes = Board(), list[str]()
        news = watch(node, board)

        def until(reached: Callable[[], bool]) -> None:
            deadline = time.monotonic() + LIMIT
            for change in news:
                assert time.monotonic() < deadline, (board.rows, changes)
                changes.extend([str(change)] if change else [])
                if reached():
                    return

        agent = run(start, "agent", mesh_name, "--every", "0.05", "--process", str(os.getpid()))
        until(lambda: "agent" in board.rows)
        assert board.rows["agent"].figures["process"] > 1
        first = board.rows["agent"].at
        until(lambda: board.rows["agent"].at > first)
        with node.subscribe("figures.agent", since="first") as kept:
            assert kept.receive(LIMIT).seq > 1  # the last figures alone are kept for who comes late
        agent.signal(signal.SIGTERM)
        assert agent.wait() == 0, agent.stderr
        until(lambda: not board.rows)

        agent = run(start, "agent", mesh_name, "--every", "3600")
        until(lambda: "agent" in board.rows)
        agent.kill()
        until(lambda: ("agent", "died") in board.alarms)
        assert [change for change in changes if not ITS_OWN.fullmatch(change)] == ["ALARM  agent: died"]


def test_viewer_shows_what_was_said_before_it_came(start: Start, mesh_name: str) -> None:
    with meshmq.Node("late", mesh=mesh_name) as node:
        node.topic("figures.**", history=1)
        node.publish("figures.late", {"every": 3600, "figures": {"disk": 99.0}})
        viewer = run(start, "viewer", mesh_name)
        assert viewer.line() == "ALARM  late: disk 99 %, more than 98 %"
        shown = time.monotonic()
        with meshmq.Node("later", mesh=mesh_name) as later:
            board = Board()
            for _ in watch(later, board):
                assert time.monotonic() < shown + LIMIT
                if board.rows:
                    break
            assert board.rows["late"].at < shown  # when it was measured, not when it was heard
        viewer.signal(signal.SIGINT)
        assert viewer.wait() == 0, viewer.stderr


def told(changes: Iterator[Change]) -> list[str]:
    return [str(change) for change in changes]


def test_figure_beyond_its_bound_is_told_once_and_when_it_is_back() -> None:
    board = Board()
    assert told(board.hear("web", {"disk": 98.0, "load": 3.0}, 0.1, 10.0)) == []
    assert told(board.hear("web", {"disk": 98.6}, 0.1, 10.1)) == ["ALARM  web: disk 99 %, more than 98 %"]
    assert told(board.hear("web", {"disk": 99.9}, 0.1, 10.2)) == []
    assert told(board.hear("db", {"disk": 99.0}, 0.1, 10.2)) == ["ALARM  db: disk 99 %, more than 98 %"]
    assert told(board.hear("web", {"disk": 20.0}, 0.1, 10.3)) == ["clear  web: disk 20 %"]
    assert board.alarms == {("db", "disk")}


def test_silence_is_told_once_and_goes_by_the_nodes_own_pace() -> None:
    board = Board()
    assert told(board.hear("quick", {}, 0.1, 10.0)) == []
    assert told(board.hear("hourly", {}, 3600, 10.0)) == []
    assert told(board.check(11.0)) == []
    assert told(board.check(11.1)) == ["ALARM  quick: silent for 1.1 s"]
    assert told(board.check(11.2)) == []
    assert told(board.hear("quick", {}, 0.1, 11.3)) == ["clear  quick: speaks again"]
    assert told(board.check(10.0 + 5 * 3600)) == ["ALARM  quick: silent for 17998.7 s"]


def test_death_takes_the_place_of_other_alarms_until_the_node_is_back() -> None:
    board = Board()
    list(board.hear("web", {"disk": 99.0}, 0.1, 10.0))
    assert told(board.lose("web")) == ["ALARM  web: died"]
    assert told(board.lose("web")) == []
    assert told(board.lose("nobody we know")) == []
    assert told(board.check(20.0)) == []
    assert board.alarms == {("web", "died")}
    assert told(board.hear("web", {"disk": 9.0}, 0.1, 21.0)) == ["clear  web: speaks again"]


def test_who_says_goodbye_is_forgotten() -> None:
    board = Board()
    list(board.hear("web", {"disk": 99.0}, 0.1, 10.0))
    board.part("web")
    assert (board.rows, board.alarms, told(board.check(20.0))) == ({}, set(), [])


def test_table_shows_what_is_known_and_in_red_what_is_alarming() -> None:
    board = Board()
    list(board.hear("web-1", {"load": 20.4, "disk": 99.0}, 0.1, 10.0))
    assert table(board, 10.26) == [
        "node       load    memory      disk   process  measured",
        "web-1      20 %                99 %            0.3 s ago",
    ]
    list(board.check(11.5))
    assert table(board, 11.5, coloured=True)[1:] == [
        "web-1      20 %          \x1b[31m      99 %\x1b[0m          \x1b[31m  1.5 s ago, silent\x1b[0m"
    ]


class Terminal(io.StringIO):
    """Text that is seen on a screen."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_the_table_is_rewritten_below_what_is_said() -> None:
    board = Board()
    list(board.hear("web", {}, 0.1, 10.0))
    with contextlib.redirect_stdout(Terminal()) as terminal:
        screen = Screen(board)
        screen.refresh()
        screen.say("hello")
    first, said = terminal.getvalue().split("\x1b[2A\x1b[J")
    assert said.startswith("hello\nnode ")
    assert first.count("\n") == 2


def test_elsewhere_the_table_is_shown_when_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(Board())
    screen.refresh()
    screen.say("hello")
    screen.show()
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["hello", "node"]


def test_figures_are_this_machines_own() -> None:
    figures = measure(os.getpid())
    assert set(figures) == {"load", "memory", "disk", "process"}
    assert 0 < figures["memory"] < 100
    assert 0 < figures["disk"] <= 100
    assert figures["process"] > 1
    assert "process" not in measure(2**22 + 1)  # more than Linux counts processes


def test_memory_that_could_be_had_is_not_used() -> None:
    assert memory_used("MemTotal: 1000 kB\nMemFree: 10 kB\nMemAvailable: 250 kB\n\nHugePages_Total: 0\n") == 75
    with pytest.raises(KeyError):
        memory_used("nothing")
