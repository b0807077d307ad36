"""Asks whoever serves "add" for a sum; waits for one to appear."""

import meshmq

with meshmq.Node() as node:
    print(node.request("add", [1, 2]))
