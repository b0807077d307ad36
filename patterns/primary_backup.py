"""Have a second server hold the same state, and go on with it when the first one is gone.

*Problem*: a server keeps something: stock, bookings, a counter. When it dies, what it has answered has to hold, callers
go on with another one, and nothing may be done twice because an answer got lost.

*How it works*: one of two is active and serves the name. It does what is asked on a copy of the state and sends that to
the other one; when that one has it, it answers::

    client  --- request --->  active   --- the state with this change --->  passive
            <--- answer ----           <-------------- got it ------------

Clients ask with ``idempotent=True, retries=19``: what comes again is known by its id. Who hears nothing of the other
goes on alone, a passive one after ``takeover`` seconds, an active one after twice that: so not when it was stopped.

*Limits*: the state, a dict, travels whole, in less than an eighth of ``takeover``; ``do`` is quick. When the network
parts the two, both serve; on meeting again the one that has changed less takes the state of the other and gives up its
own. Where that must not be, have three decide by ``leader_election``. What one did alone is lost when it goes, too.

*Run*::

    $ meshmq recipe run primary_backup
    20 guests have the seats 1 to 20
    without the primary 40 have the seats 1 to 40
"""

from __future__ import annotations

import asyncio
import copy
import secrets
from collections.abc import Callable
from contextvars import Context
from typing import Any

import meshmq

_Do = Callable[[dict[str, Any], Any], Any]


class PrimaryBackup:
    """One of the two servers of ``name``; ``do(state, data)`` may change the state and returns the answer."""

    def __init__(self, node: meshmq.AsyncNode, name: str, do: _Do, *, primary: bool, takeover: float = 1.0) -> None:
        self._node, self._name, self._do, self._beat, self._me = node, name, do, takeover / 8, secrets.token_hex(8)
        self._mine, self._other = (f"{name}.{'primary' if role else 'backup'}" for role in (primary, not primary))
        # How often one went on alone, how many changes there were, and who made the last: who has more is ahead.
        self._at: tuple[Any, ...] = (0, 0, self._me) if primary else (-1, 0, "")
        self._theirs: tuple[Any, ...] = (float("inf"),)  # until it is known; () when nobody is there
        #: The state, and the last answers by request: to be read only.
        self.kept, self._misses = (dict[str, Any](), dict[str, Any]()), 0

    @property
    def active(self) -> bool:
        """Whether this one serves the name."""
        return self._at > self._theirs or (self._at == self._theirs and self._at[2] == self._me)

    async def run(self) -> None:
        """Serve, or stand by, until cancelled."""
        await self._node.settle()
        async with self._node.reply(self._mine) as other:
            other(self._hear)
            while True:
                while not self.active:
                    await self._talk(self._beat)
                async with self._node.reply(self._name, concurrency=1) as clients:
                    clients(self._answer)
                    while self.active:
                        await self._talk(self._beat)

    async def _answer(self, data: Any, request: meshmq.Request) -> Any:
        state, answers = copy.deepcopy(self.kept)
        if self.active and request.id not in answers:
            answers[request.id] = self._do(state, data)
            self.kept = state, dict(list(answers.items())[-100:])
            self._at = self._at[0], self._at[1] + 1, self._me
        mine = self.kept
        while self.active and self.kept is mine:
            if self._theirs in (self._at, ()):
                return answers[request.id]
            await asyncio.create_task(self._talk(), context=Context())  # without the deadline of who asks
        raise RuntimeError("the other server is ahead: ask again")

    async def _talk(self, pause: float = 0.0) -> None:
        await asyncio.sleep(pause)
        kept = self.kept if self.active and self._theirs != self._at else None
        try:
            self._theirs, self._misses = await self._node.request(self._other, (self._at, kept), timeout=self._beat), 0
        except (meshmq.PeerLost, meshmq.TimedOut, meshmq.NoPeersError, meshmq.RequestRefused):
            self._misses += 1
            if self._misses == (24 if self.active else 4) and self._at[0] >= 0:
                self._theirs, self._at = (), (self._at[0] + 1, self._at[1], self._me)

    async def _hear(self, said: tuple[Any, Any]) -> Any:
        (self._theirs, kept), self._misses = said, 0
        if kept is not None and self._theirs > self._at:
            self._at, self.kept = said
        return self._at


def demo() -> None:
    """Give seats to guests, and lose the primary over it."""
    asyncio.run(_demo(f"primary-backup-{secrets.token_hex(4)}"))


async def _demo(mesh: str) -> None:
    primary, backup, client = (meshmq.AsyncNode(name, mesh=mesh) for name in ("primary", "backup", "client"))
    seats = client.service("seat", timeout=20, idempotent=True, retries=39)
    async with primary, backup, client:
        tasks = []
        for node, first in ((primary, True), (backup, False)):
            server = PrimaryBackup(node, "seat", lambda had, guest: had.setdefault(guest, len(had) + 1), primary=first)
            tasks.append(asyncio.create_task(server.run()))
        for text, guests in (("20 guests have", 20), ("without the primary 40 have", 40)):
            given = [await seats.request(f"guest {number}") for number in range(guests)]
            print(f"{text} the seats {given[0]} to {given[-1]}", flush=True)
            tasks.pop(0).cancel()


if __name__ == "__main__":
    demo()
