"""What is read from the file is not trusted: a bad row is set aside, and stops no other."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshmq.core.records import Keep
from meshmq.errors import DecodeError
from meshmq.journal.rows import (
    JOB,
    MESSAGE,
    SHARED,
    job_row,
    message_row,
    read_job,
    read_message,
    read_staged,
    staged_row,
)
from tests.journal.places import (
    LIMIT,
    ORIGIN,
    Arrivals,
    Place,
    full_job,
    job,
    letter,
    message,
    numbers,
    staged,
    write,
)
from tests.journal.users import filled, users_own

BAD = {
    "queue": ["'**'", "NULL", "x'07'", "cast(x'ff' AS TEXT)"],
    "body": ["NULL", "'text'"],
    "buffers": ["x'c1'", "7", "x'9101'"],
    "headers": ["x'ff'", "x'9101'", "'text'", "zeroblob(100000)"],
    "fate": ["x'81a16101'", "x'90'", "3"],
    "target": ["x'07'"],
    "job_key": ["x'00'"],
    "job_unique": ["cast(x'eda080' AS TEXT)"],
    "pushed": ["NULL", "'soon'", "9e999"],
    "due": ["'soon'"],
}
OF_JOBS = {"origin": ["x'00'", "NULL"], "number": ["-1", "'x'"], "failures": ["NULL", "-1"], "died": ["'long ago'"]}


@pytest.mark.parametrize(("column", "value"), [(c, v) for c, some in {**BAD, **OF_JOBS}.items() for v in some])
def test_row_that_cannot_be_read_is_set_aside_and_told(
    disk: Place, caplog: pytest.LogCaptureFixture, column: str, value: str
) -> None:
    filled(disk)
    with users_own(disk.path) as connection:
        connection.execute(f"UPDATE meshmq_jobs SET {column} = {value} WHERE number = 3")
    recovered = disk.again()
    assert numbers(recovered) == [1, 2, 4, 5]
    assert "row 3 of meshmq_jobs" in caplog.text
    caplog.clear()
    assert numbers(disk.again()) == [1, 2, 4, 5]
    assert not caplog.text
    with users_own(disk.path) as connection:
        ((fault,),) = connection.execute("SELECT fault FROM meshmq_jobs WHERE fault NOT NULL")
    assert fault


@pytest.mark.parametrize(
    ("column", "value"), [("topic", "'a..b'"), ("epoch", "-1"), ("seq", "0"), ("published", "NULL")]
)
def test_message_that_cannot_be_read_is_set_aside(disk: Place, column: str, value: str) -> None:
    filled(disk)
    with users_own(disk.path) as connection:
        connection.execute(f"UPDATE meshmq_messages SET {column} = {value}")
    assert not disk.again().messages


@pytest.mark.parametrize(("column", "value"), [(c, v) for c, some in BAD.items() for v in some])
def test_staged_row_that_cannot_be_used_is_set_aside(
    disk: Place, caplog: pytest.LogCaptureFixture, column: str, value: str
) -> None:
    disk.again()
    bad, good = disk.stage(staged(1)), disk.stage(staged(2))
    with users_own(disk.path) as connection:
        connection.execute(f"UPDATE meshmq_staged SET {column} = {value} WHERE id = {bad}")
    arrivals = Arrivals()
    journal = disk.open(arrivals)
    journal.recover()
    assert [row.row for row in arrivals.wait(1)] == [good]
    assert f"row {bad} of meshmq_staged" in caplog.text
    assert journal.close(LIMIT)


def test_what_no_row_can_hold_is_refused(disk: Place) -> None:
    journal = disk.open()
    error = write(journal, Keep(job(2**64)))
    assert error is not None
    assert error.reason == "unusable"
    assert write(journal, Keep(job(1))) is None


def test_ranges_are_found_by_an_index(disk: Place) -> None:
    filled(disk)
    with users_own(disk.path) as connection:
        one = "(origin = ? AND number BETWEEN ? AND ?)"
        for ranges in (1, 2, 300):
            sql = f"EXPLAIN QUERY PLAN DELETE FROM meshmq_jobs WHERE {' OR '.join([one] * ranges)}"
            plan = [row[3] for row in connection.execute(sql, [b"o" * 16, 1, 2] * ranges)]
            assert not [line for line in plan if line.startswith("SCAN")], plan


anything = st.one_of(
    st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(), st.binary(max_size=40),
    st.sampled_from(("orders", ORIGIN, b"\x80", b"\x91\xc4\x01a", b"\x81\xa1a\xa1b", b"\x81\xa3ttl\x05", 1.5, 7)),
)  # fmt: skip


@given(st.data())
def test_any_row_is_read_or_refused(data: st.DataObject) -> None:
    for read, columns in ((read_job, len(JOB)), (read_staged, len(SHARED)), (read_message, len(MESSAGE))):
        row = [1, *data.draw(st.lists(anything, min_size=columns, max_size=columns))]
        with suppress(DecodeError):
            read(row)


def test_row_is_read_as_it_was_written() -> None:
    assert read_job((1, *job_row(full_job(7)))) == full_job(7)
    assert read_job((1, *job_row(letter(7).job, letter(7).died, letter(7).reason))) == letter(7)
    assert read_message((1, *message_row(message(3)))) == message(3)
    assert read_staged((0, *staged_row(staged(3)))) == staged(3)
