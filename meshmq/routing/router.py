"""Sends on what an exchange takes: on one node, as handlers of its queues and topics."""

from __future__ import annotations

import threading
from typing import Any, Final

from meshmq.faces.blocking import Node
from meshmq.message import Message
from meshmq.routing.rules import Place, Rules
from meshmq.wire.headers import HEADERS_LIMIT

#: Headers of what is sent on, beside its own: who sent it first, and the topic or queue it came from.
SENDER: Final = "from-sender"
ORIGIN: Final = "from-"


class Router:
    """One of those that share the load of an exchange; it works while the node does.

    Data passes as it is, and headers do; what is sent on has a sender and ids of its own, so that ``from-sender`` and
    ``from-queue`` or ``from-topic`` are added to the headers, where they are not there and have room.

    Jobs: what is pushed is joined to what it was made of, which is confirmed when all of that is. A router that is
    killed between the two loses nothing: another one makes the same jobs again, with the same ids. What is published
    to topics that it takes comes to one of the routers, at least once. What it publishes itself is at most once, as
    all that is published: should it be killed, the last may be missing, or come twice.
    """

    def __init__(self, node: Node, rules: Rules) -> None:
        self._node, self._rules, self._counting = node, rules, threading.Lock()
        #: How many messages were sent on, and how many of them to where goes what no rule takes.
        self.routed = self.unmatched = 0
        for queue in rules.queues:
            node.pull(queue)(self._send_on)
        if rules.topics:
            node.subscribe(*rules.topics, group=rules.exchange)(self._send_on)

    def _send_on(self, data: Any, message: Message) -> None:
        source = Place("topic", message.topic) if message.topic else Place("queue", message.queue)
        headers = message.headers
        places = self._rules.route(data, headers, source)
        headers = _onward(headers, source, message.sender)
        for place in places:
            if place.kind == "queue":
                message.push(place.name, data, headers=headers)
        for place in places:  # these cannot wait, and not fail: so all is done, or nothing is published twice
            if place.kind == "topic":
                self._node.publish(place.name, data, headers=headers)
        with self._counting:
            self.routed += 1
            self.unmatched += places == (self._rules.unmatched,)

    def held_up(self) -> str:
        """Say why no more is taken, where what was sent on is not confirmed; "" where that is not so."""
        queues, most = self._node.stats()["queues"], self._node.settings.custody
        if all(counts.get("pull", {}).get("in_custody", 0) < most for counts in queues.values()):
            return ""
        pulled = {queue for peer in self._node.peers() for queue in peer.pulls}
        depths = sorted(((counts["push"]["depth"], queue) for queue, counts in queues.items() if "push" in counts))
        waiting = [
            f"{depth:,} in {queue!r}" + ("" if queue in pulled else ", which nobody pulls")
            for depth, queue in reversed(depths)
            if depth
        ]
        return f"no more is taken until some of what was sent on is confirmed: {'; '.join(waiting[:3])}"


def _onward(headers: dict[str, str], source: Place, sender: str) -> dict[str, str]:
    onward = {SENDER: sender, ORIGIN + source.kind: source.name, **headers}
    return onward if sum(len(key) + len(text) for key, text in onward.items()) <= HEADERS_LIMIT else headers
