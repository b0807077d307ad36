"""Call an outside service that is down: again, with pauses that grow, until a deadline; and then plan B.

*Problem*: a job needs somebody else's server, and that is away: for a second, or for the weekend. Trying in a loop
blocks the worker and hammers the server; giving up at once loses what would have gone through a minute later; and
trying for ever sends yesterday's weather tomorrow.

*How it works*: the pusher says how long its job is worth trying (``ttl=``) and how the pauses grow (``backoff=``);
the worker tries once and gives it back as failed. In the pauses the worker does other jobs, and the job waits at its
pusher. A receipt tells the pusher how each ended, and what was not done in time goes to ``plan_b``::

    push --> call: away --> 0.1 s --> call: away --> 0.2 s --> call: away --> 0.4 s --> call: done
    push --> call: away --> 0.1 s --> ...                     deadline --> plan_b(data, "expired")
    push --> call: no such address                            at once  --> plan_b(data, "no such address")

What the server refuses for good raises ``Refused`` and is not tried again.

*Limits*: the deadline is for the beginning of the last try; plan B comes in the order of the pushes, and again if it
raises. Receipts end with their pusher: ``push(data, durable=True)`` goes on when it comes again, and what expires
then is only counted, in ``stats()``. Pushers have a name of their own each. A worker that dies over a call may have
done it: the job comes again, flagged. Many jobs still are many calls: keep to a rate with ``rate_limiter``.

*Run*::

    $ meshmq recipe run delayed_retry
    the server is away for 3 calls: the 4th sends Ada's mail, after pauses of at least 25, 50 and 100 ms: True
    it is away until the deadline; plan B for Bob's mail: expired
    nobody has that name; plan B for nobody's mail: no such address
"""

from __future__ import annotations

import queue
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any

import meshmq


class DelayedRetry:
    """``DelayedRetry(node, name, plan_b, ...).push(data)`` at pushers, ``DelayedRetry.work(...)`` at workers."""

    class Refused(Exception):
        """The server will never do it; the text says why."""

    def __init__(self, node: meshmq.Node, name: str, plan_b: Callable[[Any, str], object], **options: Any) -> None:
        self._node, self._queue, self._plan_b = node, node.queue(name, **options), f"{name}.plan-b"
        self._open, self._lock, self._watched = deque[tuple[meshmq.Receipt, Any]](), threading.Lock(), False
        node.pull(self._plan_b)(lambda job: plan_b(*job))

    def push(self, data: Any, **options: Any) -> meshmq.Receipt:
        """Have it done before its deadline; ``options``, here and above, are as for ``node.queue`` and ``push``."""
        receipt = self._queue.push(data, receipt=True, **options)
        with self._lock:
            self._open.append((receipt, data))
            if not self._watched:
                threading.Thread(target=self._watch, daemon=True).start()
            self._watched = True
        return receipt

    def _watch(self) -> None:
        with suppress(meshmq.ClosedError):
            while True:
                with self._lock:
                    self._watched = bool(self._open)
                    if not self._watched:
                        return
                    receipt, data = self._open.popleft()
                if (outcome := receipt.wait()) != "done":
                    self._node.push(self._plan_b, (data, outcome), to=self._node.stats()["id"])

    @staticmethod
    def work(node: meshmq.Node, name: str, call: Callable[[Any], object], away: tuple[type[Exception], ...]) -> None:
        """Do jobs by ``call``; when it raises what means that the server is ``away``, the job is tried again later."""

        @node.pull(name)
        def work(data: Any, message: meshmq.Message) -> None:
            try:
                call(data)
            except away as error:
                message.nack(reason=f"{type(error).__name__}: {error}")
            except DelayedRetry.Refused as error:
                message.push(f"{name}.plan-b", (data, str(error)), to=message.sender)


def demo() -> None:
    """Send mails by a server that is away for a while."""
    mesh, calls, away, told = f"retry-{secrets.token_hex(4)}", list[float](), [3.0], queue.SimpleQueue[str]()
    mailer, shop = (meshmq.Node(name, mesh=mesh) for name in ("mailer", "shop"))

    def call(name: str) -> None:
        calls.append(time.monotonic())
        if name == "nobody":
            raise DelayedRetry.Refused("no such address")
        if len(calls) <= away[0]:
            raise ConnectionRefusedError

    with mailer, shop:
        DelayedRetry.work(mailer, "mails", call, away=(OSError,))
        mails = DelayedRetry(
            shop, "mails", lambda *job: told.put("plan B for {}'s mail: {}".format(*job)), ttl=20, backoff=(0.05, 1.0)
        )
        mails.push("Ada").wait(20)
        grow = all(after - before >= 0.025 * 2**n for n, (before, after) in enumerate(pairwise(calls)))
        sent = f"the {len(calls)}th sends Ada's mail, after pauses of at least 25, 50 and 100 ms: {grow}"
        print(f"the server is away for 3 calls: {sent}", flush=True)
        away[0] = float("inf")
        mails.push("Bob", ttl=0.3)
        print(f"it is away until the deadline; {told.get(timeout=20)}", flush=True)
        mails.push("nobody")
        print(f"nobody has that name; {told.get(timeout=20)}", flush=True)


if __name__ == "__main__":
    demo()
