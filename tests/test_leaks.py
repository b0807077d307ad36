"""The watch itself: a fixture that cannot fail is worth nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from tests.leaks import Watch, children

needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")  # noqa: PTH112  one word


def test_nothing_left_is_nothing_told() -> None:
    assert Watch().left() == []


def test_thread_left_is_told_by_name() -> None:
    watch, leave = Watch(), threading.Event()
    thread = threading.Thread(target=leave.wait, name="forgotten", daemon=True)
    thread.start()
    try:
        (line,) = watch.left(limit=0)
    finally:
        leave.set()
        thread.join()
    assert "forgotten" in line


def test_process_wide_daemon_thread_may_stay() -> None:
    watch, leave = Watch(), threading.Event()
    thread = threading.Thread(target=leave.wait, name="meshmq-keeper", daemon=True)
    thread.start()
    try:
        assert watch.left(limit=0) == []
    finally:
        leave.set()
        thread.join()


def test_thread_that_is_ending_is_given_time() -> None:
    watch = Watch()
    thread = threading.Timer(0.05, lambda: None)
    thread.start()
    assert watch.left() == []
    thread.join()


@needs_proc
def test_socket_left_is_told_with_its_address() -> None:
    watch = Watch()
    with socket.create_server(("127.0.0.1", 0)):
        (line,) = watch.left(limit=0)
    assert line.startswith("1 sockets, of these: tcp 0100007F:")
    assert watch.left() == []


@needs_proc
def test_socket_closed_and_another_opened_is_no_leak() -> None:
    first = socket.socket()
    watch = Watch()
    second = socket.socket()
    first.close()
    assert watch.left(limit=0) == []
    second.close()


@needs_proc
def test_child_left_is_told_and_killed() -> None:
    watch = Watch()
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as child:
        (line,) = watch.left(limit=0)
        assert "signal.pause()" in line
        assert child.wait(timeout=10) in (-signal.SIGKILL, 0)  # 0: the watch has already waited for it
    assert child.pid not in children()


@needs_proc
def test_child_that_ended_and_was_not_waited_for_is_told() -> None:
    watch = Watch()
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", ""], os.environ)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    (line,) = watch.left(limit=0)
    assert "not waited for" in line
    assert children() == set()
