"""Prints what is published to topics below "hello"; Ctrl-C ends it."""

import meshmq

with meshmq.Node() as node:
    for message in node.subscribe("hello.*"):
        print(message.topic, message.data, flush=True)
