"""Calling services, for asyncio tasks. The names are those of ``calling``."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from meshmq.calling import Answer, Key, Pending, PendingStream, PendingSurvey, Timeout
from meshmq.faces.aio_receiving import AsyncReceiver
from meshmq.faces.aio_serving import AsyncServingNode
from meshmq.names import check_name
from meshmq.request import Request
from meshmq.wire.headers import Headers


class AsyncCallingNode(AsyncServingNode):
    """The verbs of a node with which it calls services."""

    async def request(
        self,
        service: str,
        data: object = None,
        *,
        timeout: Timeout = ...,
        retries: int = 0,
        idempotent: bool = False,
        key: Key | None = None,
        to: str | None = None,
        headers: Headers | None = None,
        copy: bool = True,
    ) -> Any:
        """Ask one server of ``service`` and return its answer.

        The server with the fewest calls of this node gets it; ``key`` sticks to one server as long as it is
        here, ``to`` names the only node that may serve it (by name, or by id in hex). It waits for a server
        to appear. ``timeout`` is for the whole call (left out: ``settings.request_timeout``; ``None``: as long
        as its server lives) and travels with it: a request that is too late is not run, a handler whose
        caller is gone is cancelled, and what a handler asks itself is over in time, too.

        ``idempotent`` says that it may be run twice: when its server is lost, another is asked under the
        same id. With ``retries`` each attempt gets an equal share of the timeout; then it is asked again,
        another server if there is one, and the first answer counts. No server runs one id twice.
        Cancelled, it is given up.

        Raises:
            RemoteError: the handler failed, or its answer cannot be encoded, or decoded here.
            NoPeersError: nobody serves it within the timeout; ``timeout=0``: just now.
            TimedOut: no answer in time; the handler is told.
            PeerLost: its server is gone; ``may_have_run`` says whether it had got it.
            RequestRefused: no server that is here has room for it; it was not run.
            AmbiguousPeer: several nodes are named ``to``.
            EncodeError: ``data`` would not come back equal; nobody was asked.
            ConfigError: an option that cannot be; ``retries`` without ``idempotent``.
            ClosedError: the node is closed.
        """
        options: dict[str, Any] = {"retries": retries, "idempotent": idempotent, "key": key, "to": to, "copy": copy}
        pending = Pending(*self._asking(service, data, headers, timeout, **options))
        try:
            outcome = await self._wait(pending.wish(), None)
        finally:
            pending.leave()
        return pending.open(outcome)

    async def survey(
        self, service: str, data: object = None, *, timeout: Timeout = ..., headers: Headers | None = None
    ) -> list[Answer]:
        """Ask all servers of ``service``, those included that appear meanwhile, and return what each said.

        Returns at ``timeout``, or before that when discovery is settled and all who were asked have
        answered. The error of a single server is part of the result and not raised; see ``Answer``.

        Raises:
            EncodeError: ``data`` would not come back equal; nobody was asked.
            ClosedError: the node is closed.
        """
        pending = PendingSurvey(*self._asking(service, data, headers, timeout))
        try:
            survey = await self._wait(pending.wish(), None)
        finally:
            pending.leave()
        return pending.open(survey)

    def stream(
        self,
        service: str,
        data: object = None,
        *,
        timeout: Timeout = ...,
        key: Key | None = None,
        to: str | None = None,
        headers: Headers | None = None,
    ) -> AsyncStream:
        """Ask one server of ``service`` whose handler yields; iterate over what is returned.

        The handler is only a few items ahead of who iterates. ``timeout`` is for each item, the first
        included. Leaving the loop, or ``close``, cancels the handler; what it raises comes after its items.

        Raises:
            EncodeError: ``data`` would not come back equal; nobody was asked.
            ConfigError: an option that cannot be.
            ClosedError: the node is closed.
        """
        options: dict[str, Any] = {"stream": True, "key": key, "to": to}
        return AsyncStream(self, PendingStream(*self._asking(service, data, headers, timeout, **options)))

    def service(
        self,
        service: str,
        *,
        timeout: Timeout = ...,
        retries: int = 0,
        idempotent: bool = False,
        to: str | None = None,
        headers: Headers | None = None,
    ) -> AsyncService:
        """Return the handle of a service; its calls have these options where they say nothing else."""
        return AsyncService(self, check_name("service", service), timeout, retries, idempotent, to, headers)


class AsyncService:
    """A node's handle of one service; the verbs on ``AsyncNode`` are its shorthand."""

    def __init__(
        self,
        node: AsyncCallingNode,
        service: str,
        timeout: Timeout,
        retries: int,
        idempotent: bool,
        to: str | None,
        headers: Headers | None,
    ) -> None:
        self._node, self.name = node, service
        self._timeout, self._retries, self._idempotent = timeout, retries, idempotent
        self._to, self._headers = to, headers

    def __repr__(self) -> str:
        return f"<AsyncService {self.name!r} of {self._node!r}>"

    async def request(
        self,
        data: object = None,
        *,
        timeout: Timeout = ...,
        key: Key | None = None,
        to: str | None = None,
        headers: Headers | None = None,
        copy: bool = True,
    ) -> Any:
        """Ask one server and return its answer; see ``AsyncNode.request``.

        Raises:
            MeshError: as ``AsyncNode.request``.
        """
        return await self._node.request(
            self.name,
            data,
            timeout=self._timeout if timeout is ... else timeout,
            retries=self._retries,
            idempotent=self._idempotent,
            key=key,
            to=self._to if to is None else to,
            headers=self._headers if headers is None else headers,
            copy=copy,
        )

    async def survey(
        self, data: object = None, *, timeout: Timeout = ..., headers: Headers | None = None
    ) -> list[Answer]:
        """Ask all servers and return what each said; see ``AsyncNode.survey``.

        Raises:
            MeshError: as ``AsyncNode.survey``.
        """
        limit = self._timeout if timeout is ... else timeout
        return await self._node.survey(self.name, data, timeout=limit, headers=headers or self._headers)

    def stream(
        self,
        data: object = None,
        *,
        timeout: Timeout = ...,
        key: Key | None = None,
        to: str | None = None,
        headers: Headers | None = None,
    ) -> AsyncStream:
        """Ask one server whose handler yields; see ``AsyncNode.stream``.

        Raises:
            MeshError: as ``AsyncNode.stream``.
        """
        return self._node.stream(
            self.name,
            data,
            timeout=self._timeout if timeout is ... else timeout,
            key=key,
            to=self._to if to is None else to,
            headers=self._headers if headers is None else headers,
        )

    def reply(
        self, *, idempotent: bool = False, concurrency: int | None = None, idle: float | None = None
    ) -> AsyncReceiver[Request]:
        """Answer requests; see ``AsyncNode.reply``.

        Raises:
            NameInvalid, ClosedError: as there.
        """
        return self._node.reply(self.name, idempotent=idempotent, concurrency=concurrency, idle=idle)


class AsyncStream:
    """The items of one stream, as they come; leaving it cancels its handler."""

    def __init__(self, node: AsyncCallingNode, pending: PendingStream) -> None:
        self._node, self._pending = node, pending

    def __repr__(self) -> str:
        return f"<AsyncStream {'left' if self._pending.left else 'open'} of {self._node!r}>"

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        pending = self._pending
        try:
            value = await self._node._wait(pending.wish(), None)
        except BaseException:
            pending.leave()
            raise
        if value is None:
            raise StopAsyncIteration
        return pending.open(value)

    async def close(self) -> None:
        """Take nothing more of it; its handler is cancelled. Twice is once; never waits."""
        self._pending.leave()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pending.leave()

    def __del__(self) -> None:
        pending = getattr(self, "_pending", None)  # where the ask itself was refused there is none
        if pending is not None:
            pending.leave()
