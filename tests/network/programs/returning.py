"""Hands on jobs of ``in`` to ``out``; each Ctrl-C ends its node, in order, and it opens another. ``None`` ends it."""

import meshmq


def main() -> None:
    while True:
        try:
            with meshmq.Node("returning") as node:
                print("open", flush=True)
                for message in node.pull("in"):
                    if message.data is None:
                        message.ack()
                        return
                    node.push("out", message.data)
        except KeyboardInterrupt:
            print("left", flush=True)


if __name__ == "__main__":
    main()
