"""What log processing is made of: a file that is followed, a window, an alarm; no processes and no clock."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path, PosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.log_processing.alarm import Alarm
from examples.log_processing.levels import count_levels, level_of
from examples.log_processing.tail import CHUNK, Tail
from examples.log_processing.telling import count_words
from examples.log_processing.window import REMEMBERED, Window


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "web.log"


@contextmanager
def tailed(path: Path, *, whole: bool = True) -> Iterator[Tail]:
    with closing(Tail(path, whole=whole)) as tail:
        yield tail


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def everything(tail: Tail) -> list[str]:
    lines: list[str] = []
    while new := tail.read():
        lines += new
    return lines


def test_file_is_followed_from_its_end_or_whole(log: Path) -> None:
    append(log, "old\n")
    with tailed(log, whole=False) as new, tailed(log) as whole:
        append(log, "new\n")
        assert (new.read(), new.read()) == (["new"], [])
        assert (whole.read(), whole.read()) == (["old", "new"], [])


def test_file_that_comes_later_is_followed_from_its_start(log: Path) -> None:
    with tailed(log, whole=False) as tail:
        assert tail.read() == []
        append(log, "first\n")
        assert tail.read() == ["first"]


def test_line_comes_when_it_is_whole(log: Path) -> None:
    append(log, "a\nb")
    with tailed(log) as tail:
        assert (tail.read(), tail.read()) == (["a"], [])
        append(log, "c\n\n")
        assert tail.read() == ["bc", ""]


def test_renamed_file_is_read_to_its_end(log: Path) -> None:
    append(log, "a\n")
    with tailed(log) as tail:
        assert tail.read() == ["a"]
        old = log.rename(log.with_suffix(".1"))
        append(old, "b\nhalf")
        assert tail.read() == ["b"]
        append(log, "c\n")
        assert [tail.read(), tail.read(), tail.read()] == [["half"], ["c"], []]


def test_what_is_written_after_a_look_and_before_a_rename_is_read(log: Path) -> None:
    old = log.with_suffix(".1")

    class Racing(PosixPath):
        def stat(self, **options: Any) -> os.stat_result:
            """Look where the file is, just when it is written to, renamed and made anew."""
            if not old.exists():
                append(log, "b\n")
                log.rename(old)
                append(log, "c\n")
            return log.stat()

    append(log, "a\n")
    with tailed(Racing(log)) as tail:
        assert [tail.read(), tail.read(), tail.read(), tail.read()] == [["a"], ["b"], ["c"], []]


def test_truncated_file_is_read_from_its_start(log: Path) -> None:
    append(log, "a long line\nhalf")
    with tailed(log) as tail:
        assert tail.read() == ["a long line"]
        log.write_text("b\n")
        assert [tail.read(), tail.read(), tail.read()] == [["half"], ["b"], []]


def test_much_comes_in_chunks_and_bytes_that_are_no_text_come_as_such(log: Path) -> None:
    lines = [f"{number:0100}" for number in range(2 * CHUNK // 100)]
    log.write_bytes(b"\xff\n" + "\n".join(lines).encode() + b"\n")
    with tailed(log) as tail:
        first = tail.read()
        assert 0 < len(first) < len(lines)
        assert first + everything(tail) == ["\ufffd", *lines]


@given(st.lists(st.sampled_from(["line", "half", "read", "rotate", "truncate", "look"]), max_size=30))
def test_whatever_befalls_a_file_each_line_comes_once_in_order(deeds: list[str]) -> None:
    written, came, number = "", list[str](), 0
    with tempfile.TemporaryDirectory() as directory, tailed(log := Path(directory, "web.log")) as tail:
        log.touch()
        assert tail.read() == []  # it follows before the first is renamed
        for deed in deeds:
            number += 1
            if deed == "read":
                came += everything(tail)
            elif deed == "look":
                came += tail.read()
            elif deed in ("line", "half"):
                text = f"line {number}" + "\n" * (deed == "line")
                append(log, text)
                written += text
            else:
                came += everything(tail)  # what nobody has read is lost by truncating, and by being renamed twice
                if deed == "rotate":
                    log.rename(log.with_suffix(f".{number}"))
                elif log.stat().st_size == 0:
                    continue
                log.write_text("")
                came += everything(tail)
                written += "\n" * (not written.endswith("\n") and bool(written))
        came += everything(tail)
    assert came == written.split("\n")[:-1]


def test_level_is_the_first_word_that_names_one() -> None:
    lines = {
        "12:00 INFO ready": "INFO",
        "[WARN] full": "WARNING",
        "WARNING: no ERROR": "WARNING",
        "FATAL": "CRITICAL",
        "pay: ERROR refused": "ERROR",
        "WARNED INFORMALLY of TERROR": "OTHER",
        "": "OTHER",
    }
    assert {line: level_of(line) for line in lines} == lines
    assert count_levels(["INFO", "INFO", ""]) == {"INFO": 2, "OTHER": 1}


def test_chunk_that_comes_again_is_not_added_again() -> None:
    window = Window(10)
    window.add("a", 1.0, "web", {"INFO": 3})
    window.add("a", 1.0, "web", {"INFO": 3})
    window.add("b", 1.0, "web", {"INFO": 1})
    assert window.counts() == window.total == {("web", "INFO"): 4}
    assert window.repeats == 1


def test_window_ends_at_the_newest_line_whatever_order_they_come_in() -> None:
    window = Window(10)
    for chunk, at in (("late", 12.0), ("early", 1.0), ("between", 3.0)):
        window.add(chunk, at, "web", {"INFO": 1})
    assert window.counts().total() == 2
    window.add("quiet", 13.0, "", {})
    assert window.counts().total() == 1
    assert window.total.total() == 3
    window.add("between", 3.0, "web", {"INFO": 1})
    assert window.total.total() == 3


def test_ids_are_forgotten_and_what_may_have_been_forgotten_is_not_added() -> None:
    window = Window(10)
    window.add("a", 1.0, "web", {"INFO": 1})
    window.add("b", 1.1 + REMEMBERED, "web", {"INFO": 1})
    assert list(window._known) == ["b"]
    window.add("a", 1.0, "web", {"INFO": 1})
    assert (window.total.total(), window.late) == (2, 1)


def test_alarm_is_told_once_and_over_at_half() -> None:
    alarm, told = Alarm(4), list[tuple[int, tuple[str, bool]]]()
    for errors in (4, 5, 9, 4, 3, 5, 2, 2, 0, 5):
        counts = Counter({("web", "ERROR"): errors, ("web", "INFO"): 50, ("db", "CRITICAL"): 4})
        told += [(errors, change) for change in alarm.check(counts)]
    assert told == [(5, ("web", True)), (2, ("web", False)), (5, ("web", True))]


def test_alarms_of_services_are_their_own_and_end_when_nothing_is_left() -> None:
    alarm = Alarm(1)
    assert list(alarm.check({("web", "ERROR"): 1, ("web", "CRITICAL"): 1, ("db", "ERROR"): 2})) == [
        ("db", True),
        ("web", True),
    ]
    assert list(alarm.check({("web", "ERROR"): 2})) == [("db", False)]


def test_counts_in_words() -> None:
    assert count_words([("db", "INFO", 1_000), ("web", "ERROR", 1), ("web", "INFO", 2)]) == (
        "db 1,000 INFO · web 1 ERROR, 2 INFO"
    )
    assert count_words([]) == "nothing"
