from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from meshmq.links.gate import Gate
from meshmq.links.interrupts import install_signals, restore_signals, shield
from meshmq.links.waiter import ThreadWaiter
from tests.drivers.fakes import LIMIT, run_child, start_child
from tests.scale import scale


@pytest.fixture
def signals() -> Iterator[None]:
    """Our handlers on Ctrl-C and SIGTERM, as the first node in the main thread puts them."""
    install_signals()
    yield
    restore_signals()


@pytest.mark.usefixtures("signals")
def test_ctrl_c_inside_strikes_on_leaving() -> None:
    gate, reached = Gate(), []

    def main() -> None:
        with gate:
            signal.raise_signal(signal.SIGINT)
            reached.append("end of the block")
        reached.append("behind it")

    with pytest.raises(KeyboardInterrupt):
        main()
    assert reached == ["end of the block"]
    with gate:  # given back, and nothing left over
        pass


@pytest.mark.usefixtures("signals")
def test_ctrl_c_outside_strikes_at_once() -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("signals")
def test_ctrl_c_strikes_the_main_thread_while_another_is_inside() -> None:
    gate, entered, leave = Gate(), threading.Event(), threading.Event()

    def stay() -> None:
        with gate:
            entered.set()
            leave.wait(LIMIT)

    thread = threading.Thread(target=stay)
    thread.start()
    try:
        assert entered.wait(LIMIT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    finally:
        leave.set()
        thread.join()


@pytest.mark.usefixtures("signals")
def test_two_gates_in_one_another_let_it_strike_when_both_are_left() -> None:
    outer, inner, reached = Gate(), Gate(), []

    def main() -> None:
        with outer:
            with inner:
                signal.raise_signal(signal.SIGINT)
            reached.append("left the inner")

    with pytest.raises(KeyboardInterrupt):
        main()
    assert reached == ["left the inner"]


@pytest.mark.usefixtures("signals")
def test_under_a_shield_ctrl_c_ends_a_wait_and_strikes_only_there() -> None:
    reached = []

    def main() -> None:
        with ThreadWaiter() as waiter:
            signal.raise_signal(signal.SIGINT)
            try:
                reached.append("waiting")
                waiter.wait(LIMIT)
            finally:
                signal.raise_signal(signal.SIGINT)  # the impatient second one, while cleaning up
                reached.append("cleaned up")

    with pytest.raises(KeyboardInterrupt):
        main()
    assert reached == ["waiting", "cleaned up"]


@pytest.mark.usefixtures("signals")
def test_ctrl_c_wakes_a_main_thread_that_waits_under_a_shield() -> None:
    def main() -> None:
        with ThreadWaiter() as waiter:  # in here it is only noted until somebody waits
            threading.Timer(0.05, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)).start()
            waiter.wait(LIMIT)

    with pytest.raises(KeyboardInterrupt):
        main()


@pytest.mark.usefixtures("signals")
def test_sigterm_raises_system_exit_with_143() -> None:
    def main() -> None:
        with shield:
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)  # does not change the exit code

    with pytest.raises(SystemExit) as raised:
        main()
    assert raised.value.code == 143


def test_handlers_of_the_program_stay() -> None:
    def mine(signum: int, frame: object) -> None: ...

    before = signal.signal(signal.SIGINT, mine), signal.signal(signal.SIGTERM, mine)
    try:
        install_signals()
        assert signal.getsignal(signal.SIGINT) is mine
        assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])


def test_signals_are_installed_once_and_in_the_main_thread_only() -> None:
    thread = threading.Thread(target=install_signals)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    install_signals()
    handler = signal.getsignal(signal.SIGINT)
    install_signals()
    assert signal.getsignal(signal.SIGINT) is handler is not signal.default_int_handler
    restore_signals()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


STORM = """
import random, signal, sys
from meshmq.links.gate import Gate
from meshmq.links.interrupts import install_signals
from meshmq.links.waiter import ThreadWaiter

gate, left, right, alarms, waiting, chance = Gate(), 0, 0, 0, False, random.Random(7)
install_signals()
strike = signal.getsignal(signal.SIGINT)

def alarm(signum, frame):    # a timer strikes finer than a parent process could: twice in a row
    global alarms
    alarms += 1
    if alarms >= 2:
        signal.setitimer(signal.ITIMER_REAL, 0)
    if alarms <= 2:
        strike(signal.SIGINT, frame)

def wait_for_both():
    # A function: what strikes in a loop that stands in an except block, Python 3.13.0 takes past the try around it.
    while alarms < 2:
        pass

signal.signal(signal.SIGALRM, alarm)
for _ in range(int(sys.argv[1])):
    try:
        try:
            alarms = 0
            signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-5, 5e-4), chance.uniform(1e-5, 5e-5))
            while True:
                for _ in range(20):
                    with gate:
                        assert left == right, "an exception struck inside"
                        left += 1
                        right += 1
                with ThreadWaiter() as waiter:
                    waiting = True
                    try:
                        waiter.wait(0.0001)
                    finally:
                        with gate:
                            waiting = False
        except KeyboardInterrupt:
            wait_for_both()
    except KeyboardInterrupt:
        pass
    assert not gate.mine, "the lock was kept"
    assert not waiting, "the second strike fell into cleaning up"
print("whole", left > 0)
"""


def test_no_ctrl_c_of_a_storm_strikes_inside() -> None:
    child = run_child(STORM, str(scale(300, 5_000)))
    assert (child.stdout, child.stderr, child.returncode) == ("whole True\n", "", 0)


TERMINATED = """
import select, sys
from meshmq.links.interrupts import install_signals
install_signals()
try:
    print("ready")
    while not select.select([sys.stdin], [], [], 0.1)[0]:
        pass  # a read would run no handler of a signal that strikes on the way into it
finally:
    print("draining")
    sys.stdin.readline()
    print("drained")
"""


def test_sigterm_lets_blocks_be_left_and_the_second_kills_at_once() -> None:
    for again in (False, True):
        with start_child(TERMINATED) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            child.terminate()
            assert child.stdout.readline() == "draining\n"
            if again:
                child.terminate()
                child.wait(LIMIT)
            out, _ = child.communicate(None if again else "go on\n", LIMIT)
            assert (out, child.returncode) == (("", -signal.SIGTERM) if again else ("drained\n", 143))


SWALLOWED = """
import signal
from meshmq.links.gate import Gate
from meshmq.links.interrupts import install_signals

class Fragile:
    def __init__(self, last):
        self.last = last

    def __del__(self):
        self.last()

def fail():
    raise ValueError("of the program")

install_signals()
Fragile(fail)
Fragile(lambda: signal.raise_signal(signal.SIGTERM))
print("swallowed")
with Gate():
    print("inside")
print("went on")
"""


def test_a_sigterm_that_python_swallows_strikes_on_leaving_the_next_gate() -> None:
    child = run_child(SWALLOWED)
    assert (child.stdout, child.returncode) == ("swallowed\ninside\n", 143)
    assert "ValueError: of the program" in child.stderr
    assert "SystemExit" not in child.stderr
