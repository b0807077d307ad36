"""In-memory links keep the promises of real ones."""

from __future__ import annotations

import select
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import cast

import pytest

from meshmq.links.base import Connection, Decider, Links
from meshmq.testing import MemoryLinks, MemoryNetwork
from tests.testing.ends import LIMIT, End, pair
from tests.testing.toys import Quiet


def test_links_are_links(network: MemoryNetwork) -> None:
    links: Links = network.links()
    assert links.deadline is None


def test_a_dial_reaches_the_first_address_where_somebody_listens(network: MemoryNetwork) -> None:
    a, b = End(network), End(network)
    a.links.dial(0, "direct", ["memory://nobody/direct", *b.links.bound.direct], [], 0.0)
    assert a.heard.log == []
    a.step()
    assert a.heard.log == [("reached", 0, b.links.bound.direct[0])]


@pytest.mark.parametrize(
    ("addresses", "reason"),
    [
        (["memory://nobody/direct"], "refused"),
        (["tcp://127.0.0.1:1"], "refused"),
        (["memory://b/control"], "not_meshmq"),
        (["memory://b/topics"], "not_meshmq"),
        ([], "unresolved"),
    ],
)
def test_a_dial_that_reaches_nobody_is_refused_with_the_reason(
    network: MemoryNetwork, addresses: list[str], reason: str
) -> None:
    a, _ = End(network, "a"), End(network, "b")
    a.links.dial(0, "direct", addresses, [], 0.0)
    assert a.links.send(0, [b"before it is known"])
    a.step()
    assert a.heard.log == [("refused", 0, reason, addresses[-1] if addresses else "")]
    assert not a.links.send(0, [b"after"])


def test_dials_have_even_numbers_that_are_used_once(network: MemoryNetwork) -> None:
    a, b = End(network), End(network)
    a.dial(b)
    for number in (0, 1):
        with pytest.raises(ValueError, match="cannot be dialled"):
            a.links.dial(number, "direct", b.links.bound.direct, [], 0.0)


def test_frames_go_both_ways_in_order(network: MemoryNetwork) -> None:
    a, b = End(network), End(network)
    there = a.dial(b)
    for number in range(300):
        assert a.links.send(there, [b"%d" % number, b"", b"x" * number])
    b.step()
    connections = {connection for connection, _ in b.heard.of("receive")}
    (back,) = connections
    assert isinstance(back, int)
    assert back % 2 == 1
    assert [int(frames[0]) for frames in b.received] == list(range(300))
    assert b.links.send(back, [b"answer"])
    a.step()
    assert a.heard.log[-1] == ("receive", there, [b"answer"])


def test_a_step_hands_over_at_most_256_messages(network: MemoryNetwork) -> None:
    a, b = End(network), End(network)
    there = a.dial(b)
    for number in range(300):
        a.links.send(there, [b"%d" % number])
    assert b.links.step(b.heard, 0.0) is True
    assert len(b.received) == 256
    assert b.links.step(b.heard, 0.0) is False
    assert len(b.received) == 300


def test_a_buffer_of_the_caller_is_copied_at_once(network: MemoryNetwork) -> None:
    a, b, there, _ = pair(network)
    buffer = bytearray(b"before")
    a.links.send(there, [cast("bytes", buffer)])
    buffer[:] = b"after!"
    b.step()
    assert b.received == [[b"before"]]


def test_the_descriptor_is_readable_exactly_while_something_waits(network: MemoryNetwork) -> None:
    a, b, there, _ = pair(network)

    def readable() -> bool:
        return bool(select.select([b.links], [], [], 0)[0])

    assert not readable()
    for _ in range(600):
        a.links.send(there, [b"frame"])
    seen = []
    for _ in range(3):
        seen.append(readable())
        b.links.step(b.heard, 0.0)
    assert seen == [True, True, True]
    assert not readable()


def test_another_thread_is_woken_by_a_send(network: MemoryNetwork) -> None:
    a, b, there, _ = pair(network)
    woken = threading.Event()

    def wait() -> None:
        if select.select([b.links], [], [], LIMIT)[0]:
            b.step()
            woken.set()

    thread = threading.Thread(target=wait)
    thread.start()
    a.links.send(there, [b"wake up"])
    thread.join(LIMIT)
    assert woken.is_set()
    assert b.received == [[b"wake up"]]


