"""MeshMQ: processes talk to each other by name, without a broker.

::

    import meshmq

    with meshmq.Node() as node:
        node.push("jobs", {"id": 1})            # push / pull: exactly one worker

    with meshmq.Node() as node:
        for message in node.pull("jobs"):
            print(message.data)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from meshmq.calling import Answer
from meshmq.codecs.registry import register
from meshmq.core.roster import Event
from meshmq.errors import (
    AmbiguousPeer,
    ClosedError,
    ConfigError,
    DecodeError,
    EncodeError,
    ForkedError,
    InUseError,
    JournalError,
    LinkError,
    MeshError,
    MessageTooLarge,
    NameInvalid,
    NoPeersError,
    NotUnique,
    Overflowed,
    PeerLost,
    ProtocolError,
    RemoteError,
    RequestRefused,
    TimedOut,
    Undelivered,
)
from meshmq.faces.blocking import Node
from meshmq.faces.calling import Service, Stream
from meshmq.faces.publishing import Subscription, Topic
from meshmq.faces.pushing import Receipt
from meshmq.faces.queues import Queue
from meshmq.faces.receiving import Receiver
from meshmq.history import History
from meshmq.journal.staging import stage
from meshmq.letters import DeadLetter, DeadLetters
from meshmq.message import AsyncMessage, Message
from meshmq.request import Request
from meshmq.seeing import PeerView
from meshmq.settings import Settings

if TYPE_CHECKING:
    from meshmq.faces.aio import AsyncNode
    from meshmq.faces.aio_calling import AsyncService, AsyncStream
    from meshmq.faces.aio_publishing import AsyncSubscription, AsyncTopic
    from meshmq.faces.aio_pushing import AsyncReceipt
    from meshmq.faces.aio_queues import AsyncQueue
    from meshmq.faces.aio_receiving import AsyncReceiver
    from meshmq.pipeline import Pipeline

__version__ = "0.1.0"

__all__ = [
    "AmbiguousPeer",
    "Answer",
    "AsyncMessage",
    "AsyncNode",
    "AsyncQueue",
    "AsyncReceipt",
    "AsyncReceiver",
    "AsyncService",
    "AsyncStream",
    "AsyncSubscription",
    "AsyncTopic",
    "ClosedError",
    "ConfigError",
    "DeadLetter",
    "DeadLetters",
    "DecodeError",
    "EncodeError",
    "Event",
    "ForkedError",
    "History",
    "InUseError",
    "JournalError",
    "LinkError",
    "MeshError",
    "Message",
    "MessageTooLarge",
    "NameInvalid",
    "NoPeersError",
    "Node",
    "NotUnique",
    "Overflowed",
    "PeerLost",
    "PeerView",
    "Pipeline",
    "ProtocolError",
    "Queue",
    "Receipt",
    "Receiver",
    "RemoteError",
    "Request",
    "RequestRefused",
    "Service",
    "Settings",
    "Stream",
    "Subscription",
    "TimedOut",
    "Topic",
    "Undelivered",
    "register",
    "stage",
]

#: What is imported when it is first asked for: a fifth of the time that all of it takes, and most programs need none.
_LATER: Final = {
    "AsyncNode": "meshmq.faces.aio",
    "AsyncQueue": "meshmq.faces.aio_queues",
    "AsyncReceipt": "meshmq.faces.aio_pushing",
    "AsyncReceiver": "meshmq.faces.aio_receiving",
    "AsyncService": "meshmq.faces.aio_calling",
    "AsyncStream": "meshmq.faces.aio_calling",
    "AsyncSubscription": "meshmq.faces.aio_publishing",
    "AsyncTopic": "meshmq.faces.aio_publishing",
    "Pipeline": "meshmq.pipeline",
}

if not TYPE_CHECKING:  # else every name would be one of ours

    def __getattr__(name: str) -> object:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_LATER[name]), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
