"""Handlers for tests of both faces, and how they are given to a node."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from tests.faces.stage import Actor, Stage

#: The most seconds that a test waits for anything.
LIMIT: Final = 10.0


class Unspeakable(BaseException):
    """An exception that cannot be shown."""

    def __str__(self) -> str:
        raise ValueError("unspeakable")

    __repr__ = __str__


def on(stage: Stage, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a handler of the stage's face that does what ``function`` does."""
    if stage.face == "blocking":
        return function

    @functools.wraps(function)
    async def handler(*arguments: Any) -> Any:
        return function(*arguments)

    return handler


async def pair(stage: Stage, **settings: Any) -> tuple[Actor, Actor]:
    return await stage.node("caller", **settings), await stage.node("server", **settings)


async def serve(server: Actor, service: str, function: Callable[..., Any], **options: Any) -> None:
    receiver = await server.reply(service, **options)
    assert receiver.inner(function) is function
