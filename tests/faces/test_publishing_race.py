"""What threads publish while the node is being closed is published or refused, never neither or both."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest

import meshmq
from meshmq.testing import Network

THREADS = 4


@pytest.mark.timeout(60)
def test_every_publish_that_returned_while_the_node_closed_counts() -> None:
    with Network() as network:
        node = network.node("camera")
        node.publish("a", 0)
        participant = node._participant
        assert participant is not None
        returned, begun = [0] * THREADS, threading.Barrier(THREADS + 1)

        def publish(mine: int) -> None:
            begun.wait()
            with suppress(meshmq.ClosedError):
                while True:
                    node.publish("a", returned[mine])
                    returned[mine] += 1

        threads = [threading.Thread(target=publish, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        begun.wait()
        while not sum(returned):
            threading.Event().wait(0.001)
        node.close()
        for thread in threads:
            thread.join()
        assert participant.feed.publisher.published == 1 + sum(returned)
        assert not participant.feed.intake.tray.jobs


def test_what_was_taken_in_before_its_thread_looked_for_it_is_not_refused() -> None:
    with Network() as network:
        node = network.node("camera")
        node.publish("a", 0)
        participant = node._participant
        assert participant is not None
        tray, taken, late = participant.feed.intake.tray, ("a", b"\x01"), ("a", b"\x02")
        tray.jobs.append(taken)
        node.close()
        node._look_for(tray, taken)  # its thread had not come so far
        tray.jobs.append(late)
        with pytest.raises(meshmq.ClosedError):
            node._look_for(tray, late)
        assert not tray.jobs
        assert participant.feed.publisher.published == 2
