"""Pushes one job into the queue "hello"; leaves when a worker has confirmed it."""

import meshmq

with meshmq.Node() as node:
    node.push("hello", {"n": 1})
