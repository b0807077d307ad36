"""Change settings while everybody runs: all get them, newcomers too, and you hear who has applied them.

*Problem*: the log level, a limit, a flag is to change in twenty processes at once, without a restart. Who starts
a minute later needs the same; nobody may run on half of a change; and it must be known who has not applied it.

*How it works*: settings are published whole, and the last ones are kept, so order and repeats do no harm. Who
follows answers a survey as soon as it has applied what is asked for::

    operator   set {level: debug}  ----> one    applied     confirm: {one: "", two: "KeyError: ..."}
               keeps the last one  ----> two    failed
                                   ----> three, an hour later

*Limits*: one operator for each name: of two, each has settings of its own. They are in its memory: when it is
away, those who have settings keep them and newcomers have none: start from defaults. A follower skips what is
overtaken by something newer. Who is not in what ``confirm`` returns was not here.

*Run*::

    $ meshmq recipe run config_broadcast
    info is applied by: one two
    three, a newcomer, is told at once: info
    debug is applied by: one three two
    loud is applied by: one two
    three says: NotApplied on three: ValueError: no such level: loud
"""

from __future__ import annotations

import queue
import secrets
import threading
from collections.abc import Callable
from typing import Any

import meshmq


class ConfigBroadcast:
    """``ConfigBroadcast(node, name).set(values)`` here, ``ConfigBroadcast.follow(node, name, apply)`` elsewhere."""

    def __init__(self, node: meshmq.Node, name: str) -> None:
        self._node, self._name = node, name
        self._topic = node.topic(f"config.{name}", history=1)
        self._life, self._number = secrets.token_hex(8), 0  # numbers of another life say nothing about ours

    def set(self, values: Any) -> None:
        """Publish settings, which take the place of all before; never waits.

        Raises:
            EncodeError: they cannot be sent; those before stay.
        """
        self._topic.publish({"life": self._life, "number": self._number + 1, "values": values})
        self._number += 1

    def confirm(self, timeout: float) -> dict[str, str]:
        """Return by name who is here, and why it has not applied what was set last, "" where it has."""
        asked = [self._life, self._number]
        answers = self._node.survey(f"config.{self._name}.applied", asked, timeout=timeout)
        return {answer.sender: str(answer.error or "") for answer in answers}

    @staticmethod
    def follow(node: meshmq.Node, name: str, apply: Callable[[Any], object]) -> None:
        """Have ``apply(values)`` called, in a thread, with what is set and with each change, until the node closes."""
        applied: dict[str, Any] = {"life": "", "number": 0, "why": ""}
        changed = threading.Condition()

        @node.subscribe(f"config.{name}", since="last", latest=True)
        def take(config: dict[str, Any]) -> None:
            why = ""
            try:
                apply(config["values"])
            except Exception as error:
                why = f"{type(error).__name__}: {error}"
            with changed:
                applied.update(config, why=why)
                changed.notify_all()

        @node.reply(f"config.{name}.applied")
        def answer(asked: list[Any], request: meshmq.Request) -> None:
            with changed:
                while applied["life"] != asked[0] or applied["number"] < asked[1]:
                    if request.cancelled:
                        return
                    changed.wait(0.05)
            if applied["why"]:
                request.fail("NotApplied", applied["why"])


def demo() -> None:
    """Change a level everywhere, in a newcomer, and in one that does not know it."""
    mesh = f"config-{secrets.token_hex(4)}"
    told: queue.SimpleQueue[str] = queue.SimpleQueue()

    def apply(values: dict[str, str]) -> None:
        told.put(values["level"])
        if values["level"] == "loud":
            raise ValueError("no such level: loud")

    nodes = [meshmq.Node(name, mesh=mesh) for name in ("operator", "one", "two", "three")]
    with nodes[0], nodes[1], nodes[2], nodes[3]:
        config = ConfigBroadcast(nodes[0], "logging")
        for level in ("info", "debug", "loud"):
            config.set({"level": level})
            if level == "info":
                for node in nodes[1:3]:
                    ConfigBroadcast.follow(node, "logging", lambda values: None)
                nodes[0].wait_for(reply="config.logging.applied", count=2, timeout=20)
            said = config.confirm(timeout=20)
            print(f"{level} is applied by:", *sorted(name for name, why in said.items() if not why), flush=True)
            if level == "info":
                ConfigBroadcast.follow(nodes[3], "logging", apply)
                print("three, a newcomer, is told at once:", told.get(timeout=20))
                nodes[0].wait_for(reply="config.logging.applied", count=3, timeout=20)
        print("three says:", said["three"])


if __name__ == "__main__":
    demo()
