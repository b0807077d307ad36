"""Pulls files from the queue "files", counts their names, pushes the counts into the queue "counts".

Usage: python counter.py
"""

from __future__ import annotations

import meshmq
from examples.name_count.counting import names_in
from examples.name_count.lifeline import close_when_input_ends


def main() -> None:
    with meshmq.Node() as node, node.pull("files") as files:
        close_when_input_ends(node, stats=True)
        for message in files:
            file = message.data
            node.push("counts", {"path": file["path"], "names": names_in(file["source"]), "by": node.name})
            # Asking for the next file acks this one. Its counts are still in *our* outbox, and would
            # die with us: so first wait until the totaller has confirmed them.
            node.flush()


if __name__ == "__main__":
    main()
