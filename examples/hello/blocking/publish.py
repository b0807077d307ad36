"""Publishes one message to all who have subscribed; leaves when they have it."""

import meshmq

with meshmq.Node() as node:
    node.publish("hello.world", {"n": 1})
