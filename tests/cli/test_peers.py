"""``meshmq peers`` shows who is here at the first look."""

from __future__ import annotations

import json
import secrets
import signal
from pathlib import Path

import pytest

from meshmq import Node
from meshmq.cli import main
from meshmq.cli.joining import ALONE, is_alone, joined
from tests.cli.conftest import Meshmq
from tests.cli.test_main import parse


def test_table_shows_who_is_here(mesh_name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with Node("camera", mesh=mesh_name) as node, node.pull("jobs"):
        assert main(["peers", "--mesh", mesh_name]) == 0
    out, said = capsys.readouterr()
    head, row = out.splitlines()
    assert head.split("  ")[0] == "NAME"
    assert row.split()[:3] == ["camera", node.id[:8], "up"]
    assert "jobs" in row
    assert row.endswith("same host")
    assert said == f"meshmq: {ALONE}\n"


def test_nobody_here_is_said_in_words(mesh_name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--mesh", mesh_name, "peers"]) == 0
    assert capsys.readouterr().out == f"nobody else is in the mesh {mesh_name!r}\n"


def test_json_is_one_array_with_round_trips(mesh_name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with Node("camera", mesh=mesh_name) as node:
        assert main(["peers", "--json", "--mesh", mesh_name]) == 0
    (peer,) = json.loads(capsys.readouterr().out)
    assert (peer["name"], peer["id"], peer["state"]) == ("camera", node.id, "up")
    assert peer["round_trip"] > 0


def test_watch_prints_what_happens_until_interrupted(meshmq: Meshmq, mesh_name: str) -> None:
    watch = meshmq("peers", "--watch", "--name", "watcher")
    told = meshmq("peers", "--watch", "--json", "--name", "teller")
    with Node("camera", mesh=mesh_name) as node:
        joined = (event.name for event in node.events(20) if event.kind == "joined")
        assert {next(joined), next(joined)} == {"watcher", "teller"}
        watch.until("joined  camera")
        told.until('"kind": "joined", "name": "camera"')
    assert node.id[:8] in watch.until("left  camera")[-1]
    assert json.loads(told.until('"kind": "left", "name": "camera"')[-1])["id"] == node.id
    for child in (watch, told):
        child.signal(signal.SIGINT)
        assert child.wait() == 130


def test_commands_that_pass_by_leave_the_port_to_a_node_that_stays(
    mesh_name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MESHMQ_SECRET", secrets.token_urlsafe(32))
    monkeypatch.setenv("MESHMQ_MESH", mesh_name)
    with Node("stays") as node:
        port = int(node.addresses[-1].rpartition(":")[2])
        monkeypatch.setenv("MESHMQ_PORT", str(port))
        jobs = node.pull("jobs")
        with joined(parse("peers")) as other:  # and as stats, without the time they look for
            assert not any(f":{port}" in address for address in other.addresses)
        assert main(["push", "jobs", "1", "--timeout", "0.1"]) == 1  # nobody asks for it; but it was opened
        said = capsys.readouterr().err
        assert "1 job of 1 not confirmed" in said
        assert "is taken" not in said
        assert main(["pull", "jobs", "--idle", "0.1"]) == 1
        assert f"port {port} is taken" in capsys.readouterr().err
        jobs.close()


def test_with_a_secret_or_insecure_nobody_is_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "secret"
    file.write_text(secrets.token_urlsafe(32))
    file.chmod(0o600)
    assert is_alone(parse("peers"))
    assert not is_alone(parse("peers", "--insecure"))
    assert not is_alone(parse("peers", "--secret-file", str(file)))
    monkeypatch.setenv("MESHMQ_SECRET", secrets.token_urlsafe(32))
    assert not is_alone(parse("peers"))