def test_threads_that_send_to_each_other_lose_nothing(network: MemoryNetwork) -> None:
    a, b, there, back = pair(network)

    def talk(end: End, number: Connection) -> None:
        for count in range(2_000):
            end.links.send(number, [b"%d" % count])
            if count % 50 == 0:
                end.step()

    threads = [threading.Thread(target=talk, args=args) for args in ((a, there), (b, back))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    for end in (a, b):
        end.step()
        assert [int(frames[0]) for frames in end.received] == list(range(2_000))


def test_hanging_up_is_learned_by_the_other_after_what_was_sent(network: MemoryNetwork) -> None:
    a, b, there, back = pair(network)
    a.links.send(there, [b"goodbye"])
    a.links.hang_up(there)
    assert not a.links.send(there, [b"too late"])
    if network.tells_ends:
        b.step()
        assert b.heard.log == [("receive", back, [b"goodbye"]), ("ended", back)]
    assert not b.links.send(back, [b"answer"])
    a.step()
    assert a.heard.log == []


def test_nothing_is_heard_of_a_connection_after_hanging_up(network: MemoryNetwork) -> None:
    a, b, there, back = pair(network)
    b.links.send(back, [b"on its way"])
    a.links.hang_up(there)
    a.links.hang_up(there)
    a.links.hang_up(77)
    a.step()
    assert a.heard.log == []


def test_a_subscription_is_a_claim_and_its_end_withdraws_it(network: MemoryNetwork) -> None:
    a, b = End(network), End(network)
    number = a.dial(b, "control", [b"card", b"\xffme", b"card", b"beat"])
    b.step()
    claimed: list[tuple[object, ...]] = [(b"beat", True), (b"card", True), (b"\xffme", True)]
    assert b.heard.of("claim") == claimed
    a.links.hang_up(number)
    b.step()
    assert b.heard.of("claim")[3:] == [(string, False) for string, _ in claimed]


def test_what_is_published_is_heard_by_whom_it_concerns(network: MemoryNetwork) -> None:
    publisher, all_of_it, cards = End(network), End(network), End(network)
    everything = all_of_it.dial(publisher, "control", [b""])
    card = cards.dial(publisher, "control", [b"card", b"ca"])
    assert not cards.links.send(card, [b"control connections only hear"])
    for topic in (b"card", b"beat", b"c"):
        publisher.links.publish([topic, b"value"])
    all_of_it.step()
    cards.step()
    heard: list[list[bytes]] = [[b"card", b"value"], [b"beat", b"value"], [b"c", b"value"]]
    assert all_of_it.heard.of("hear") == [(everything, frames) for frames in heard]
    assert cards.heard.of("hear") == [(card, heard[0])]


def test_a_subscription_too_long_to_be_a_claim_is_counted(network: MemoryNetwork) -> None:
    a, b = End(network), End(network)
    a.dial(b, "control", [b"x" * 1025, b"y" * 1024])
    b.step()
    assert b.heard.of("claim") == [(b"y" * 1024, True)]
    assert b.links.ignored == 1


def test_closing_ends_everything_and_frees_the_address(network: MemoryNetwork) -> None:
    a, b, there, _ = pair(network)
    a.dial(b, "control", [b"card"])
    b.dial(a, "control", [b"card"])
    a.step()
    b.step()
    b.heard.log.clear()
    a.links.close(1.0)
    a.links.close(1.0)
    assert a.links.fileno() == -1
    assert not a.links.send(there, [b"after the end"])
    assert a.links.step(Quiet(), 0.0) is False
    b.step()
    assert ("claim", b"card", False) in b.heard.log
    late = b.dial(a)
    b.step()
    assert b.heard.log[-1] == ("refused", late, "refused", "memory://a/direct")
    assert network.links("a").name == "a"


def test_a_node_can_dial_itself(network: MemoryNetwork) -> None:
    a = End(network)
    there = a.dial(a)
    a.links.send(there, [b"to myself"])
    a.step()
    ((back, frames),) = a.heard.of("receive")
    assert frames == [b"to myself"]
    assert back != there
    assert isinstance(back, int)
    a.links.send(back, [b"and back"])
    a.step()
    assert a.heard.of("receive")[-1] == (there, [b"and back"])


def test_a_decider_is_never_called_under_the_networks_lock(network: MemoryNetwork) -> None:
    a, b, there, _ = pair(network)

    class Nosy(Quiet):
        free = False

        def receive(self, connection: Connection, frames: Sequence[bytes], now: float) -> None:
            self.free = network.lock.acquire(blocking=False)
            network.lock.release()

    nosy = Nosy()
    a.links.send(there, [b"look"])
    b.links.step(nosy, 0.0)
    assert nosy.free


def test_a_representation_tells_the_state() -> None:
    with MemoryNetwork() as network:
        links: MemoryLinks = network.links("a")
        decider: Decider = Quiet()
        assert repr(links) == "<MemoryLinks 'a' open, 0 connections, 0 waiting>"
        network.freeze("a")
        links.dial(0, "direct", [], [], 0.0)
        assert repr(links) == "<MemoryLinks 'a' frozen, 1 connection, 1 waiting>"
        network.thaw("a")
        links.step(decider, 0.0)
        links.close(0)
        assert repr(links) == "<MemoryLinks 'a' closed, 0 connections, 0 waiting>"
        manager: AbstractContextManager[MemoryNetwork] = network
        assert repr(manager) == "<MemoryNetwork of 0 nodes, 0 cuts>"
