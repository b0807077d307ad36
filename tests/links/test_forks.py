from __future__ import annotations

from tests.drivers.fakes import run_child

FORKED = """
import os, signal, threading
from meshmq.errors import ForkedError
from meshmq.links.engine import Engine
from meshmq.links.interrupts import install_signals
from tests.drivers.fakes import toy

engine, decider, links = toy()
install_signals()
entered, leave = threading.Event(), threading.Event()

def stay():
    with engine.gate:
        entered.set()
        leave.wait()

thread = threading.Thread(target=stay)
thread.start()
entered.wait()
pid = os.fork()     # while another thread is inside
if pid == 0:
    calls = [engine.check, engine.step, engine.fileno, engine.gate.__enter__, lambda: engine.register("x", None)]
    for call in calls:
        try:
            call()
        except ForkedError as error:
            assert "create the Node in the child process" in str(error)
        else:
            os._exit(2)
    engine.wake(); engine.post(print); engine.close(0); engine.break_(ValueError())   # nothing, and no word
    again, _, _ = toy()                # a new one works
    again.step(); again.close(0)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    raise SystemExit(0)                # the normal end, with atexit
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
leave.set()
thread.join()
links.arrive(b"a", b"1")               # the parent's descriptor still sees its links
import select
assert select.select([engine.fileno()], [], [], 10)[0]
engine.step()
assert decider.boxes[b"a"]
while select.select([engine.fileno()], [], [], 0)[0]:
    engine.step()
engine.post(lambda: decider.put("posted", b""))
assert select.select([engine.fileno()], [], [], 10)[0]
engine.step()
assert decider.boxes["posted"]
engine.close(0)
print("undisturbed")
"""


def test_a_forked_child_is_refused_at_once_and_the_parent_is_undisturbed() -> None:
    child = run_child(FORKED)
    assert (child.stdout, child.stderr, child.returncode) == ("undisturbed\n", "", 0)


def test_one_that_fails_in_the_child_keeps_no_other_from_being_told() -> None:
    child = run_child(FAILING)
    assert (child.returncode, child.stdout) == (0, "both told\n"), child.stderr


FAILING = """
import os
from meshmq.links.forks import tell_in_child

told = []

class One:
    def tell(self):
        told.append(self)
        raise OSError("failed")

ones = [One(), One()]
for one in ones:
    tell_in_child(one.tell)
if os.fork() == 0:
    if len(told) == 2:
        print("both told", flush=True)
    os._exit(0)
os.wait()
"""
