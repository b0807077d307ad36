"""One private context per process; what was made before a fork raises in the child and does nothing else."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import zmq

from meshmq.links.context import check_generation, context, generation

ROOT = Path(__file__).parents[2]


def child(code: str, timeout: float = 30) -> str:
    """Run ``code`` in a process of its own; a hang is an error."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=timeout, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


def test_there_is_one_context_and_it_is_not_the_one_everybody_shares() -> None:
    assert context() is context()
    assert context() is not zmq.Context.instance()
    assert context().get(zmq.BLOCKY) == 0


def test_the_context_allows_as_many_sockets_as_there_may_be_descriptors() -> None:
    assert context().get(zmq.MAX_SOCKETS) == min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 65_535)


def test_the_soft_limit_on_descriptors_is_raised() -> None:
    code = """
import resource
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
from meshmq.links.context import context
context()
soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
assert soft == min(hard, 65535) or hard == resource.RLIM_INFINITY and soft == 65535, (soft, hard)
"""
    child(code)


def test_what_belongs_to_this_process_passes_the_guard() -> None:
    check_generation(generation())


FORK = """
import os, sys, warnings
from meshmq.errors import ForkedError
from meshmq.links.context import context, destroy
from tests.links.ends import zmq_end, until
here, there = zmq_end(), zmq_end(guarded=True)
out = here.dial(there.links.bound.direct)
here.links.send(out, [b"MQ hello"])
until(lambda: there.log.received, here, there)
parents = context()
pid = os.fork()
if pid == 0:
    for call in (
        here.links.fileno,
        here.step,
        lambda: here.links.send(out, [b"MQ child"]),
        lambda: here.links.hang_up(out),
        lambda: here.links.publish([b"MQ"]),
        lambda: here.dial(()),
    ):
        try:
            call()
        except ForkedError:
            continue
        os._exit(1)
    here.links.close(0)
    there.links.close(0)
    if context() is parents:
        os._exit(2)
    mine = zmq_end()
    out = mine.dial(mine.links.bound.direct)
    mine.links.send(out, [b"MQ mine"])
    until(lambda: mine.log.received, mine)
    mine.links.close(0)
    destroy(0)
    warnings.simplefilter("ignore", ResourceWarning)  # pyzmq's word on the parent's sockets, which stay open
    {leave}
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
for number in range(100):
    here.links.send(out, [b"MQ%d" % number])
until(lambda: len(there.log.received) == 101, here, there)
here.links.close(0)
there.links.close(0)
destroy(0)
print("undisturbed")
"""


def test_a_child_that_exits_at_once_does_not_disturb_its_parent() -> None:
    assert child(FORK.replace("{leave}", "os._exit(0)")) == "undisturbed\n"


def test_a_child_that_exits_normally_does_not_disturb_its_parent() -> None:
    assert child(FORK.replace("{leave}", "sys.exit(0)")) == "undisturbed\n"


def test_a_process_that_closes_nothing_exits() -> None:
    code = """
from tests.links.ends import zmq_end, until
here, there = zmq_end(), zmq_end()
out = here.dial(there.links.bound.direct)
here.links.send(out, [b"MQ hello"])
until(lambda: there.log.received, here, there)
import warnings
warnings.simplefilter("ignore")
"""
    child(code, timeout=20)


def test_what_was_sent_before_the_end_of_the_context_arrives_within_its_linger() -> None:
    code = """
import threading
from meshmq.links import context
from tests.links.ends import zmq_end, until
here, there = zmq_end(), zmq_end()
out = here.dial(there.links.bound.direct)
here.links.send(out, [b"MQ hello"])
until(lambda: there.log.received, here, there)
for number in range(200):
    here.links.send(out, [b"MQ", bytes(100_000)])
here.links.close(5.0)
until(lambda: len(there.log.received) == 201, there)
there.links.close(0)
context.destroy(5000)
print("all")
"""
    assert child(code) == "all\n"
