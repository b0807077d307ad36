"""Serving: answering requests, running until somebody ends it, draining; for threads."""

from __future__ import annotations

from meshmq.checks import check_concurrency, check_timeout
from meshmq.errors import ClosedError
from meshmq.faces.receiving import Receiver
from meshmq.faces.threads import leave, wait
from meshmq.links.interrupts import is_signal
from meshmq.names import check_service
from meshmq.node import BaseNode
from meshmq.replying import HANDLERS, Requests
from meshmq.request import Request
from meshmq.waiting import ends_quietly


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

    def run(self) -> None:
        """Open the node, let its handlers work until SIGINT or SIGTERM (or ``drain``), drain, and close it.

        Draining tells peers, takes no new work, finishes what runs, and confirms and answers it. By a signal that
        takes at most ``settings.drain`` seconds; what is not finished then goes back. It returns normally, so
        that the process may end with 0; a second signal ends it at once. Signals reach the main thread only.

        Raises:
            Undelivered: jobs that this node pushed were left.
            ClosedError: the node was closed before, or broke.
        """
        if self._closed:
            raise ClosedError(f"node {self.name!r} is closed")
        try:
            wait(self, self._drain_wish(), None)  # it opens the node
            wait(self, self._handled_wish(), None)
        except ClosedError as error:  # somebody else closes it
            if not ends_quietly(error):
                raise
            self._let_it_close()
        except (KeyboardInterrupt, SystemExit) as struck:
            if not is_signal(struck):
                raise
            if self._may_leave():
                leave(self, self.settings.drain, hasty=True)
        else:
            if self._may_leave():
                leave(self, None)

    def drain(self, timeout: float | None = None) -> None:
        """Take no new work and finish what runs, so that ``run()`` returns; from any thread.

        Peers are told. Handlers end after what they are at, loops over receivers when they next ask. The node
        stays open. A handler may call it, and is not waited for.

        Raises:
            TimedOut: handlers still run after ``timeout`` seconds; nothing new is taken all the same.
            ClosedError: the node is closed.
        """
        limit = check_timeout(timeout)
        self._end_receivers()
        wait(self, self._handled_wish(), limit)
