"""A chat in the terminal, without a server: who is in the room, what is said, and what was said before you came.

Usage: python examples/chat NAME [ROOM]
"""

from __future__ import annotations

import readline
import sys
import threading
import time
from contextlib import suppress
from typing import Final

from meshmq.patterns.presence import Presence

import meshmq

PROMPT: Final = "> "
LINES_KEPT: Final = 100
LONGEST_LINE: Final = 1_000


def say(text: str) -> None:
    """Show a line, above the one that is being typed."""
    shown = "".join(character if character.isprintable() else "?" for character in text[:LONGEST_LINE])
    if sys.stdin.isatty():
        sys.stdout.write(f"\r\x1b[K{shown}\n{PROMPT}{readline.get_line_buffer()}")
    else:
        sys.stdout.write(f"{shown}\n")
    sys.stdout.flush()


def tell_who_comes_and_goes(node: meshmq.Node) -> None:
    for change, name in Presence(node):
        say(f"* {name} {change}")


def typed() -> str | None:
    """Return the next line, ``None`` when there are no more."""
    try:
        return input(PROMPT if sys.stdin.isatty() else "").strip()
    except EOFError:
        return None


def chat(node: meshmq.Node) -> None:
    """Say what is typed until there is no more."""
    while (line := typed()) is not None and line != "/leave":
        if line == "/who":
            say("* here: " + ", ".join(["you", *(peer.name for peer in node.peers())]))
        elif line:
            node.publish("said", line)


def main(name: str, room: str = "lobby") -> None:
    # Whoever is in the mesh is in the room.
    node = meshmq.Node(name, mesh=f"chat-{room}")
    # What I have said I keep, for those who come later; it goes when I go.
    node.topic("said", history=LINES_KEPT)

    @node.subscribe("said", since="first")
    def hear(line: object, message: meshmq.Message) -> None:
        missed = f" ({message.gap} missed)" if message.gap else ""
        if message.sender != name:
            say(f"{time.strftime('%H:%M', time.localtime(time.time() - message.age))} {message.sender}: {line}{missed}")

    with node:
        threading.Thread(target=tell_who_comes_and_goes, args=(node,), daemon=True).start()
        with suppress(KeyboardInterrupt):  # it may come while we type, and while we publish
            chat(node)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
