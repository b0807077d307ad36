"""Have a second server hold the same state, and go on with it when the first one is gone.

*Problem*: a server keeps something: stock, bookings, a counter. When it dies, what it has answered has to hold, callers
go on with another one, and nothing may be done twice because an answer got lost.

*How it works*: both serve the name, one of them is active. It does what is asked, once for each request's id, on a copy
of the state, sends that and its answers to the other one, and answers when that one has it. The other asks the active::

    client -- request --> active -- the state with this change --> passive -- got it --> active -- answer --> client

Clients ask with ``idempotent=True, retries=19``. Who hears nothing goes on alone: a passive one after ``takeover``
seconds, an active one, which answers nobody meanwhile, after three times that or more: so not when it was stopped.

*Limits*: the state, a dict, travels whole, with the last 1,000 answers, in less than an eighth of ``takeover``; ``do``
is quick. Parted by the network both go on; when they meet, who was alone less often or changed less gives up its state.
Where that must not be, have three decide by ``leader_election``. What one did alone is lost when it goes, too.

*Run*::

    $ meshmq recipe run primary_backup
    40 guests have the seats 1 to 40; the primary was there for the first 20
"""

from __future__ import annotations

import asyncio
import copy
import secrets
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from typing import Any

import meshmq

_Do = Callable[[dict[str, Any], Any], Any]
_LOST = (meshmq.PeerLost, meshmq.TimedOut, meshmq.NoPeersError, meshmq.RequestRefused)


class PrimaryBackup:
    """One of the two servers of ``name``; ``do(state, data)`` may change the state and returns the answer."""

    def __init__(self, node: meshmq.AsyncNode, name: str, do: _Do, *, primary: bool, takeover: float = 1.0) -> None:
        self._node, self._name, self._do, self._beat, self._me = node, name, do, takeover / 8, secrets.token_hex(8)
        self._mine, self._other = (f"{name}.{'primary' if role else 'backup'}" for role in (primary, not primary))
        # How often one lost the other, how many changes there were, and whose: who has more is active and makes it his.
        self._at: tuple[Any, ...] = (0, 0, self._me) if primary else (-1, 0, "")
        self._theirs: tuple[Any, ...] = (float("inf"),)  # until it is known; () when nobody is there
        self.kept, self._misses, self._turn = (dict[str, Any](), dict[str, Any]()), 0, asyncio.Lock()  # state, answers

    @property
    def active(self) -> bool:
        """Whether this one does what is asked."""
        return self._at > self._theirs or (self._at == self._theirs and self._at[2] == self._me)

    async def run(self) -> None:
        """Serve, or stand by, until the node is closed."""
        await self._node.settle()
        self._node.reply(self._mine)(self._hear)
        self._node.reply(f"{self._mine}.do")(self._once)
        self._node.reply(self._name)(self._answer)
        with suppress(meshmq.ClosedError):
            while True:
                await self._talk(self._beat)

    async def _answer(self, data: Any, request: meshmq.Request) -> Any:
        asked, other, answer = (request.id, data), f"{self._other}.do", None
        while answer is None:
            with suppress(*_LOST):
                answer = await self._once(asked) or await self._node.request(other, asked, timeout=2 * self._beat)
        return answer[0]

    async def _once(self, asked: tuple[str, Any]) -> tuple[Any] | None:
        async with self._turn:
            while self.active:
                if asked[0] not in self.kept[1]:
                    state, answers = copy.deepcopy(self.kept[0]), dict(list(self.kept[1].items())[-999:])
                    answers[asked[0]] = self._do(state, asked[1])
                    self.kept, self._at = (state, answers), (self._at[0], self._at[1] + 1, self._me)
                if self._theirs in (self._at, ()):
                    return (self.kept[1][asked[0]],)
                await asyncio.create_task(self._talk(), context=Context())  # without the deadline of who asks
        return None

    async def _talk(self, pause: float = 0.0) -> None:
        await asyncio.sleep(pause)
        self._at = (self._at[0] + 1, self._at[1], self._me) if self.active and self._at[2] != self._me else self._at
        kept = self.kept if self.active and self._theirs != self._at else None
        try:
            self._theirs, self._misses = await self._node.request(self._other, (self._at, kept), timeout=self._beat), 0
        except _LOST:
            self._misses += 1
            if self._misses == (24 if self.active else 4) and self._at[0] >= 0:
                self._theirs, self._at = (), (self._at[0] + 1, self._at[1], self._me)

    async def _hear(self, said: tuple[Any, Any]) -> Any:
        (self._theirs, kept), self._misses = said, 0
        self._at, self.kept = said if kept and self._theirs > self._at else (self._at, self.kept)
        return self._at


def demo() -> None:
    """Give seats to guests, and lose the primary over it."""
    asyncio.run(_demo(f"primary-backup-{secrets.token_hex(4)}"))


async def _demo(mesh: str) -> None:
    primary, backup, client = (meshmq.AsyncNode(name, mesh=mesh) for name in ("primary", "backup", "client"))
    async with asyncio.TaskGroup() as tasks, primary, backup, client:
        for node, first in ((primary, True), (backup, False)):
            give = PrimaryBackup(node, "seat", lambda had, who: had.setdefault(who, len(had) + 1), primary=first)
            tasks.create_task(give.run())
        for guests in (20, 40):
            given = [await client.request("seat", n, timeout=20, idempotent=True, retries=19) for n in range(guests)]
            await primary.close()
        print(f"{guests} guests have the seats {given[0]} to {given[-1]}; the primary was there for the first 20")


if __name__ == "__main__":
    demo()
