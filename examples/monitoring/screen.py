"""Shows lines, and on a terminal a table below them that is always up to date."""

from __future__ import annotations

import sys
import time

from examples.monitoring.board import UNITS, Board

RED, PLAIN = "\x1b[31m", "\x1b[0m"


class Screen:
    """Where a board is shown: rewritten in place on a terminal, in lines elsewhere."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._live = sys.stdout.isatty()
        self._height = 0

    def say(self, text: str) -> None:
        """Show a line, above the table."""
        self._erase()
        print(text, flush=True)
        self.refresh()

    def refresh(self) -> None:
        """Show the table as it is by now; only where it can be rewritten."""
        if self._live:
            self._erase()
            lines = table(self._board, time.monotonic(), coloured=True)
            self._height = len(lines)
            print(*lines, sep="\n", flush=True)

    def show(self) -> None:
        """Show the table, once where it cannot be rewritten."""
        if self._live:
            self.refresh()
        else:
            print(*table(self._board, time.monotonic()), sep="\n", flush=True)

    def _erase(self) -> None:
        if self._height:
            print(f"\x1b[{self._height}A\x1b[J", end="")
            self._height = 0


def table(board: Board, now: float, *, coloured: bool = False) -> list[str]:
    """Return the table in lines; in red what is alarming, where there are colours."""
    width = max(map(len, ("node", *board.rows)))
    lines = [f"{'node':<{width}}" + "".join(f"{what:>10}" for what in UNITS) + "  measured"]
    for node, row in sorted(board.rows.items()):
        alarms = {what for whose, what in board.alarms if whose == node}
        cells = []
        for what, unit in UNITS.items():
            cell = f"{f'{row.figures[what]:.0f} {unit}' if what in row.figures else '':>10}"
            cells.append(f"{RED}{cell}{PLAIN}" if coloured and what in alarms else cell)
        state = next((what for what in ("died", "silent") if what in alarms), "")
        ago = f"  {now - row.at:.1f} s ago{f', {state}' if state else ''}"
        lines.append(f"{node:<{width}}{''.join(cells)}{f'{RED}{ago}{PLAIN}' if coloured and state else ago}")
    return lines
