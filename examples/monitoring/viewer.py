"""Shows the last figures of all agents, and every alarm, until Ctrl-C.

Usage: python -m examples.monitoring.viewer
"""

from __future__ import annotations

from contextlib import suppress

import meshmq
from examples.monitoring.board import Board
from examples.monitoring.screen import Screen
from examples.monitoring.watch import watch


def main() -> None:
    board = Board()
    screen = Screen(board)
    with suppress(KeyboardInterrupt), meshmq.Node("viewer") as node:
        for change in watch(node, board):
            if change is None:
                screen.refresh()
            else:
                screen.say(str(change))


if __name__ == "__main__":
    main()
