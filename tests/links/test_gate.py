from __future__ import annotations

import logging
import threading

import pytest

from meshmq.errors import ClosedError, MeshError
from meshmq.links.gate import Gate


def test_one_thread_at_a_time_is_inside() -> None:
    gate, counter = Gate(), [0]

    def count() -> None:
        for _ in range(2_000):
            with gate:
                counter[0] += 1

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter == [8_000]


def test_entering_twice_is_an_error_and_not_a_deadlock() -> None:
    gate = Gate()
    with gate:
        assert gate.mine
        with pytest.raises(RuntimeError, match="from inside itself"), gate:
            pass
    assert not gate.mine
    with gate:
        pass


def test_words_are_logged_after_the_lock_is_given_back() -> None:
    gate, seen = Gate(), []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            with gate:  # as a program's handler that sends its records through MeshMQ
                seen.append((record.levelname, record.name, record.getMessage()))

    logger = logging.getLogger("meshmq.gate-test")
    handler = Handler()
    logger.addHandler(handler)
    try:
        with gate:
            gate.words.append((logging.WARNING, "meshmq.gate-test", "100% of it"))
            assert not seen
    finally:
        logger.removeHandler(handler)
    assert seen == [("WARNING", "meshmq.gate-test", "100% of it")]


def test_a_log_filter_that_raises_does_not_reach_the_caller(capsys: pytest.CaptureFixture[str]) -> None:
    gate = Gate()

    def refuse(record: logging.LogRecord) -> bool:
        raise ValueError("no such filter")

    logger = logging.getLogger("meshmq.gate-test")
    logger.addFilter(refuse)
    try:
        with gate:
            gate.words.append((logging.ERROR, "meshmq.gate-test", "heard?"))
    finally:
        logger.removeFilter(refuse)
    assert "no such filter" in capsys.readouterr().err


def test_an_exception_from_inside_breaks_and_a_mesh_error_does_not() -> None:
    broken: list[BaseException] = []

    def breaks(cause: BaseException) -> MeshError:
        assert gate.mine
        broken.append(cause)
        return ClosedError("broke")

    gate = Gate(breaks)
    with pytest.raises(MeshError, match="full"), gate:
        raise MeshError("full")
    assert not broken
    cause = KeyError("x")
    with pytest.raises(ClosedError) as raised, gate:
        raise cause
    assert broken == [cause]
    assert raised.value.__cause__ is cause
    with pytest.raises(GeneratorExit), gate:
        raise GeneratorExit
    assert len(broken) == 2
    assert not gate.mine
