"""``meshmq journal`` shows, exports and imports; a running node's journal can be looked at."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from meshmq.cli import main
from meshmq.codecs.msgpack import MsgpackCodec
from meshmq.core.records import Bury, Claim, Failed, Forget, Keep, Letter, StoredJob, Tell
from meshmq.journal.base import Journal
from meshmq.journal.opening import open_journal
from meshmq.journal.staging import stage
from meshmq.journal.viewing import Contents, contents
from tests.journal.places import LIMIT, ORIGIN, full_job, message, write


def job(number: int, data: object, queue: str = "orders") -> StoredJob:
    body, buffers = MsgpackCodec().encode(data)
    return StoredJob(queue=queue, origin=ORIGIN, number=number, body=body, pushed=1000.5, buffers=buffers)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Give the open journal of a running node, which holds something of everything."""
    path = tmp_path / "orders.db"
    journal = open_journal(path, "shop")
    changes = (
        Keep(job(1, {"id": 1})),
        Keep(job(2, b"\0bytes")),
        Keep(replace(full_job(3), body=b"\xc1none of ours")),
        Bury(Letter(job(4, "bad", "bills"), "ValueError: no such bill", 2000.0)),
        Failed(ORIGIN, 2, 5, None),
        Claim("orders", "a", 1e11),
        Tell(message(1)),
        Tell(message(2)),
        Tell(message(7, "gone")),
        Forget("gone", 8),
    )
    assert write(journal, *changes) is None
    connection = sqlite3.connect(path)
    with connection:
        stage(connection, "orders", ["staged"], key="k", backoff=(1.0, 2.0))
    connection.close()
    yield journal
    journal.close(LIMIT)


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["journal", *words]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def test_show_counts_what_is_there(journal: Journal, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = [row.split() for row in shown(capsys, "show", str(tmp_path / "orders.db")).splitlines()]
    assert table[0] == ["QUEUE", "JOBS", "DEAD", "STAGED", "BYTES", "OLDEST"]
    assert table[1][:4] == ["bills", "0", "1", "0"]
    assert table[2][:4] == ["orders", "2", "0", "1"]
    assert table[3][:4] == ["orders.new", "1", "0", "0"]
    assert ["DEAD", "IN", "ID", "FAILURES", "SINCE", "REASON"] in table
    assert any(row[:2] == ["bills", f"{ORIGIN.hex()}-4"] and row[-3:] == ["no", "such", "bill"] for row in table)
    assert any(row[:3] == ["weather", "2", "2"] for row in table)
    assert any(row[:3] == ["gone", "0", "7"] for row in table)


def test_show_of_a_queue_has_the_data(journal: Journal, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "orders.db")
    out = shown(capsys, "show", path, "--queue", "orders")
    assert '{"id": 1}' in out
    assert '{"$bytes": "AGJ5dGVz"}' in out
    rows = [json.loads(row) for row in shown(capsys, "show", path, "--queue", "orders", "--json").splitlines()]
    assert [row["state"] for row in rows] == ["job", "job", "staged"]
    assert rows[1]["failures"] == 5
    assert "unreadable" in shown(capsys, "show", path, "--queue", "orders.new")
    assert main(["journal", "show", path, "--queue", "others"]) == 1
    assert "there is: bills, orders, orders.new" in capsys.readouterr().err


def test_show_for_programs_is_one_object(journal: Journal, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(shown(capsys, "show", str(tmp_path / "orders.db"), "--json"))
    assert found["node"] == "shop"
    assert [(queue["queue"], queue["jobs"]) for queue in found["queues"]] == [
        ("bills", 0),
        ("orders", 2),
        ("orders.new", 1),
    ]


def given(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def without_rows(found: Contents) -> Contents:
    return replace(found, staged=[replace(job, row=0) for job in found.staged])


def test_what_was_exported_comes_back_the_same(
    journal: Journal, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = tmp_path / "orders.db", tmp_path / "other.db"
    exported = shown(capsys, "export", str(path))
    assert all(json.loads(row) for row in exported.splitlines())
    given(exported, monkeypatch)
    assert main(["journal", "import", str(other)]) == 0
    assert without_rows(contents(other)) == without_rows(contents(path))
    given(exported, monkeypatch)
    assert main(["journal", "import", str(tmp_path / "till.db"), "--name", "till"]) == 0
    assert contents(tmp_path / "till.db").node == "till"


def test_journal_of_a_running_node_is_not_imported_into(
    journal: Journal, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "orders.db")
    given(shown(capsys, "export", path), monkeypatch)
    assert main(["journal", "import", path]) == 1
    assert "in use by node 'shop'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("[1]", "no object with one key"),
        ('{"cat": {}}', "'cat' is nothing"),
        ('{"job": {"queue": "orders"}}', "line 2"),
        ('{"job": {"queue": "orders", "origin": "00", "number": 1, "pushed": 1, "body": ""}}', "its origin is none"),
        ('{"claim": 7}', "line 2"),
        ("no JSON", "line 2 is no JSON"),
    ],
)
def test_line_that_is_none_of_ours_imports_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, bad: str, why: str
) -> None:
    given('{"journal": {"format": 1, "node": "shop"}}\n' + bad, monkeypatch)
    assert main(["journal", "import", str(tmp_path / "new.db")]) == 2
    assert why in capsys.readouterr().err
    assert not (tmp_path / "new.db").exists()


def test_import_needs_to_know_whose_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given('{"claim": {"queue": "orders", "unique": "a", "until": 1}}', monkeypatch)
    assert main(["journal", "import", str(tmp_path / "new.db")]) == 2
    assert "--name" in capsys.readouterr().err


def test_what_was_set_aside_is_shown_and_told(
    journal: Journal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "orders.db"
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE meshmq_jobs SET body = NULL WHERE number = 1")
        connection.execute("UPDATE meshmq_staged SET fault = 'said before'")
    connection.close()
    out = shown(capsys, "show", str(path))
    assert "said before" in out
    assert "its body is no bytes" in out
    assert main(["journal", "export", str(path)]) == 0
    assert "2 rows set aside" in capsys.readouterr().err


def test_file_without_a_journal_is_told_and_stays_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.db"
    for make in (None, "", "some text of mine, longer than the header of a database would ever be" * 20):
        if make is not None:
            path.write_text(make)
        assert main(["journal", "show", str(path)]) == 1
        assert str(path) in capsys.readouterr().err
        assert path.exists() == (make is not None)
        assert make is None or path.read_text() == make
