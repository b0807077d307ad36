"""One end of a control link has the heartbeat: the one on which libzmq bears it."""

from __future__ import annotations

import zmq

from meshmq.links.options import Options


def test_who_publishes_has_a_heartbeat_and_who_hears_has_none() -> None:
    options = Options(keys=None, domain=b"", message_bytes=1024, heartbeat=1.0, silence=4.0)
    spans = []
    for socket in (options.control_server(), options.control_client((b"card",))):
        spans.append((socket.getsockopt(zmq.HEARTBEAT_IVL), socket.getsockopt(zmq.HEARTBEAT_TIMEOUT)))
        socket.close()
    assert spans[0] == (1000, 3000)
    assert spans[1][0] == 0
