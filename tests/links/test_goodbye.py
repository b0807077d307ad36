"""What was published before a socket closed is heard by all who read it only afterwards."""

from __future__ import annotations

from pathlib import Path

import zmq

from meshmq.links.options import Options

WORDS = [[b"card", b"draining"], [b"card", b"left"]]


def test_goodbye_that_was_not_read_in_time_is_read_when_the_connection_is_gone(runtime_directory: Path) -> None:
    options = Options(keys=None, domain=b"", message_bytes=1024, heartbeat=1.0, silence=4.0)
    address = f"ipc://{runtime_directory}/control"
    leaver, hearer = options.control_server(), options.control_client((b"card",))
    watch = hearer.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    try:
        leaver.bind(address)
        hearer.connect(address)
        # Looked at now and then, as a node does: some sockets send their subscription only then.
        assert any(leaver.poll(50) or hearer.poll(0) for _ in range(200))
        assert leaver.recv() == b"\1card"
        for words in WORDS:
            leaver.send_multipart(words)
        leaver.close(linger=500)
        assert watch.poll(10_000)
        heard = [hearer.recv_multipart() for _ in WORDS if hearer.poll(1_000)]
    finally:
        hearer.disable_monitor()
        for socket in (watch, leaver, hearer):
            socket.close(linger=0)
    assert heard == WORDS
