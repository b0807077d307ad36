"""Who cannot get in, and why, is named at both ends: the table of ``meshmq/links/monitor.py``, by experiment."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import zmq

from meshmq.links.base import LinkName, Reason
from meshmq.links.context import context
from meshmq.links.security import Keys, derive
from meshmq.links.sockets import ZmqLinks
from tests.links.ends import End, quiet, until, zmq_end

OURS = derive("the secret of this mesh")
OTHER = derive("the secret of another mesh")

#: Knows whom to trust, but not how to be trusted: only a leak of half a secret could make one.
HALF = replace(OTHER, server_public=OURS.server_public)

LINKS: list[LinkName] = ["control", "direct"]
HTTP = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 5
RANDOM = bytes((7 + index * 73) % 251 for index in range(300))


@pytest.fixture
def ends() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def make(ends: ExitStack, path: Path | None, keys: Keys | None) -> End:
    end = zmq_end(ipc=path, tcp=() if path else ("127.0.0.1",), keys=keys, guarded=True)
    ends.callback(end.links.close, 0)
    return end


def address(end: End, link: LinkName) -> str:
    return end.links.bound.control[0] if link == "control" else end.links.bound.direct[0]


def plain_socket(where: str) -> socket.socket:
    if where.startswith("ipc://"):
        made = socket.socket(socket.AF_UNIX)
        made.connect(where.removeprefix("ipc://"))
    else:
        made = socket.create_connection(("127.0.0.1", int(where.rpartition(":")[2])))
    return made


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize(
    ("dialling", "bound", "told_here", "told_there"),
    [
        (OURS, OTHER, "wrong_secret", "wrong_secret"),
        (HALF, OURS, "wrong_secret", "wrong_secret"),
        (OURS, None, "no_secret", "secret_needed"),
        (None, OURS, "secret_needed", "no_secret"),
    ],
    ids=["another secret", "half a secret", "only we have one", "only they have one"],
)
def test_both_ends_name_why_a_peer_cannot_get_in(
    ends: ExitStack,
    runtime_directory: Path,
    transport: str,
    link: LinkName,
    dialling: Keys | None,
    bound: Keys | None,
    told_here: Reason,
    told_there: Reason,
) -> None:
    path = runtime_directory if transport == "ipc" else None
    here = make(ends, path and path / "here", dialling)
    there = make(ends, path and path / "there", bound)
    where = address(there, link)
    out = here.dial([where], link, [b"card"])
    until(lambda: here.log.refusals and there.log.strangers, here, there)
    quiet(0.05, here, there)
    assert here.log.refusals == [(out, told_here, where)]
    assert [reason for reason, _ in there.log.strangers] == [told_there]
    assert not there.log.received
    assert not there.log.claims
    assert there.log.strangers[0][1] == ("127.0.0.1" if transport == "tcp" else f"process {os.getpid()}")


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("transport", ["tcp", "ipc"])
@pytest.mark.parametrize("keys", [OURS, None], ids=["secret", "no secret"])
@pytest.mark.parametrize("content", [HTTP, RANDOM], ids=["http", "random"])
def test_foreign_bytes_are_named_with_their_address_and_reach_nobody(
    ends: ExitStack, runtime_directory: Path, transport: str, link: LinkName, keys: Keys | None, content: bytes
) -> None:
    there = make(ends, runtime_directory / "there" if transport == "ipc" else None, keys)
    with plain_socket(address(there, link)) as stranger:
        # Later its address may be gone with it, and stay unknown.
        until(lambda: "1 at the door" in repr(there.links), there)
        stranger.sendall(content)
        until(lambda: there.log.strangers, there)
    assert there.log.strangers == [("not_meshmq", "127.0.0.1" if transport == "tcp" else f"process {os.getpid()}")]
    assert not there.log.received
    assert not there.log.claims


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("keys", [OURS, None], ids=["secret", "no secret"])
def test_a_plain_zeromq_peer_is_named(ends: ExitStack, link: LinkName, keys: Keys | None) -> None:
    there = make(ends, None, keys)
    stranger: zmq.SyncSocket = context().socket(zmq.DEALER if link == "direct" else zmq.PULL)
    ends.callback(stranger.close, 0)
    stranger.connect(address(there, link))
    if link == "direct":
        stranger.send(b"hello, is anybody there?")
    until(lambda: there.log.strangers, there)
    (reason, where), *_ = there.log.strangers
    assert reason == ("no_secret" if keys else "not_meshmq")
    assert where in ("127.0.0.1", "")
    assert not there.log.received
    assert not there.log.claims


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("keys", [OURS, None], ids=["secret", "no secret"])
@pytest.mark.parametrize("said", [b"", b"\xff\0\0\0\0\0\0\0\x01\x7f\x03"], ids=["nothing", "half a greeting"])
def test_who_only_looks_whether_somebody_is_there_is_not_reported(
    ends: ExitStack, link: LinkName, keys: Keys | None, said: bytes
) -> None:
    there = make(ends, None, keys)
    for _ in range(5):
        with plain_socket(address(there, link)) as probe:
            probe.sendall(said)
    quiet(0.1, there)
    assert there.log.strangers == []


@pytest.mark.parametrize("keys", [OURS, None], ids=["secret", "no secret"])
def test_peers_with_the_same_secret_are_not_reported(ends: ExitStack, keys: Keys | None) -> None:
    there, others = make(ends, None, keys), [make(ends, None, keys) for _ in range(5)]
    for other in others:
        other.dial(there.links.bound.control, "control", [b"card"])
        other.links.send(other.dial(there.links.bound.direct), [b"MQ hello"])
    until(lambda: len(there.log.claims) == len(there.log.received) == 5, there, *others)
    for other in others:
        other.links.close(0)
    until(lambda: len(there.log.ends) == 5, there)
    quiet(0.05, there)
    assert there.log.strangers == []


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("keys", [OURS, None], ids=["secret", "no secret"])
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not_meshmq"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "not_meshmq"),
        (b"\xff\0\0\0\0\0\0\0\x01\x7f\x01\x02", "not_meshmq"),
        (b"", "refused"),
    ],
    ids=["http", "ssh", "zmtp 2", "hangs up"],
)
def test_a_foreign_server_is_named(
    ends: ExitStack, link: LinkName, keys: Keys | None, answer: bytes, reason: Reason
) -> None:
    here = make(ends, None, keys)
    with socket.create_server(("127.0.0.1", 0)) as server:
        where = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        out = here.dial([where], link, [b"card"])
        until(lambda: select.select([server], [], [], 0)[0], here)
        with server.accept()[0] as accepted:
            accepted.sendall(answer)
            if not answer:
                accepted.close()
            until(lambda: here.log.refusals, here)
    assert here.log.refusals == [(out, reason, where)]


def test_a_server_that_waits_for_the_end_of_a_header_gets_one(ends: ExitStack) -> None:
    here = make(ends, None, OURS)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        here.dial([f"tcp://127.0.0.1:{server.getsockname()[1]}"])
        until(lambda: select.select([server], [], [], 0)[0], here)
        accepted, _ = server.accept()
        with accepted:
            accepted.setblocking(False)
            heard = bytearray()

            def answered() -> bool:
                try:
                    heard.extend(accepted.recv(100))
                except BlockingIOError:
                    return False
                return b"\r\n\r\n" in heard

            until(answered, here)
            accepted.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            until(lambda: here.log.refusals, here)
    assert here.log.refusals[0][1] == "not_meshmq"


def test_a_plain_zeromq_server_of_another_kind_is_named(ends: ExitStack) -> None:
    here = make(ends, None, None)
    stranger: zmq.SyncSocket = context().socket(zmq.PUSH)
    ends.callback(stranger.close, 0)
    port = stranger.bind_to_random_port("tcp://127.0.0.1")
    out = here.dial([f"tcp://127.0.0.1:{port}"])
    until(lambda: here.log.refusals, here)
    assert here.log.refusals == [(out, "not_meshmq", f"tcp://127.0.0.1:{port}")]


def test_an_address_is_told_once_a_minute(ends: ExitStack) -> None:
    there = make(ends, None, OURS)
    for _ in range(20):
        with plain_socket(address(there, "direct")) as stranger:
            until(lambda: "1 at the door" in repr(there.links), there)
            stranger.sendall(HTTP)
            until(partial(_hung_up, stranger), there)
        until(lambda: "0 at the door" in repr(there.links), there)
    assert there.log.strangers == [("not_meshmq", "127.0.0.1")]
    assert isinstance(there.links, ZmqLinks)
    assert there.links.counts["turned_away"] == 20


def _hung_up(stranger: socket.socket) -> bool:
    try:
        while stranger.recv(1000, socket.MSG_DONTWAIT):
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    return True


def test_a_foreign_message_of_a_zeromq_peer_is_cut_off_before_it_reaches_anybody(ends: ExitStack) -> None:
    there = zmq_end(guarded=False)
    ends.callback(there.links.close, 0)
    stranger: zmq.SyncSocket = context().socket(zmq.DEALER)
    ends.callback(stranger.close, 0)
    stranger.setsockopt(zmq.RECONNECT_IVL, -1)
    stranger.connect(address(there, "direct"))
    for _ in range(3):
        stranger.send(b"nonsense")
    until(lambda: not stranger.poll(0, zmq.POLLOUT), there)
    assert there.log.strangers == [("not_meshmq", "127.0.0.1")]
    assert not there.log.received
    assert not there.log.ends


def test_a_message_of_too_many_frames_ends_its_connection(ends: ExitStack) -> None:
    there = make(ends, None, None)
    peer: zmq.SyncSocket = context().socket(zmq.DEALER)
    ends.callback(peer.close, 0)
    peer.setsockopt(zmq.RECONNECT_IVL, -1)
    peer.connect(address(there, "direct"))
    peer.send(b"MQ hello")
    peer.send_multipart([b"MQ", *[b""] * 64])
    until(lambda: there.log.ends == [1] and not peer.poll(0, zmq.POLLOUT), there)
    assert there.log.received == [(1, [b"MQ hello"])]
