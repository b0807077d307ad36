"""Only who holds the key of a domain comes in; whatever else is asked gets a no, and does no harm."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import zmq
from zmq.utils import z85

from meshmq.errors import LinkError
from meshmq.links.authenticator import Authenticator, authenticator
from meshmq.links.context import context
from meshmq.links.security import derive

KEY = derive("the secret of the authenticator").client_public


@pytest.fixture
def doorman() -> Iterator[Authenticator]:
    doorman = authenticator()
    doorman.allow(b"locked", KEY)
    doorman.allow(b"open", None)
    yield doorman
    doorman.forbid(b"locked")
    doorman.forbid(b"open")


@pytest.fixture
def asker(doorman: Authenticator) -> Iterator[zmq.SyncSocket]:
    socket: zmq.SyncSocket = context().socket(zmq.DEALER)
    socket.connect("inproc://zeromq.zap.01")
    yield socket
    socket.close(0)


def question(domain: bytes, mechanism: bytes, *credentials: bytes, address: bytes = b"127.0.0.1") -> list[bytes]:
    return [b"", b"1.0", b"7", domain, address, b"", mechanism, *credentials]


def answer(doorman: Authenticator, asker: zmq.SyncSocket, asked: list[bytes]) -> bytes:
    asker.send_multipart(asked)
    doorman.step()
    empty, version, request, status, *_ = asker.recv_multipart(zmq.DONTWAIT)
    assert (empty, version, request) == (b"", b"1.0", b"7")
    return status


def test_the_holder_of_the_key_comes_in(doorman: Authenticator, asker: zmq.SyncSocket) -> None:
    assert answer(doorman, asker, question(b"locked", b"CURVE", z85.decode(KEY))) == b"200"


def test_an_open_domain_lets_in_who_has_no_key(doorman: Authenticator, asker: zmq.SyncSocket) -> None:
    assert answer(doorman, asker, question(b"open", b"NULL")) == b"200"


@pytest.mark.parametrize(
    "asked",
    [
        question(b"locked", b"CURVE", b"x" * 32),
        question(b"locked", b"CURVE"),
        question(b"locked", b"CURVE", z85.decode(KEY), z85.decode(KEY)),
        question(b"locked", b"NULL"),
        question(b"locked", b"PLAIN", b"user", b"password"),
        question(b"open", b"CURVE", z85.decode(KEY)),
        question(b"unknown", b"CURVE", z85.decode(KEY)),
        question(b"", b"NULL"),
        [b"", b"9.9", *question(b"locked", b"CURVE", z85.decode(KEY))[2:]],
        question(b"locked", b"CURVE")[:5],
        question(b"open", b"NULL", address=b"\xff" * 1000),
    ][:-1],
)
def test_everybody_else_does_not(doorman: Authenticator, asker: zmq.SyncSocket, asked: list[bytes]) -> None:
    before = doorman.refused
    assert answer(doorman, asker, asked) == b"400"
    assert doorman.refused == before + 1


def test_a_forbidden_domain_lets_nobody_in_any_more(doorman: Authenticator, asker: zmq.SyncSocket) -> None:
    doorman.forbid(b"locked")
    assert answer(doorman, asker, question(b"locked", b"CURVE", z85.decode(KEY))) == b"400"


def test_malformed_questions_do_no_harm(doorman: Authenticator, asker: zmq.SyncSocket) -> None:
    for nonsense in ([b""], [b"", b""], [b"", b"1.0"], [b"x"] * 9, [b"\xff" * 1000] * 3):
        asker.send_multipart(nonsense)
    doorman.step()
    assert answer(doorman, asker, question(b"open", b"NULL")) == b"200"


def test_an_address_is_logged_once(
    doorman: Authenticator, asker: zmq.SyncSocket, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "meshmq.links"):
        for _ in range(3):
            answer(doorman, asker, question(b"locked", b"NULL", address=b"192.0.2.1"))
        answer(doorman, asker, question(b"locked", b"NULL", address=b"192.0.2.\xff\n"))
        answer(doorman, asker, question(b"unknown", b"NULL", address=b"192.0.2.2"))  # a node that has been closed
    assert [record.message.count("192.0.2.1'") for record in caplog.records] == [1, 0]
    assert "\n" not in caplog.records[1].message


def test_there_is_one_in_a_process(doorman: Authenticator) -> None:
    assert authenticator() is doorman
    with pytest.raises(LinkError):
        Authenticator()


def test_a_closed_one_is_followed_by_a_new_one(doorman: Authenticator) -> None:
    doorman.close()
    doorman.close()
    assert doorman.closed
    assert doorman.step() is False
    assert authenticator() is not doorman
