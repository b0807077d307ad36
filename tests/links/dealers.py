"""A DEALER of nobody's, connected to the direct link of an end."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

import zmq

from tests.links.ends import End, until

HEAD: Final = b"MQ\2\x13" + bytes(16)
TOKEN: Final = b"t" * 16


def foreign_dealer(stack: ExitStack, end: End) -> zmq.SyncSocket:
    context = stack.enter_context(zmq.Context())
    dealer: zmq.SyncSocket = stack.enter_context(context.socket(zmq.DEALER))
    dealer.linger = 0
    dealer.connect(end.links.bound.direct[0])
    dealer.send(HEAD)
    until(lambda: end.log.received, end)
    return dealer
