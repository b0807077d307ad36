"""A child of multiprocessing pushes jobs from a node that nobody closes."""

from __future__ import annotations

import multiprocessing
import sys

import meshmq


def push() -> None:
    meshmq.Node("careless").queue("jobs").push_many(range(100))


def main() -> None:
    multiprocessing.set_start_method(sys.argv[1])
    child = multiprocessing.Process(target=push)
    child.start()
    child.join()
    sys.exit(child.exitcode)


if __name__ == "__main__":
    main()
