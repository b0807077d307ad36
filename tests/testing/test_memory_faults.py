"""What a test may break between in-memory links."""

from __future__ import annotations

import select

import pytest

from meshmq.errors import LinkError
from meshmq.testing import MemoryNetwork
from tests.testing.ends import End, pair


def test_a_cut_ends_direct_connections_and_refuses_dials_until_healed(network: MemoryNetwork) -> None:
    a, b, there, back = pair(network)
    network.cut(a.links, "b")
    for end, number in ((a, there), (b, back)):
        end.step()
        assert end.heard.log == ([("ended", number)] if network.tells_ends else [])
        assert not end.links.send(number, [b"into the cut"])
    again = a.dial(b)
    a.step()
    assert a.heard.log[-1] == ("refused", again, "unreachable", "memory://b/direct")
    network.heal("a", "b")
    last = a.dial(b)
    a.links.send(last, [b"through"])
    b.step()
    assert b.received == [[b"through"]]


def test_a_silent_cut_loses_without_a_word_and_for_good(network: MemoryNetwork) -> None:
    a, b, there, back = pair(network)
    network.cut("a", "b", silent=True)
    assert a.links.send(there, [b"into the dark"])
    network.heal("a", "b")
    assert a.links.send(there, [b"still dark"])
    assert b.links.send(back, [b"this way too"])
    for end in (a, b):
        end.step()
        assert end.heard.log == []


def test_an_end_behind_a_silent_cut_is_never_told(network: MemoryNetwork) -> None:
    a, b, there, back = pair(network)
    network.cut("a", "b", silent=True)
    a.links.hang_up(there)
    network.heal("a", "b")
    b.step()
    assert b.heard.log == []
    assert b.links.send(back, [b"into the dark"])


def test_a_control_connection_comes_back_by_itself_and_claims_again(network: MemoryNetwork) -> None:
    a, b = End(network, "a"), End(network, "b")
    number = a.dial(b, "control", [b"card"])
    network.cut("a", "b")
    b.links.publish([b"card", b"lost"])
    network.heal("a", "b")
    b.links.publish([b"card", b"heard"])
    a.step()
    b.step()
    assert a.heard.log == [("reached", number, "memory://b/control"), ("hear", number, [b"card", b"heard"])]
    assert b.heard.of("claim") == [(b"card", True), (b"card", False), (b"card", True)]


def test_after_a_silent_cut_the_old_claim_is_withdrawn_after_the_new_one(network: MemoryNetwork) -> None:
    a, b, c = End(network, "a"), End(network, "b"), End(network, "c")
    stays = a.dial(b, "control", [b"stays"])
    leaves = a.dial(b, "control", [b"leaves"])
    c.dial(b, "control", [b"apart"])
    b.step()
    b.heard.log.clear()
    network.cut("a", "b", silent=True)
    a.links.hang_up(leaves)
    b.links.publish([b"stays", b"lost"])
    b.step()
    assert b.heard.log == []
    network.heal("a", "b")
    b.links.publish([b"stays", b"heard"])
    b.step()
    a.step()
    assert b.heard.of("claim") == [(b"stays", True), (b"stays", False), (b"leaves", False)]
    assert a.heard.of("hear") == [(stays, [b"stays", b"heard"])]


def test_a_topics_connection_comes_back_as_it_was_tuned_meanwhile(network: MemoryNetwork) -> None:
    for silent in (False, True):
        a, b = End(network), End(network)
        number = a.dial(b, "topics", [b"m", b"old", b"\xff"])
        b.step()
        b.heard.log.clear()
        network.cut(a.links, b.links, silent=silent)
        a.links.tune(number, [b"z", b"a"], [b"old"])
        b.links.spread([b"m", b"lost"])
        network.heal(a.links, b.links)
        b.links.spread([b"z", b"heard"])
        b.links.spread([b"old", b"unwanted"])
        a.step()
        b.step()
        assert a.heard.of("overhear") == [(number, [b"z", b"heard"])]
        fresh = [(string, True) for string in (b"a", b"m", b"z", b"\xff")]
        gone = [(string, False) for string in (b"m", b"old", b"\xff")]
        assert b.heard.of("tuned") == ([*fresh, *gone] if silent else [*gone, *fresh])


def test_a_frozen_node_tunes_and_spreads_after_it_thaws(network: MemoryNetwork) -> None:
    a, b = End(network, "a"), End(network, "b")
    number = a.dial(b, "topics", [b"a"])
    network.freeze("a")
    a.links.tune(number, [b"b"], [b"a"])
    network.freeze("b")
    b.links.spread([b"a", b"1"])
    b.step()
    assert b.heard.log == []
    network.thaw("b")
    network.thaw("a")
    b.links.spread([b"b", b"2"])
    b.links.spread([b"a", b"3"])
    a.step()
    b.step()
    assert b.heard.of("tuned") == [(b"a", True), (b"b", True), (b"a", False)]
    assert a.heard.of("overhear") == [(number, [b"a", b"1"]), (number, [b"b", b"2"])]


def test_a_node_that_starts_again_at_its_address_is_found_by_who_subscribed(network: MemoryNetwork) -> None:
    a, b = End(network, "a"), End(network, "b")
    a.dial(b, "control", [b"card"])
    b.links.close(0)
    again = End(network, "b")
    again.step()
    assert again.heard.log == [("claim", b"card", True)]


def test_an_address_has_one_listener(network: MemoryNetwork) -> None:
    network.links("a")
    with pytest.raises(LinkError, match=r"memory://a/ is taken"):
        network.links("a")


def test_a_frozen_node_hears_and_says_everything_after_it_thaws(network: MemoryNetwork) -> None:
    a, b, there, back = pair(network)
    network.freeze("b")
    a.links.send(there, [b"1"])
    a.links.send(there, [b"2"])
    assert b.links.send(back, [b"3"])
    a.step()
    b.step()
    assert a.heard.log == b.heard.log == []
    assert not select.select([b.links], [], [], 0)[0]
    network.thaw("b")
    assert select.select([b.links], [], [], 0)[0]
    a.step()
    b.step()
    assert b.received == [[b"1"], [b"2"]]
    assert a.received == [[b"3"]]
