"""Pulls from the queue "invoices" and writes each as a file.

Usage: python mailer.py DIRECTORY
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import meshmq
from examples.lifeline import lifeline


def main(directory: Path) -> None:
    node = meshmq.Node()

    @node.pull("invoices")
    def write(order: dict[str, str]) -> None:
        # By its order's number: should it come twice, the second is the same file.
        draft = directory / f".{order['number']}.{os.getpid()}"
        draft.write_text(f"Invoice for {order['number']}: one of our {order['article']}\n")
        draft.rename(directory / f"{order['number']}.txt")

    with lifeline(node):
        node.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
