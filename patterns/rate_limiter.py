"""Share one rate among all processes of a mesh, fairly and with bursts.

*Problem*: an API bears 100 calls a second of all of us together. Those who call it are threads in many processes
that come and go, and one with a thousand calls to make must not shut out one with a single call.

*How it works*: a bucket gets ``per_second`` tokens each second and holds up to ``burst`` of them; a call costs one.
Who has the bucket is a service. ``take`` waits in line for a token, and callers take turns there; ``wait=False``
never waits in line, and is told in how many seconds to come again::

    greedy   take, take, take ----+
    modest   take ----------------+--> [ bucket ] --> greedy, modest, greedy, greedy
    late     take(wait=False) ----+                   late: in 0.05 s, after all who wait

A caller is a node's name: nodes that share a name share its turn. Who gives up in the line, or dies, costs nothing.

*Limits*: two that serve a name are two buckets: have one, and ``meshmq run`` or ``service_pool`` to start it again.
While it is away nobody passes: callers wait until it is back or their time is over. It begins with an empty bucket,
for nobody knows what passed before, so that starting it again never lets through more. A token is lost when its
caller gave up, or the limiter died, over the answer. All who wait are kept in the limiter's memory.

*Run*::

    $ meshmq recipe run rate_limiter
    late is told to come again in 0.08 s
    greedy asks 5 times, then modest twice; who passes: greedy modest greedy modest greedy greedy
    the limiter goes while one waits; another comes: greedy passes
    after a pause 20 try at once: 10 pass
"""

from __future__ import annotations

import queue
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import meshmq


class RateLimiter:
    """``RateLimiter(node, name).take()`` in callers, ``RateLimiter.serve(node, name, ...)`` in one process."""

    def __init__(self, node: meshmq.Node, name: str) -> None:
        self._node, self._service = node, f"limits.{name}"

    def take(self, timeout: float | None = None, *, wait: bool = True) -> float:
        """Return 0 when this caller may go on; or else, without ``wait``, in how many seconds to come again.

        Raises:
            TimedOut, NoPeersError: it may not within ``timeout`` seconds; there was no limiter.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if until is None else max(0.0, until - time.monotonic())
            try:
                return float(self._node.request(self._service, wait, timeout=left))
            except (meshmq.PeerLost, meshmq.RemoteError) as error:
                if getattr(error, "kind", "Unanswered") != "Unanswered":  # else the limiter has gone: ask the next
                    raise

    @staticmethod
    def serve(
        node: meshmq.Node, name: str, per_second: float, burst: float = 1, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Give out tokens until the node is drained or closed; who waits then waits for the next limiter."""
        tokens, seen, line, turn = 0.0, clock(), list[meshmq.Request](), dict[str, int]()
        with suppress(meshmq.ClosedError), node.reply(f"limits.{name}") as requests:
            while True:
                with suppress(meshmq.TimedOut):
                    line.append(requests.receive((1 - tokens) / per_second if line else None))
                now = clock()
                tokens, seen = min(max(1, burst), tokens + (now - seen) * per_second), now
                line = [request for request in line if not request.cancelled]
                while line and tokens >= 1:
                    first = min(line, key=lambda request: turn.get(request.sender, 0))  # whose turn was longest ago
                    line.remove(first)
                    first.reply(0)
                    tokens, turn[first.sender] = tokens - 1, max(turn.values(), default=0) + 1
                if line and line[-1].data is False:
                    line.pop().reply((len(line) + 1 - tokens) / per_second)
                turn = turn if line else {}


def demo() -> None:
    """Have callers share a limiter whose clock is in our hands, and lose it."""
    mesh, now, passed = f"limiter-{secrets.token_hex(4)}", [0.0], queue.SimpleQueue[str]()

    def serve(node: meshmq.Node) -> None:
        RateLimiter.serve(node, "api", per_second=100, burst=10, clock=lambda: now[0])

    def take(node: meshmq.Node) -> None:
        RateLimiter(node, "api").take(timeout=20)
        passed.put(node.name)

    def let_pass() -> str:
        now[0] += 0.0101
        return passed.get(timeout=20)

    one, two, greedy, modest, late = (meshmq.Node(name, mesh=mesh) for name in ("1", "2", "greedy", "modest", "late"))
    with greedy, modest, late, ThreadPoolExecutor(9) as threads, two, one:
        threads.submit(serve, one)
        for place, node in enumerate([greedy] * 5 + [modest] * 2, 1):
            threads.submit(take, node)
            while (seconds := RateLimiter(late, "api").take(wait=False)) < (place + 0.9) / 100:  # not in line yet
                pass
        print(f"late is told to come again in {seconds:.2f} s", flush=True)
        print("greedy asks 5 times, then modest twice; who passes:", *(let_pass() for _ in range(6)), flush=True)
        one.close()
        threads.submit(serve, two)
        RateLimiter(late, "api").take(wait=False)
        print(f"the limiter goes while one waits; another comes: {let_pass()} passes", flush=True)
        now[0] += 1
        passes = [RateLimiter(late, "api").take(wait=False) for _ in range(20)].count(0)
        print(f"after a pause 20 try at once: {passes} pass")


if __name__ == "__main__":
    demo()
