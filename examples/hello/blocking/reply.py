"""Serves "add" until Ctrl-C or SIGTERM."""

import meshmq

node = meshmq.Node()


@node.reply("add")
def add(numbers: list[int]) -> int:
    return sum(numbers)


node.run()
