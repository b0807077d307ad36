"""A C program that knows libzmq and PROTOCOL.md alone takes part: it reads a topic, calls, pushes and pulls."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from meshmq import Node
from tests.network.conftest import Start
from tests.network.test_plain_programs import direct_address, heard, topics_address

SOURCE = Path(__file__).parent / "programs" / "plain.c"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Compile the program; skip, with the reason, where that cannot be done."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler: apt install gcc libc6-dev")
    looked = subprocess.run([compiler, "-E", "-"], input=b"#include <zmq.h>", capture_output=True, check=False)
    if looked.returncode:
        pytest.skip("needs libzmq's header: apt install libzmq3-dev")
    program = str(tmp_path_factory.mktemp("plain") / "plain")
    subprocess.run([compiler, "-Wall", "-Wextra", "-Werror", "-o", program, SOURCE, "-lzmq"], check=True)
    return program


def test_c_reads_a_topic(plain: str, start: Start, runtime_directory: Path) -> None:
    with Node("publisher") as node:
        child = start([plain, "read", topics_address(runtime_directory)])
        assert child.line() == "connected"
        heard(node)
        for value in (21, 20, 19):
            node.publish("weather.kitchen", value)
        assert child.wait() == 0
        assert child.rest() == ["1 21", "2 20", "3 19"]


def test_c_calls_a_service(plain: str, start: Start, runtime_directory: Path) -> None:
    with Node("server") as node, node.reply("add") as requests:
        child = start([plain, "call", direct_address(runtime_directory)])
        request = requests.receive(timeout=20)
        assert request.data == [1, 2]
        request.reply(3)
        assert child.wait() == 0
        assert child.rest() == ["0 3"]


def test_c_pushes_a_job(plain: str, start: Start, runtime_directory: Path) -> None:
    with Node("worker") as node, node.pull("jobs") as jobs:
        child = start([plain, "push", direct_address(runtime_directory)])
        message = jobs.receive(timeout=20)
        assert (message.data, message.attempt) == (42, 1)
        message.ack()
        assert child.wait() == 0
        assert child.rest() == ["done"]


def test_c_pulls_a_job_with_a_credit_and_acks_it(plain: str, start: Start, runtime_directory: Path) -> None:
    with Node("pusher") as node:
        node.push("jobs", 7)
        child = start([plain, "pull", direct_address(runtime_directory)])
        node.flush(timeout=20)
        assert child.wait() == 0
        assert child.rest() == ["7"]
        stats = node.stats()["queues"]["jobs"]["push"]
        assert (stats["acked"], stats["redelivered"]) == (1, 0)
