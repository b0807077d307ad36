"""Ask all who serve a name, take what has come when time is up, and know who is missing.

*Problem*: the answer is spread: each shop knows its own price, each shard its own part. All are asked
at once; one that is slow or broken must cost its own answer only, and must not be overlooked.

*How it works*: ``node.survey`` sends the question to every server, also to those that appear while it
runs, and returns when all have answered or the time is up. ``gather`` parts what came into answers
and failures, and raises where there are too few to go by::

                     +--> berlin   19
    gather(question) +--> paris    17                     answers:  berlin, paris
                     +--> oslo     raises KeyError        failures: oslo (RemoteError), rome (TimedOut)
                     +--> rome     ...

*Limits*: one silent server makes the whole call last until its timeout; its handler is told to leave
off (``request.cancelled``) and is not asked again. Who is not here when the call ends is in neither list:
say with ``least`` how many you count on. Each answer is in memory until the call returns.

*Run*::

    $ meshmq recipe run scatter_gather
    berlin: 19
    paris: 17
    oslo has no answer: RemoteError
    rome has no answer: TimedOut
    cheapest: paris
    of 3 at least: 2 of the 3 answers that were needed came from 'price'; oslo: RemoteError, rome: TimedOut
"""

from __future__ import annotations

import secrets
import threading
from contextlib import ExitStack
from typing import Any

import meshmq


def gather(
    node: meshmq.Node, service: str, question: object = None, *, timeout: float, least: int = 1
) -> tuple[list[meshmq.Answer], list[meshmq.Answer]]:
    """Return what the servers answered, and the failures of those that did not, both by name.

    Raises:
        NoPeersError: fewer than ``least`` answered; the sentence says what became of the others.
        EncodeError: ``question`` cannot be sent.
        ClosedError: the node is closed.
    """
    came = sorted(node.survey(service, question, timeout=timeout), key=lambda answer: (answer.sender, answer.id))
    answers = [answer for answer in came if answer.error is None]
    failures = [answer for answer in came if answer.error is not None]
    if len(answers) < least:
        others = ", ".join(f"{answer.sender}: {type(answer.error).__name__}" for answer in failures)
        raise meshmq.NoPeersError(
            f"{len(answers)} of the {least} answers that were needed came from {service!r}"
            + (f"; {others}" if others else "")
        )
    return answers, failures


def demo() -> None:
    """Ask four shops for a price; one does not know it, and one never answers."""
    mesh = f"scatter-{secrets.token_hex(4)}"
    with ExitStack() as stack:
        for name, prices in (("berlin", {"lamp": 19}), ("paris", {"lamp": 17}), ("oslo", {}), ("rome", None)):
            shop = stack.enter_context(meshmq.Node(name, mesh=mesh))
            shop.reply("price")(_shop(prices))
        buyer = stack.enter_context(meshmq.Node("buyer", mesh=mesh))
        buyer.wait_for(reply="price", count=4, timeout=20)
        answers, failures = gather(buyer, "price", "lamp", timeout=2)
        for answer in answers:
            print(f"{answer.sender}: {answer.data}")
        for failure in failures:
            print(f"{failure.sender} has no answer: {type(failure.error).__name__}")
        print("cheapest:", min(answers, key=lambda answer: int(answer.data)).sender, flush=True)
        try:
            gather(buyer, "price", "lamp", timeout=2, least=3)
        except meshmq.NoPeersError as error:
            print("of 3 at least:", error)


def _shop(prices: dict[str, int] | None) -> Any:
    def price(article: str, request: meshmq.Request) -> int:
        while prices is None and not request.cancelled:
            threading.Event().wait(0.05)
        return (prices or {})[article]

    return price


if __name__ == "__main__":
    demo()
