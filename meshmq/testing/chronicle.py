"""Durable topics under observation: what their publishers tell, and what everybody reads of it, whoever dies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from itertools import count

from meshmq.faces.aio import AsyncNode
from meshmq.faces.aio_publishing import Since
from meshmq.message import Message
from meshmq.names import counted
from meshmq.testing.virtual_node import VirtualNode

PATTERN = "told.*"


class Chronicle:
    """One topic for each who tells; all is kept, so that a reader misses nothing, from the first or a number on."""

    def __init__(self) -> None:
        #: What each number of a topic says, to all who read it.
        self.said: dict[tuple[str, int], object] = {}
        #: The last number of a topic that each reader has, by its id; and by its place, where the next goes on.
        self.read_by: dict[tuple[str, str], int] = {}
        self.read_at: dict[tuple[int, str], int] = {}
        #: Whether somebody may have been away for so long that what was missing is told as missed.
        self.gaps: Callable[[], bool] = lambda: False
        self._serial = count()

    def __repr__(self) -> str:
        return f"<Chronicle with {counted(len(self.said), 'message')}>"

    def open(self, node: AsyncNode) -> None:
        """Let a node tell."""
        node.topic(PATTERN, history=10_000, durable=True)

    async def tell(self, node: AsyncNode, what: object) -> None:
        """Tell something, which nobody else says."""
        await node.publish(f"told.{node.name}", [next(self._serial), what])

    async def read(self, node: AsyncNode, index: int, tellers: Sequence[str]) -> None:
        """Read it all from the first on; at every other place, from where the last incarnation was."""
        if index % 2:
            await self._read(node, index, [PATTERN], "first")
            return
        async with asyncio.TaskGroup() as tasks:
            for teller in tellers:
                topic = f"told.{teller}"
                last = self.read_by[node.id, topic] = self.read_at.get((index, topic), 0)
                tasks.create_task(self._read(node, index, [topic], last + 1))

    async def _read(self, node: AsyncNode, index: int, patterns: Sequence[str], since: Since) -> None:
        async for message in node.subscribe(*patterns, since=since):
            self._hear(message, node, self.read_by.get((node.id, message.topic), 0))
            self.read_by[node.id, message.topic] = self.read_at[index, message.topic] = message.seq

    def _hear(self, message: Message, node: AsyncNode, before: int) -> None:
        where = f"{node.name} reads {message.seq} of {message.topic!r} after {before}"
        assert message.seq == before + 1 + message.gap, f"{where} and is told of a gap of {message.gap}"
        assert not message.gap or self.gaps(), f"{where}, and all is kept"
        said = self.said.setdefault((message.topic, message.seq), message.data)
        assert said == message.data, f"{where}: {message.data}, and it was {said}"

    def behind(self, tellers: Sequence[VirtualNode], readers: Sequence[VirtualNode]) -> Iterator[str]:
        """Yield who has not read everything."""
        for teller in tellers:
            series = teller.participant.feed.publisher.series.get(topic := f"told.{teller.name}")
            for reader in readers:
                read = self.read_by.get((reader.id, topic), 0)
                if series is not None and read < series.head:
                    yield f"{reader.name} has read {read} of {series.head} of {topic!r}"
