"""What keeps a node from opening is told in one sentence, and leaves nothing open."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

import meshmq
from meshmq.errors import ClosedError, ConfigError, LinkError, MeshError, NameInvalid
from tests.scale import scale

REPEATS = scale(3, 30)
LIMIT = 10.0
SECRET = "a secret of more than twenty characters"


def files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if not path.is_dir()]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  names are all that is counted


def settles(claim: Callable[[], bool]) -> bool:
    """Whether it becomes true: libzmq closes its sockets in a thread of its own."""
    never, deadline = threading.Event(), time.monotonic() + LIMIT
    while not claim() and time.monotonic() < deadline:
        never.wait(0.01)
    return claim()


def fails(kind: type[MeshError], words: str, make: Callable[[], meshmq.Node]) -> None:
    """Hold that the first use raises ``kind``, again and again, and that the node can then be thrown away."""
    for _ in range(2):
        with pytest.raises(kind, match=words):
            make().open()
    node = make()
    for _ in range(REPEATS):
        with pytest.raises(kind, match=words):
            node.push("jobs", 1)
    assert not node.closed
    node.close()
    with pytest.raises(ClosedError):
        node.open()


def test_a_runtime_directory_that_others_can_read_is_refused(runtime_directory: Path) -> None:
    runtime_directory.chmod(0o755)
    fails(LinkError, "is open to other users: chmod 700", meshmq.Node)
    runtime_directory.chmod(0o700)
    meshmq.Node().open().close()


def test_a_runtime_directory_that_cannot_be_made_is_named(
    monkeypatch: pytest.MonkeyPatch, runtime_directory: Path
) -> None:
    (runtime_directory / "file").write_text("")
    monkeypatch.setenv("MESHMQ_RUNTIME_DIR", str(runtime_directory / "file" / "below"))
    fails(LinkError, "cannot be made", meshmq.Node)


def take_a_port(which: int) -> tuple[int, socket.socket]:
    """Return a port below those the system gives to others, and the server that takes it, or the second after it."""
    random = Random()
    while True:
        base = random.randrange(20_000, 30_000)
        try:
            with socket.create_server(("127.0.0.1", base + 2 - which)):
                return base, socket.create_server(("127.0.0.1", base + which))
        except OSError:
            continue


@pytest.mark.parametrize("which", [0, 2], ids=["the control link's", "the direct link's"])
def test_a_port_that_is_taken_is_named_and_what_was_opened_before_is_given_back(
    runtime_directory: Path, which: int
) -> None:
    base, server = take_a_port(which)
    with server:

        def make() -> meshmq.Node:
            return meshmq.Node(insecure=True, port=base)

        fails(LinkError, str(base + which), make)
        assert files(runtime_directory) == []
        before = descriptors()
        for _ in range(REPEATS):
            with pytest.raises(LinkError):
                make().open()
        assert settles(lambda: descriptors() <= before + 8)
        node = make()
        with pytest.raises(LinkError):
            node.open()
    with node:  # it is free now
        assert any(f":{base}" in address for address in node.addresses)


def test_an_address_that_is_not_ours_is_named(monkeypatch: pytest.MonkeyPatch, runtime_directory: Path) -> None:
    monkeypatch.setenv("MESHMQ_INTERFACES", "192.0.2.1")
    fails(LinkError, r"192\.0\.2\.1", lambda: meshmq.Node(secret=SECRET))
    assert files(runtime_directory) == []


def test_a_step_that_fails_after_binding_gives_everything_back(runtime_directory: Path) -> None:
    class Unannounced(meshmq.Node):
        def _make_driver(self, engine: object) -> object:  # type: ignore[override]  # whatever: it never returns
            raise LinkError("made to fail")  # as the keeper does when descriptors have run out

    fails(LinkError, "made to fail", Unannounced)
    assert files(runtime_directory) == []


def test_an_async_node_that_cannot_open_is_refused_at_each_use(runtime_directory: Path) -> None:
    runtime_directory.chmod(0o755)

    async def main() -> None:
        node = meshmq.AsyncNode()
        for _ in range(REPEATS):
            with pytest.raises(LinkError, match="chmod 700"):
                await node.push("jobs", 1)
        await node.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MESHMQ_NAME", "no such name"),
        ("MESHMQ_NAME", "a..b"),
        ("MESHMQ_MESH", "*"),
        ("MESHMQ_SECRET", "short"),
        ("MESHMQ_SECRET_FILE", "/nowhere/secret"),
        ("MESHMQ_PEERS", "host"),
        ("MESHMQ_PEERS", "host:5555, :1"),
        ("MESHMQ_PEERS", "host:99999"),
        ("MESHMQ_PORT", "http"),
        ("MESHMQ_PORT", "-1"),
        ("MESHMQ_PORT", "65534"),
        ("MESHMQ_PORT", "1.5"),
        ("MESHMQ_INTERFACES", "nosuch0"),
        ("MESHMQ_INTERFACES", ","),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError, match=variable):
        meshmq.Node()


def test_an_argument_comes_before_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHMQ_NAME", "no such name")
    monkeypatch.setenv("MESHMQ_MESH", "*")
    monkeypatch.setenv("MESHMQ_PORT", "http")
    monkeypatch.setenv("MESHMQ_PEERS", "host")
    node = meshmq.Node("named", mesh="given", secret=SECRET, port=5555, peers=["127.0.0.1:5555"])
    assert (node.name, node.mesh) == ("named", "given")


def test_a_variable_that_has_no_effect_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("meshmq.whereabouts._told", set())
    monkeypatch.setenv("MESHMQ_PORT", "5757")
    for _ in range(2):
        with meshmq.Node() as node:
            assert all(address.startswith("ipc://") for address in node.addresses)
    assert caplog.text.count("MESHMQ_PORT=5757 has no effect without a secret or insecure=True") == 1


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NAME", "MESH", "PEERS", "PORT", "INTERFACES", "JOURNAL"):
        monkeypatch.setenv(f"MESHMQ_{name}", " ")
    assert meshmq.Node().mesh == "default"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "no such name"}, "name of a node"),
        ({"mesh": "*"}, "name of a mesh"),
        ({"secret": "short"}, "meshmq keys new"),
        ({"secret": b"bytes of more than twenty characters"}, "secret= is a str"),
        ({"peers": "host:5555"}, "it is a list"),
        ({"peers": ["host"]}, "host"),
        ({"port": 0}, "port=0"),
        ({"port": True}, "port=True"),
        ({"port": "http"}, "port='http'"),
        ({"port": 5757}, "port=5757 has no effect without a secret or insecure=True"),
        ({"journal": "/tmp/journal"}, "journal"),
        ({"insecure": "no"}, "insecure='no'"),
        ({"insecure": 0}, "insecure=0: it is True or False"),
        ({"settings": {"drain": 1}}, "not a dict"),
        ({"settings": {}}, "not a dict"),
    ],
)
def test_an_argument_that_cannot_be_used_is_refused_at_the_call(arguments: dict[str, object], words: str) -> None:
    for node in (meshmq.Node, meshmq.AsyncNode):
        with pytest.raises(ConfigError, match=words):
            node(**arguments)  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize("fields", [{"drain": 0}, {"drain": -1.0}, {"outbox_jobs": 1.5}, {"silence": 0.5}])
def test_settings_that_cannot_be_used_are_refused_at_the_call(fields: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(fields))):
        meshmq.Settings(**fields)  # type: ignore[arg-type]  # that is the point


def test_a_secret_file_that_others_can_read_is_used_and_told(
    monkeypatch: pytest.MonkeyPatch, runtime_directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = runtime_directory / "secret"
    file.write_text(SECRET)
    file.chmod(0o644)
    monkeypatch.setenv("MESHMQ_SECRET_FILE", str(file))
    with caplog.at_level(logging.WARNING):
        meshmq.Node()
    assert "chmod 600" in caplog.text
    assert SECRET not in caplog.text


def test_names_of_queues_are_checked_at_the_call() -> None:
    node = meshmq.Node()
    for call in (lambda: node.push("a b", 1), lambda: node.pull("*"), lambda: node.queue("")):
        with pytest.raises(NameInvalid, match="name of a queue"):
            call()
    assert node.addresses == ()  # it was not even opened


@pytest.mark.parametrize("wishes", [{"pull": "a b"}, {"pull": "jobs", "count": 0}, {"pull": "jobs", "timeout": "soon"}])
def test_what_is_waited_for_is_checked_at_the_call(wishes: dict[str, object]) -> None:
    async def wait() -> None:
        await other.wait_for(**wishes)  # type: ignore[arg-type]  # that is the point

    node, other = meshmq.Node(), meshmq.AsyncNode()
    with pytest.raises(ConfigError):
        node.wait_for(**wishes)  # type: ignore[arg-type]  # that is the point
    with pytest.raises(ConfigError):
        asyncio.run(wait())
    assert node.addresses == other.addresses == ()  # they were not even opened


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ({"name": "no such name"}, "'?' not opened"),
        ({"name": "me", "mesh": "*"}, "'me' not opened"),
        ({"name": "me", "secret": "short"}, "'me' not opened"),
    ],
)
def test_a_node_that_was_refused_can_be_shown(arguments: dict[str, str], shown: str) -> None:
    for kind in (meshmq.Node, meshmq.AsyncNode):
        node = kind.__new__(kind)  # as a traceback has it among its locals
        with pytest.raises(ConfigError):
            node.__init__(**arguments)  # type: ignore[misc]  # once, as the call does
        assert repr(node) == f"<{kind.__name__} {shown}>"
