"""Log files are followed and counted, in processes: no line is lost or counted twice, whoever is killed."""

from __future__ import annotations

import re
import signal
import threading
from pathlib import Path

import meshmq
from examples.log_processing.window import Window
from tests.architecture import ROOT
from tests.examples.promises import command, promised, steady
from tests.network.children import LIMIT
from tests.network.conftest import Spawn, Start

FOLDER = ROOT / "examples" / "log_processing"


def fixed(lines: list[str]) -> list[str]:
    """Return lines without what was in the window by then, and without how much came again."""
    return [re.sub(r"(by then:|added once:) .*", r"\1 #", line) for line in steady(lines)]


def test_it_prints_what_its_readme_says(start: Start) -> None:
    example = start(command("log_processing"), cwd=ROOT)
    assert fixed(example.rest()) == fixed(promised("log_processing")), example.stderr
    assert example.wait() == 0
    assert "Traceback" not in example.stderr


def test_counter_killed_before_it_confirms_leaves_nothing_out_and_nothing_double(spawn: Spawn, mesh_name: str) -> None:
    env, window = {"MESHMQ_MESH": mesh_name}, Window(60)
    first = spawn(FOLDER / "counter.py", env=env)
    with meshmq.Node("follower", mesh=mesh_name) as follower, meshmq.Node("tally", mesh=mesh_name) as tally:
        follower.push("lines", {"service": "pay", "at": 1.0, "lines": ["ERROR refused", "INFO paid", "ERROR refused"]})
        with tally.pull("counts") as counts:
            for _ in range(2):
                data = counts.receive(LIMIT).data
                window.add(data["id"], data["at"], data["service"], data["levels"])
                if first.running:
                    first.kill()  # the tally has added what it counted, and the follower does not know
                    spawn(FOLDER / "counter.py", env=env)
        follower.flush(LIMIT)
    assert window.total == {("pay", "ERROR"): 2, ("pay", "INFO"): 1}
    assert window.repeats == 1


def test_tally_adds_once_and_tells_an_alarm_once(spawn: Spawn, mesh_name: str) -> None:
    tally = spawn(FOLDER / "tally.py", 60, 2, env={"MESHMQ_MESH": mesh_name})
    with meshmq.Node(mesh=mesh_name) as node, node.pull("alarms") as alarms, node.subscribe("window") as window:
        node.wait_for(pull="counts", timeout=LIMIT)
        window.ready(LIMIT)
        for chunk, at, errors in (("a", 1.0, 2), ("a", 1.0, 2), ("b", 2.0, 1), ("c", 3.0, 9), ("d", 100.0, 0)):
            node.push("counts", {"id": chunk, "at": at, "service": "pay", "levels": {"ERROR": errors}})
        told = [alarms.receive(LIMIT).data for _ in range(2)]
        assert [(alarm["service"], alarm["raised"]) for alarm in told] == [("pay", True), ("pay", False)]
        assert [alarm["counts"] for alarm in told] == [[("pay", "ERROR", 3)], []]
        states = [window.receive(LIMIT).data for _ in range(5)]
        assert [state["total"] for state in states] == [[("pay", "ERROR", total)] for total in (2, 2, 3, 12, 12)]
        assert [state["repeats"] for state in states] == [0, 1, 1, 1, 1]
    tally.signal(signal.SIGTERM)
    assert tally.wait() == 0, tally.stderr


def test_files_of_yours_are_followed_until_ctrl_c(start: Start, tmp_path: Path) -> None:
    log, enough = tmp_path / "app.log", threading.Event()
    log.write_text("an old line\n")
    example = start([*command("log_processing"), str(log)], cwd=ROOT)

    def fail() -> None:
        with log.open("a") as file:
            while not enough.wait(0.02):  # nobody knows when it is followed
                print("FATAL: out of paper", file=file, flush=True)

    printer = threading.Thread(target=fail)
    printer.start()
    try:
        example.until("ALARM  app: more than 10 errors in 60 s")
    finally:
        enough.set()
        printer.join()
    example.signal(signal.SIGINT)
    assert example.wait() == 130, example.stderr
    assert "Traceback" not in example.stderr
