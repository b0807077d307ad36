"""What is printed holds nothing that steers a terminal."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from meshmq.cli.peers import show
from meshmq.cli.terminal import escape, span, start_logging, stop_logging, table
from meshmq.seeing import PeerView

HOSTILE = "a\x1b[2J\r\nb\u202e\x9b\u200b\ud800"


def test_text_for_people_stays() -> None:
    assert escape("Küche, 厨房 λ \\ 'x'") == "Küche, 厨房 λ \\ 'x'"


def test_what_steers_is_escaped() -> None:
    assert escape(HOSTILE) == r"a\x1b[2J\r\nb\u202e\x9b\u200b\ud800"


def test_table_has_columns() -> None:
    assert table(("A", "LONG"), [("one", ""), ("2", "x y")]) == "A    LONG\none  -\n2    x y"


def test_hostile_peer_does_not_steer_the_table() -> None:
    names = (HOSTILE,)
    peer = PeerView("00" * 16, HOSTILE, names, 1.0, HOSTILE, None, names, names, True, True, HOSTILE, False, False, {})
    shown = show([replace(peer, stalled=True)])
    assert ", stalled" in shown
    shown = show([peer])
    assert shown.replace("\n", "").isprintable()
    assert shown.count("\n") == 1


def test_hostile_words_of_a_peer_do_not_steer_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    handler = start_logging(0)
    try:
        logging.getLogger("meshmq.peers").warning("%s joined", HOSTILE)
        logging.getLogger("meshmq.peers").info("quiet")
    finally:
        stop_logging(handler)
    said = capsys.readouterr().err
    assert said == "meshmq: a\\x1b[2J\\r\\nb\\u202e\\x9b\\u200b\\ud800 joined\n"


def test_with_everything_said_a_peer_writes_no_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    handler = start_logging(2)
    try:
        logging.getLogger("meshmq.peers").warning("%s joined", "x\nmeshmq: a forged line")
        try:
            raise ValueError("y\nmeshmq: another\x1b[2J")
        except ValueError:
            logging.getLogger("meshmq.peers").exception("failed")
    finally:
        stop_logging(handler)
    first, second, *trace = capsys.readouterr().err.splitlines()
    assert first == "meshmq: meshmq.peers WARNING: x\\nmeshmq: a forged line joined"
    assert second == "meshmq: meshmq.peers ERROR: failed"
    assert trace[0] == "  Traceback (most recent call last):"
    assert trace[-2:] == ["  ValueError: y", "  meshmq: another\\x1b[2J"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0.0004, "0.4 ms"), (12.3, "12 s"), (180, "3 min"), (18_000, "5 h"), (172_800, "2 d")],
)
def test_span_is_told_in_its_unit(seconds: float | None, text: str) -> None:
    assert span(seconds) == text
