"""Call an outside service that is down: again, with pauses that grow, until a deadline; and then plan B.

*Problem*: a job needs somebody else's server, and that is away: for a second, or for the weekend. Trying in a loop blocks
the worker and hammers the server; giving up at once loses what would have gone through a minute later; and trying for
ever sends yesterday's weather tomorrow.

*How it works*: the pusher says how long its job is worth trying (``ttl=``) and how the pauses grow (``backoff=``); the
worker tries once and gives it back as failed. In the pauses the worker does other jobs, and the job waits at its pusher.
A receipt tells the pusher how each ended, and what was not done in time goes to ``plan_b``::

    push --> call: away --> 0.1 s --> call: away --> 0.2 s --> call: away --> 0.4 s --> call: done
    push --> call: away --> 0.1 s --> ...                     deadline --> plan_b(data, "expired")
    push --> call: no such customer                           at once  --> plan_b(data, "no such customer")

*Limits*: the deadline is for the beginning of the last try. Receipts end with their pusher: with ``durable=True`` the jobs
go on when it comes again, and what expires then is counted in ``stats()``, without plan B. A worker that dies over a call
may have done it: the job comes again, flagged. Many jobs still are many calls: keep to a rate with ``rate_limiter``.

*Run*::

    $ meshmq recipe run delayed_retry
    the server is away for 3 calls: mail 1 is sent by call 4, after pauses that grow: True
    it stays away: mail 2 is not sent in time; plan B: expired
    there is no such address: mail 3 is not tried again; plan B: no such address
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

import meshmq


class DelayedRetry:
    """``DelayedRetry(node, queue, ...).push(data)`` at pushers, ``DelayedRetry.work(node, queue, call)`` at workers."""

    def __init__(
        self,
        node: meshmq.Node,
        queue: str,
        plan_b: Callable[[Any, str], object],
        *,
        ttl: float,
        backoff: tuple[float, float] = (0.1, 60.0),
    ) -> None:
        self._queue = node.queue(queue, ttl=ttl, backoff=backoff)
        self._plan_b, self._open, self._lock = plan_b, list[tuple[meshmq.Receipt, Any]](), threading.Lock()

    def push(self, data: Any, **options: Any) -> None:
        """Have it done before the deadline; ``options`` are as for ``node.push``."""
        receipt = self._queue.push(data, receipt=True, **options)
        with self._lock:
            self._open.append((receipt, data))
