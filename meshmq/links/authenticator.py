"""Who may come in: the one ZAP handler of this process (RFC 27), asked at every handshake.

Every node's bound sockets carry a domain of their own, and a domain lets in one client key, or, on
a node without a secret, whoever speaks ZMTP 3: libzmq then refuses foreign bytes at the handshake,
which without a domain it would deliver as messages [F 38]. A domain nobody has allowed lets in
nobody.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import zmq
from zmq.utils import z85

from meshmq.errors import LinkError
from meshmq.links.context import check_generation, context, generation

_logger = logging.getLogger("meshmq.links")

_ENDPOINT: Final = "inproc://zeromq.zap.01"
_VERSION: Final = b"1.0"
_MOST_ADDRESSES: Final = 1024


class Authenticator:
    """Answers libzmq's question whether a connection may come in.

    ``allow``, ``forbid`` and ``close`` may be called from any thread, ``step`` by one at a time.

    Raises:
        LinkError: this process has one already (use ``authenticator()``).
    """

    def __init__(self) -> None:
        self._born = generation()
        self._context = context()
        self._domains: dict[bytes, bytes | None] = {}
        self._told: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()
        self.refused = 0
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.linger = 0
        self._socket.setsockopt(zmq.SNDHWM, 0)
        self._socket.setsockopt(zmq.RCVHWM, 0)
        try:
            self._socket.bind(_ENDPOINT)
        except zmq.ZMQError as error:
            self._socket.close()
            raise LinkError("this process has an authenticator already") from error

    @property
    def closed(self) -> bool:
        """Whether it answers no more."""
        return self._born != generation() or bool(self._socket.closed)

    def allow(self, domain: bytes, client_public: bytes | None) -> None:
        """Let the holder of ``client_public`` (Z85) into ``domain``; ``None`` lets in who comes without a key."""
        self._domains[domain] = None if client_public is None else z85.decode(client_public)

    def forbid(self, domain: bytes) -> None:
        """Let nobody into ``domain`` any more; who is in stays in."""
        self._domains.pop(domain, None)

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when ``step`` has something to do."""
        check_generation(self._born)
        return int(self._socket.getsockopt(zmq.FD))

    def step(self) -> bool:
        """Answer all that was asked; ``False``, for nothing is left [F 4: it goes on until nothing is there]."""
        check_generation(self._born)
        with self._lock:
            while not self._socket.closed:
                try:
                    question = self._socket.recv_multipart(zmq.DONTWAIT)
                except zmq.Again:
                    break
                answer = self._answer(question)
                if answer is not None:
                    try:
                        self._socket.send_multipart(answer, zmq.DONTWAIT)
                    except zmq.ZMQError:  # the asker has gone
                        _logger.debug("a handshake ended before it was judged")
        return False

    def close(self) -> None:
        """Stop answering; every handshake is refused from now on."""
        if self._born != generation():
            return
        with self._lock:
            if not self._socket.closed:
                self._socket.unbind(_ENDPOINT)  # at once, while closing alone frees the name some time later
                self._socket.close(linger=0)

    def _answer(self, question: Sequence[bytes]) -> list[bytes] | None:
        """Judge ``[asker, b"", version, request, domain, address, identity, mechanism, credentials...]``."""
        if len(question) < 4 or question[1]:
            return None  # no question, and nowhere to send an answer that would be understood
        asker, request = question[0], question[3]
        if len(question) >= 8 and question[2] == _VERSION and self._may_enter(question[4], question[7], question[8:]):
            status, text = b"200", b"OK"
        else:
            status, text = b"400", b"not of this mesh"
            self.refused += 1
            if len(question) > 5 and question[4] in self._domains:  # else it dialled a node that has just been closed
                self._tell(question[5])
        return [asker, b"", _VERSION, request, status, text, b"", b""]

    def _may_enter(self, domain: bytes, mechanism: bytes, credentials: Sequence[bytes]) -> bool:
        if domain not in self._domains:
            return False
        key = self._domains.get(domain)
        if key is None:
            return mechanism == b"NULL"
        return mechanism == b"CURVE" and list(credentials) == [key]

    def _tell(self, address: bytes) -> None:
        place = address[:64].decode("ascii", "backslashreplace") or "unknown"
        if place in self._told:
            return
        self._told[place] = None
        if len(self._told) > _MOST_ADDRESSES:
            self._told.popitem(last=False)
        _logger.warning("a connection from %r was refused: its key is not that of this mesh's secret", place)


_lock = threading.Lock()
_current: Authenticator | None = None
#: The parent's, in a forked child: held for ever, for collecting it there would close it.
_orphans: list[Authenticator] = []


def _forked() -> None:
    global _lock, _current
    _lock = threading.Lock()
    if _current is not None:
        _orphans.append(_current)
    _current = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def current() -> Authenticator | None:
    """Return this process's authenticator, if it has one that answers."""
    guard = _current
    return guard if guard is not None and not guard.closed else None


def authenticator() -> Authenticator:
    """Return this process's authenticator; the first call makes it. It is asked for before the first bind."""
    global _current
    with _lock:
        if _current is None or _current.closed:
            _current = Authenticator()
        return _current
