"""``meshmq mailbox`` keeps jobs between who leaves today and who comes tomorrow, also through ``kill -9``."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

import meshmq as mq
from meshmq.cli import main
from tests.cli.conftest import Meshmq

BOX = ("mailbox", "letters", "--journal", "letters.db")
SAYS = "meshmq: mailbox-letters keeps 'letters' in letters.db for who pulls 'letters.kept'"


def write(mesh: str, *letters: str) -> None:
    """Push letters and leave when each is on the mailbox's disk."""
    with mq.Node("writer", mesh=mesh) as writer:
        for letter in letters:
            writer.push("letters", letter, headers={"n": letter})
        writer.flush(20)


def test_letters_wait_for_their_reader_though_the_mailbox_is_killed(meshmq: Meshmq, mesh_name: str) -> None:
    killed = meshmq(*BOX)
    write(mesh_name, "one", "two")
    killed.kill()
    box = meshmq(*BOX)
    write(mesh_name, "three")
    with mq.Node("reader", mesh=mesh_name) as reader:
        letters = reader.pull("letters.kept")
        got = [letters.receive(20) for _ in range(2)]
        assert [(letter.data, letter.redelivered) for letter in got] == [("one", True), ("two", True)]
        assert letters.receive(20).headers == {"from-sender": "writer", "n": "three"}
        letters.close()  # the third was not confirmed, and stays
        box.signal(signal.SIGTERM)
        assert box.wait() == 0
    assert box.stderr.splitlines() == [f"{SAYS}; 2 jobs there", "meshmq: 1 job kept; 1 job there"]


def test_ctrl_c_ends_it(meshmq: Meshmq, mesh_name: str) -> None:
    box = meshmq(*BOX, "--to", "tomorrow", "--name", "box")
    write(mesh_name, "one")
    with mq.Node("reader", mesh=mesh_name) as reader:
        assert next(iter(reader.pull("tomorrow"))).data == "one"
        reader.wait_for(pull="letters", timeout=20)
    box.signal(signal.SIGINT)
    assert box.wait() == 0


def test_a_mailbox_does_not_give_to_itself_and_says_whose_journal_it_is(
    tmp_path: Path, mesh_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "letters.db"
    assert main([*BOX[:3], str(file), "--to", "letters"]) == 2
    assert capsys.readouterr().err == "meshmq: --to letters: a mailbox gives on what it takes as another queue\n"
    with mq.Node("shop", mesh=mesh_name, journal=file):
        pass
    assert main([*BOX[:3], str(file), "--mesh", mesh_name]) == 1
    assert "shop" in capsys.readouterr().err
