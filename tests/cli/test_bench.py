"""``meshmq bench``: figures come out and add up, and what does not fit together is told; nothing here is timed."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest

from meshmq.bench.kinds import FIGURES, Run
from meshmq.bench.rounds import Compared, Scene
from meshmq.cli import bench, main
from tests.cli.conftest import Meshmq
from tests.cli.test_main import parse


def test_table_has_both_sides_and_their_ratio(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "push", "--count", "20", "--rounds", "1", "--baseline"]) == 0
    out, said = capsys.readouterr()
    head, _, title, names, ours, theirs, ratio = out.splitlines()
    assert head.startswith("python 3.")
    assert "pyzmq" in head
    assert title == "push 1:1 sync, ipc, 1 rounds of 20"
    assert names.split() == ["messages/s", "CPU", "s/million"]
    assert (ours.split()[0], theirs.split()[0]) == ("MeshMQ", "pyzmq")
    assert re.fullmatch(r"  to pyzmq +[\d.]+ x +[\d.]+ x", ratio)
    assert re.fullmatch(r"meshmq: round 1 of 1: push 1:1 sync, ipc: MeshMQ [\d.,]+/s, pyzmq [\d.,]+/s\n", said)


def test_json_has_what_the_help_says_and_the_picture_is_drawn(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib", reason="the extra plot draws the picture")
    picture = tmp_path / "bench.png"
    words = ["bench", "request", "--count", "20", "--rounds", "1", "--size", "10,1kB", "--json", "--plot", str(picture)]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told) == {"machine", "results"}
    assert [result["work"]["size"] for result in told["results"]] == [10, 1000]
    for result in told["results"]:
        assert set(result) == {"title", "work", "rounds", "sides", "ratios"}
        (run,) = result["sides"]["MeshMQ"]["runs"]
        assert run == result["sides"]["MeshMQ"]["median"]
        assert set(run) == {figure.key for figure in FIGURES["request"]}
        assert run["p50"] <= run["p99"] <= run["p100"]
        assert result["ratios"] == {}
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_help_names_every_figure() -> None:
    epilog = " ".join(bench._EPILOG.split())
    assert not [figure.key for kind in FIGURES.values() for figure in kind if figure.key.split(".")[0] not in epilog
                and figure.key not in ("p90", "p99", "p99.9")]  # fmt: skip


def test_what_there_is_at_ctrl_c_is_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def compare(all_compared: list[Compared], scene: Scene, *_: object) -> None:
        all_compared[0].runs["MeshMQ"] = [Run({"rate": 1234.0, "cpu": 1.0})]
        raise KeyboardInterrupt

    monkeypatch.setattr(bench, "compare", compare)
    assert main(["bench", "push", "--baseline", "--transport", "ipc,tcp"]) == 130
    out, said = capsys.readouterr()
    assert "meshmq: ended early" in said
    assert "MeshMQ         1,234" in out
    assert "to pyzmq           -" in out
    assert "tcp" not in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("push --rate 5", "--rate is for 'request', not for 'push'"),
        ("push --in-flight 5", "--in-flight is for 'request', not for 'push'"),
        ("push --array", "--array is for 'large', not for 'push'"),
        ("push --serve", "other machines are met with a secret ('meshmq keys new') or with --insecure"),
        ("push --to 127.0.0.1:1", "other machines are met with a secret"),
        ("push --serve --insecure --to 127.0.0.1:1", "--serve is for one machine and --to for the other"),
        ("push --serve --insecure --transport ipc", "between machines all goes over tcp"),
        ("push --insecure", "--insecure is for --serve and --to"),
        ("push --peer a:1", "--peer is for --to"),
        ("large --async", "'large' is measured without --async"),
        ("discover --size 5", "'discover' has one small job"),
        ("discover --senders 5", "of 'discover' one sender comes"),
        ("push --senders 5 --count 4", "--count is less than who sends"),
        ("push --plot /nonesuch/a.png", "there is no folder /nonesuch|pip install 'meshmq[plot]'"),
        ("push --size big", "'big' is no whole number from 1"),
        ("push --transport udp", "'udp' is not ipc, tcp or ipc,tcp"),
        ("push --to 1.2.3.4", "'1.2.3.4' is not HOST:PORT, as --serve prints it"),
        ("dance", "invalid choice: 'dance'"),
    ],
)
def test_what_does_not_fit_together_is_told(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *words.split()]) == 2
    out, told = capsys.readouterr()
    assert not out
    assert any(part in told for part in said.split("|"))


def test_missing_extra_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshmq.bench.plot.find_spec", lambda name: None)
    assert main(["bench", "push", "--plot", "a.png"]) == 2
    assert "pip install 'meshmq[plot]'" in capsys.readouterr().err


def test_sizes_have_units() -> None:
    assert parse("bench", "push", "--size", "100,64KiB,1MB,2k").size == (100, 65_536, 1_000_000, 2_000)


@pytest.mark.stress
def test_two_machines_measure_together(meshmq: Meshmq) -> None:
    served = meshmq("bench", "push", "--serve", "--insecure", "--baseline")
    program, *words = served.line().split()
    assert program == "meshmq"
    assert words[:3] == ["bench", "push", "--to"]
    near = meshmq(*words, "--count", "50", "--rounds", "2", "--receivers", "2", "--json")
    (result,) = json.loads("\n".join(near.rest()))["results"]
    assert near.wait() == 0, near.stderr
    assert result["title"] == "push 1:2 sync, tcp"
    assert result["rounds"] == 2
    assert result["ratios"]["pyzmq"]["rate"] > 0
    served.signal(signal.SIGINT)
    assert served.wait() == 0, served.stderr


@pytest.mark.stress
def test_nobody_at_the_address_is_told(
    capsys: pytest.CaptureFixture[str], mesh_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "_MEET", 0.3)
    assert main(["bench", "push", "--to", "127.0.0.1:1", "--insecure", "--mesh", mesh_name]) == 1
    assert "nobody serves at 127.0.0.1:1; run 'meshmq bench ... --serve' there" in capsys.readouterr().err
