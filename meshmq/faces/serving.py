"""Serving: answering requests, running until somebody ends it, draining; for threads."""

from __future__ import annotations

from meshmq.checks import check_concurrency, check_timeout
from meshmq.faces.receiving import Receiver
from meshmq.names import check_service
from meshmq.node import BaseNode
from meshmq.replying import HANDLERS, Requests
from meshmq.request import Request


class ServingNode(BaseNode):
    """The verbs of a node with which it serves others."""

    def reply(
        self, service: str, *, idempotent: bool = False, concurrency: int | None = None, idle: float | None = None
    ) -> Receiver[Request]:
        """Answer requests for ``service``, from now on or from when the node opens.

        Decorate a handler with what is returned: what it returns is the answer, what it yields is a stream,
        what it raises arrives as ``RemoteError``; at most ``concurrency`` (default: 4 for each core, 32
        at most) are at work at once. Or iterate, and ``reply`` to each request, in any order.
        ``idempotent`` says that any request may be run twice: it goes on when its caller is lost, and its
        answer is kept for who asks again. ``idle`` ends the iteration after so many seconds without a request.

        Raises:
            NameInvalid: it can be no name; those that begin with ``meshmq.`` are the nodes' own.
            ClosedError: the node is closed.
        """
        requests = Requests(self._codec, check_service(service), idempotent=bool(idempotent))
        return Receiver(self, requests, check_timeout(idle), check_concurrency(concurrency, HANDLERS))
