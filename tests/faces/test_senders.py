"""A message knows who sent it, also when its sender has gone before it was taken."""

from __future__ import annotations

from meshmq import Node


def test_sender_that_has_left_is_still_called_by_its_name() -> None:
    with Node("listener") as listener, listener.subscribe("news") as news:
        with Node("herald") as herald:
            herald.wait_for(subscribe="news", timeout=20)
            herald.publish("news", 1)
        assert any(event.kind == "left" for event in listener.events(20))
        assert news.receive(20).sender == "herald"
