"""The device of ``--device``, in a process of its own: it stands between the processes of the pipeline.

Usage: python hub.py
"""

from __future__ import annotations

import meshmq
from examples.lifeline import lifeline
from examples.name_count.job import QUEUES


def main() -> None:
    node = meshmq.Node()
    node.device(queues=QUEUES)
    with lifeline(node) as ended:
        ended.wait()


if __name__ == "__main__":
    main()
