"""Ask, die, come again, and still get the answer, once.

*Problem*: a request takes minutes, or who serves it comes back tomorrow. The caller may be killed meanwhile, the server
may be killed over it, and neither may the answer be lost nor be taken twice.

*How it works*: request and answer are durable jobs, so that one of two disks always has what is open. A request has an
id of its caller's own; asking again with the same id (``unique=``) is still one request. It is confirmed when the
answer is on the server's disk. The caller moves each answer to a queue of its own on its own disk, once for each id,
and reads it there::

    caller: ask("order 7", ...) --> [disk] --> bill --------> server: answer --> [disk]
    caller: answers() <-- bill.answers.caller.own <-- [disk] <-- bill.answers.caller <---+

*Limits*: node and journal of a caller are always the same, with one process at a time. Who dies with an answer in hand
gets it again, ``redelivered``. A server that dies over a request runs it again, and two may run one: the answer that
comes second is dropped, and so is a new request with an old id, for ``remember`` seconds. A handler that raises
``attempts`` times leaves a dead letter at the caller, ``node.queue(service).dead``, and no answer.

*Run*::

    $ meshmq recipe run durable_requests
    the caller asks 3 things, one of them twice, and goes: 3 requests
    it comes again, and asks all again: 3 requests
    a server does them; both go before an answer is read
    both come again; the answers: 1 squared is 1, 2 squared is 4, 3 squared is 9
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any

import meshmq


class DurableRequests:
    """``DurableRequests(node, service)`` at a caller, ``DurableRequests.serve(node, service, function)`` at servers."""

    def __init__(
        self, node: meshmq.Node, service: str, *, remember: float = 30 * 86_400, attempts: int | None = 10
    ) -> None:
        self._node, self._service, self._remember, self._attempts = node, service, remember, attempts
        self._answers = f"{service}.answers.{node.name}"
        node.pull(self._answers)(self._keep)

    def ask(self, name: str, data: Any) -> bool:
        """Ask, once for each ``name``; it is on disk when this returns. Returns whether that is new."""
        options: dict[str, Any] = {"unique": name, "unique_window": self._remember, "max_attempts": self._attempts}
        with suppress(meshmq.NotUnique):
            self._node.push(self._service, (name, self._answers, data), durable=True, **options)
            return True
        return False

    def answers(self, idle: float | None = None) -> Generator[meshmq.Message]:
        """Yield messages whose data are the id of a request, of a former life maybe, and the answer.

        One is done when the next is asked for. Ends after ``idle`` seconds without any.
        """
        with self._node.pull(f"{self._answers}.own", prefetch=1, idle=idle) as messages:
            yield from messages

    @property
    def open(self) -> int:
        """How many requests have no answer on a server's disk yet."""
        return self._node.queue(self._service).depth

    @staticmethod
    def serve(node: meshmq.Node, service: str, function: Callable[[Any], Any]) -> None:
        """Answer what is asked, on a node with a name and a journal."""

        @node.pull(service)
        def answer(request: tuple[str, str, Any], message: meshmq.Message) -> None:
            message.push(request[1], (request[0], function(request[2])), durable=True)

    def _keep(self, answer: tuple[str, Any], message: meshmq.Message) -> None:
        with suppress(meshmq.NotUnique):  # it came before
            unique: dict[str, Any] = {"unique": answer[0], "unique_window": self._remember}
            message.push(f"{self._answers}.own", answer, durable=True, **unique)


def demo() -> None:
    """Have a caller and a server go and come, never there when the other one has news."""
    mesh = f"requests-{secrets.token_hex(4)}"

    def opened(name: str) -> meshmq.Node:
        return meshmq.Node(name, mesh=mesh, journal=f"{place}/{name}.db")

    def ask(caller: meshmq.Node) -> DurableRequests:
        requests = DurableRequests(caller, "square")
        for number in (1, 2, 3, 1):
            requests.ask(f"{number} squared", number)
        return requests

    with tempfile.TemporaryDirectory() as place:
        with opened("caller") as caller:
            print(f"the caller asks 3 things, one of them twice, and goes: {ask(caller).open} requests", flush=True)
        with opened("caller") as caller:
            print(f"it comes again, and asks all again: {ask(caller).open} requests", flush=True)
            with opened("server") as server:
                DurableRequests.serve(server, "square", lambda number: number**2)
                caller.queue("square").flush(timeout=20)
        print("a server does them; both go before an answer is read", flush=True)
        with opened("server"), opened("caller") as caller:
            answers = ask(caller).answers(idle=20)
            said = sorted("{} is {}".format(*next(answers).data) for _ in range(3))
            answers.close()
            print(f"both come again; the answers: {', '.join(said)}", flush=True)


if __name__ == "__main__":
    demo()
