from __future__ import annotations

import sys

import pytest

from tests.drivers.fakes import run_child

LEAVING = """
import threading, time
from meshmq.drivers.keeper import keeper
from meshmq.drivers.leaving import at_exit
from tests.drivers.fakes import take, toy

engine, decider, links = toy()
keeper().attach(engine)

def drain(seconds):
    links.arrive(b"ack", b"1")
    print("drained", take(engine, decider, b"ack", timeout=10))   # the keeper still runs
    keeper().detach(engine)
    engine.close(0)

def patient(seconds):
    print("patient", 0.2 < seconds <= 0.3)
    threading.Event().wait(seconds)

def hurried(seconds):
    print("hurried", seconds)

def fails(seconds):
    raise ValueError("cannot close")

at_exit(hurried, 0.1)
at_exit(drain, 20.0)
at_exit(patient, 0.3)
at_exit(fails, 1.0)
take_back = at_exit(lambda seconds: print("never"), 1.0)
take_back(); take_back()
"""

IMPATIENT = """
from meshmq.drivers.leaving import at_exit

def interrupted(seconds):
    raise KeyboardInterrupt

at_exit(lambda seconds: print("seconds", seconds), 60.0)
at_exit(interrupted, 60.0)
"""

FORKED = """
import os
from meshmq.drivers.leaving import at_exit
at_exit(lambda seconds: print("closed"), 1.0)
if os.fork() == 0:
    raise SystemExit(0)
os.wait()
"""


def test_what_was_left_open_is_closed_youngest_first_within_limits_that_run_together() -> None:
    child = run_child(LEAVING)
    assert child.stdout == "patient True\ndrained b'1'\nhurried 0.0\n"
    assert "closing at exit: cannot close" in child.stderr
    assert child.returncode == 0


def test_ctrl_c_while_leaving_closes_the_others_at_once() -> None:
    assert run_child(IMPATIENT).stdout == "seconds 0.0\n"


def test_a_forked_child_closes_nothing_of_its_parents() -> None:
    assert run_child(FORKED).stdout == "closed\n"


STRUCK = """
import os, signal, sys
from meshmq.drivers.leaving import at_exit
from meshmq.links.interrupts import install_signals

install_signals()

def profile(frame, event, argument):
    if event == "call" and frame.f_code.co_name == "_leave":
        sys.setprofile(None)
        os.kill(os.getpid(), signal.SIGTERM)

at_exit(lambda seconds: print("closed"), 1.0)
sys.setprofile(profile)
"""


def test_a_signal_that_strikes_before_leaving_has_begun_does_not_end_it() -> None:
    assert run_child(STRUCK).stdout == "closed\n"


STRUCK_ANYWHERE = """
import os, signal, sys
from itertools import count
from meshmq.drivers import leaving
from meshmq.links import interrupts

def trace(frame, event, argument):
    if frame.f_code is not leaving._leave.__code__:
        return None
    frame.f_trace_opcodes = True
    if event == "opcode" and next(codes) == moment:
        os.kill(os.getpid(), signal.SIGTERM)
    return trace

for moment in count():
    closed, codes = [], count()
    leaving._left, interrupts.state.terminated = False, False
    signal.signal(signal.SIGTERM, interrupts._terminate)
    leaving.at_exit(closed.append, 1.0)
    sys.settrace(trace)
    for _ in range(2):  # as atexit does
        try:
            leaving._leave()
        except SystemExit:
            pass
    sys.settrace(None)
    assert closed, moment
    if next(codes) <= moment:
        break
print("struck at", "enough" if moment > 50 else moment)
"""


def test_a_signal_at_any_moment_of_leaving_does_not_skip_it() -> None:
    child = run_child(STRUCK_ANYWHERE)
    if child.stdout == "struck at 0\n" and sys.version_info[:2] == (3, 12):
        pytest.skip("a trace function of this Python is told of no opcode")
    assert (child.stdout, child.stderr) == ("struck at enough\n", "")
