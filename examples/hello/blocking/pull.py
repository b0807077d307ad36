"""Prints every job of the queue "hello"; Ctrl-C ends it."""

import meshmq

with meshmq.Node() as node:
    for message in node.pull("hello"):
        print(message.data, flush=True)
