"""``meshmq request``, ``reply`` and ``drain``: services for a shell."""

from __future__ import annotations

import os
import signal
import sys
import threading

import pytest

import meshmq as library
from meshmq import Node
from meshmq.cli import main
from tests.cli.conftest import Meshmq
from tests.network.children import LIMIT


def test_answer_is_a_line(mesh_name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with Node("server", mesh=mesh_name) as node:
        node.reply("add")(sum)
        node.reply("echo")(repr)
        assert main(["request", "add", "[1, 2]", "--mesh", mesh_name]) == 0
        assert main(["request", "echo", "--to", "server", "--mesh", mesh_name]) == 0
        assert capsys.readouterr() == ('3\n"None"\n', "")


def test_failure_of_the_handler_is_told_and_its_stack_to_the_loud(
    mesh_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with Node("server", mesh=mesh_name) as node:
        node.reply("add")(sum)
        assert main(["request", "add", '"x"', "--mesh", mesh_name]) == 1
        out, said = capsys.readouterr()
        assert not out
        assert said.startswith("meshmq: TypeError on server: unsupported operand")
        assert said.count("\n") == 1
        assert main(["request", "add", '"x"', "--mesh", mesh_name, "-v"]) == 1
        assert "meshmq: TypeError: unsupported operand" in capsys.readouterr().err


def test_nobody_there_ends_it_with_the_next_step(mesh_name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["request", "add", "--timeout", "0.1", "--mesh", mesh_name]) == 1
    assert "a server would be: meshmq reply add --exec COMMAND" in capsys.readouterr().err
    assert main(["request", "add", "--timeout", "0.1", "--to", "x", "--mesh", mesh_name]) == 1
    assert "who is here tells: meshmq peers" in capsys.readouterr().err
    assert main(["drain", "x", "--timeout", "0.1", "--mesh", mesh_name]) == 1
    assert f"nobody is called 'x' in the mesh {mesh_name!r}; who is here: meshmq peers" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("cat", {"n": 1}),
        ("echo '[1, 2]'", [1, 2]),
        ("echo two words; echo", "two words\n"),
        ("true", None),
        ('echo "$MESHMQ_REQUEST_SERVICE $MESHMQ_REQUEST_SENDER ${#MESHMQ_REQUEST_ID}"', "ask caller 32"),
    ],
)
def test_stdout_of_the_command_is_the_answer(meshmq: Meshmq, mesh_name: str, command: str, answer: object) -> None:
    reply = meshmq("reply", "ask", "--exec", command, "--count", "1")
    with Node("caller", mesh=mesh_name) as node:
        assert node.request("ask", {"n": 1}, timeout=LIMIT) == answer
    assert reply.wait() == 0
    assert reply.stderr == ""


def test_command_that_fails_is_a_failure_with_what_it_said(meshmq: Meshmq, mesh_name: str) -> None:
    reply = meshmq("reply", "ask", "--exec", "echo half; echo so sorry >&2; exit 3", "--count", "1")
    with Node(mesh=mesh_name) as node:
        with pytest.raises(library.RemoteError, match="so sorry") as caught:
            node.request("ask", timeout=LIMIT)
        assert caught.value.kind == "CommandFailed"
        assert caught.value.message.startswith("exit code 3 of ")
    assert reply.wait() == 0


def test_command_that_is_not_there_ends_it(meshmq: Meshmq, mesh_name: str) -> None:
    reply = meshmq("reply", "ask", "--exec", "nonesuch-command")
    with Node(mesh=mesh_name) as node, pytest.raises(library.RemoteError, match="is not found"):
        node.request("ask", timeout=LIMIT)
    assert reply.wait() == 1
    assert "'nonesuch-command' is not found; the request in hand fails" in reply.stderr


def test_command_is_ended_when_its_caller_gives_up(meshmq: Meshmq, mesh_name: str) -> None:
    reply = meshmq("reply", "ask", "--exec", "echo $$ >&2; read n; [ $n = 1 ] && exec tail -f /dev/null; echo $n")
    with Node(mesh=mesh_name) as node:
        node.wait_for(reply="ask", timeout=LIMIT)
        with pytest.raises(library.TimedOut):
            node.request("ask", 1, timeout=0.3)
        assert node.request("ask", 2, timeout=LIMIT) == 2
    reply.signal(signal.SIGINT)
    assert reply.wait() == 130


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_it_ends_its_child_and_the_caller_knows(
    number: int, code: int, meshmq: Meshmq, mesh_name: str
) -> None:
    with Node(mesh=mesh_name) as node, node.pull("pids") as pids:
        tell = f"'{library.__name__}' push pids $$"
        reply = meshmq("reply", "ask", "--exec", f"'{sys.executable}' -m {tell} && exec tail -f /dev/null")
        failed: list[BaseException] = []

        def ask() -> None:
            try:
                node.request("ask", timeout=LIMIT)
            except library.MeshError as error:
                failed.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        message = pids.receive(LIMIT)
        message.ack()
        node.wait_for(reply="ask", timeout=LIMIT)
        reply.signal(number)
        assert reply.wait() == code
        asking.join(LIMIT)
        with pytest.raises(ProcessLookupError):
            os.kill(message.data, 0)
    assert isinstance(failed[0], library.RemoteError | library.PeerLost)
    assert "Traceback" not in reply.stderr


def test_node_is_drained_by_its_name(meshmq: Meshmq, mesh_name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with Node("server", mesh=mesh_name) as node, Node(mesh=mesh_name) as witness:
        node.reply("add")(sum)
        witness.wait_for(reply="add", timeout=LIMIT)
        assert main(["drain", "server", "--mesh", mesh_name]) == 0
        # It answers first, and then takes no new work.
        kinds = (event.kind for event in witness.events(timeout=LIMIT) if event.name == "server")
        assert next(kind for kind in kinds if kind != "joined") == "changed"
        assert node.stats()["state"] == "draining"
    assert capsys.readouterr().err == "meshmq: server drains\n"
