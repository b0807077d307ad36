"""What every node answers, whatever its program serves: ``meshmq.stats``, ``meshmq.topics``, ``meshmq.drain``,
``meshmq.dead``.

They stand on no card: ask them with ``to=``. A thread answers, outside the gate, which is there only
while somebody asks: of the nodes of a large mesh most are never asked.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Final

from meshmq.codecs.base import Codec
from meshmq.core.participant import Participant
from meshmq.errors import ClosedError, WouldBlock
from meshmq.handling import stack_of
from meshmq.links.engine import Engine
from meshmq.links.interrupts import start_apart
from meshmq.names import RESERVED
from meshmq.replying import Requests
from meshmq.request import Request

STATS: Final = f"{RESERVED}stats"
TOPICS: Final = f"{RESERVED}topics"
DRAIN: Final = f"{RESERVED}drain"
DEAD: Final = f"{RESERVED}dead"
_logger: Final = logging.getLogger("meshmq.node")


class Errand:
    """One service of a node's own; ``function(request)`` answers."""

    def __init__(self, codec: Codec, service: str, function: Callable[[Request], Any]) -> None:
        self._requests = Requests(codec, service, idempotent=True, shown=False, asked=self._asked)
        self._function = function
        self._answering = False

    def open(self, engine: Engine, participant: Participant) -> None:
        """Answer from now on; inside the gate."""
        self._requests.open(engine, participant)

    def _asked(self) -> None:
        """Learn that there is a request; inside the gate."""
        if not self._answering:
            thread = threading.Thread(target=self._answer, name=f"meshmq-{self._requests.service}", daemon=True)
            try:
                start_apart(thread)  # it runs, and waits for the gate, when this returns
                self._answering = True
            except RuntimeError:  # the system gives no thread: whoever asks next may have more luck
                return

    def _answer(self) -> None:
        servant = self._requests.taker(None)
        try:
            while True:
                with servant.engine.gate:
                    try:
                        incoming = servant.advance()
                    except WouldBlock:
                        self._answering = False
                        return
                    finally:
                        servant.engine.flush()
                request = servant.open_one(incoming)
                if request is not None:
                    self._handle(request)
        except ClosedError:
            return

    def _handle(self, request: Request) -> None:
        try:
            self._function(request)
        except Exception as error:
            self._requests.raised(request, error)
            _logger.error("%s failed\n%s", self._requests.title, stack_of(error))
