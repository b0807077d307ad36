"""Ask until there is an answer or time is up, and never run twice what may run only once.

*Problem*: a server is busy, is being restarted, or dies over the question. The caller wants an answer or one
clear error within its time, and must not pay twice because an answer was lost.

*How it works*: each way a request can end says whether it may have run, and ``ask`` goes by that::

    refused, or the server was lost before it began  -->  asked again, after a pause that doubles
    no answer, or the server was lost over it        -->  idempotent: asked again, under the same id
                                                          else: the error, at once
    the handler raised                               -->  the error: it would raise again

Of an idempotent request (twice does no more than once) each attempt has its share of the time, another
server gets it if there is one, and a server that has run the same id gives the answer it gave.

*Limits*: all attempts share one timeout. A server that forgets what it ran, because it was restarted, runs
an idempotent request again. Without ``idempotent``, ``PeerLost`` and ``TimedOut`` leave it to you to find out.

*Run*::

    $ meshmq recipe run retrying_request
    the weather: sunny
    servers asked: 2
    8 pages at once, room for 2: 8 printed
    killed over a payment: PeerLost, may have run: True
    payments: 1
"""

from __future__ import annotations

import multiprocessing
import random
import secrets
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import meshmq


def ask(
    node: meshmq.Node,
    service: str,
    data: object = None,
    *,
    timeout: float,
    idempotent: bool = False,
    attempts: int = 3,
    pause: float = 0.02,
) -> Any:
    """Return the answer of some server of ``service``.

    An idempotent request has ``attempts`` with an equal share of the timeout each.

    Raises:
        NoPeersError, TimedOut, RequestRefused: nobody served it, answered it, or had room for it in time.
        PeerLost: its server is gone, and it may have run.
        RemoteError: the handler raised.
    """
    deadline, retries = time.monotonic() + timeout, attempts - 1 if idempotent else 0
    while True:
        left = max(0.0, deadline - time.monotonic())
        try:
            return node.request(service, data, timeout=left, idempotent=idempotent, retries=retries)
        except (meshmq.RequestRefused, meshmq.PeerLost) as error:
            harmless = isinstance(error, meshmq.RequestRefused) or idempotent or not error.may_have_run
            pause *= random.uniform(1.5, 2.5)  # many who were refused together should not come back together
            spare = deadline - time.monotonic()
            if not harmless or pause + (left - spare) >= spare:  # another would have no time for its answer
                raise
        threading.Event().wait(pause)


def demo() -> None:
    """Ask a silent server, a busy one, and one that is killed over a payment."""
    mesh = f"retrying-{secrets.token_hex(4)}"
    asked, over = list[str](), threading.Event()

    def weather(place: str) -> str:
        asked.append(place)
        if len(asked) == 1:  # whoever is asked first falls silent
            over.wait(20)
        return "sunny"

    context = multiprocessing.get_context("spawn")
    payments = context.Value("i", 0)
    cashier = context.Process(target=_take_payments, args=(mesh, payments), daemon=True)
    cashier.start()
    caller = meshmq.Node("caller", mesh=mesh)
    one = meshmq.Node("one", mesh=mesh, settings=meshmq.Settings(request_backlog=1))
    two = meshmq.Node("two", mesh=mesh)
    with caller, one, two, ThreadPoolExecutor() as pool:
        one.reply("weather", idempotent=True)(weather)
        two.reply("weather", idempotent=True)(weather)
        one.reply("print", concurrency=1)(lambda page: threading.Event().wait(0.02))
        caller.wait_for(reply="weather", count=2, timeout=20)
        print("the weather:", ask(caller, "weather", "here", timeout=6, idempotent=True), flush=True)
        print("servers asked:", len(asked), flush=True)
        over.set()
        printed = list(pool.map(lambda page: ask(caller, "print", page, timeout=20), range(8)))
        print(f"8 pages at once, room for 2: {len(printed)} printed", flush=True)
        try:
            ask(caller, "pay", 100, timeout=20)
        except meshmq.PeerLost as error:
            print("killed over a payment: PeerLost, may have run:", error.may_have_run)
        print("payments:", payments.value)
    cashier.join()


def _take_payments(mesh: str, payments: Any) -> None:
    with meshmq.Node("cashier", mesh=mesh) as node:
        for _ in node.reply("pay"):
            payments.value += 1
            signal.raise_signal(signal.SIGKILL)


if __name__ == "__main__":
    demo()
