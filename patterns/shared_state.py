"""Share a map that many processes see and change, and that outlives each of them.

*Problem*: settings, seats or members are to be the same in all processes, each of which may change them. Who comes late
needs all of it, who was cut off what it missed, and of two who set one key all must end with the same value.

*How it works*: one process owns the map: it is asked for changes, makes them one by one, and publishes them numbered.
All have a copy, and make in it the change whose turn it is. Who hears of another one fetches the owner's copy::

    writer    set a 1 -->  owner  --> change 7: a 1 -->  all have 7; when the writer has it, its set returns
    newcomer  copy? ---->  owner  --> all up to 7   -->  the newcomer goes on with change 8

Who calls ``own`` is the next owner, with the newest copy of all who answer; they take nothing from older ones any more.
So a ``set`` that returned holds while its writer, or another who has it, is there to answer. One that raised may hold.

*Limits*: without an owner nobody can write: ``leader_election`` tells who is to own. What an owner and a writer do, cut
off or stopped together, is lost when they meet a newer owner; and all is when all are gone. Each change copies the map,
and a copy is one message: have thousands of keys, not millions.

*Run*::

    $ meshmq recipe run shared_state
    two set 50 keys each; a third one comes, and has 100
    the owner goes, the third one owns, the second sets a key: 101
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import meshmq


class SharedState:
    """The map as an open node has it: ``values``, which is not to be changed; a change makes another."""

    def __init__(self, node: meshmq.Node, name: str) -> None:
        self._node, self._name, self._changed = node, name, threading.Condition()
        # An owner is the how many-th it is, and its node; a change, made here or heard of, is its owner and its number.
        self._owner, self._at, self._heard, self.values = (0, ""), ((0, ""), 0), ((0, ""), 0), dict[str, Any]()
        node.topic(name, history=1)
        node.reply(f"{name}.copy")(self._copy)
        node.reply(f"{name}.set")(self._make)
        self._updates = node.subscribe(name, since="last")
        self._updates(self._hear)

    def wait(self, check: Callable[[], object], timeout: float) -> bool:
        """Return whether ``check()``, which is asked after each change, becomes true in time."""
        with self._changed:
            return bool(self._changed.wait_for(check, timeout))

    def set(self, key: str, value: Any, timeout: float = 5.0) -> None:
        """Have a key set everywhere; raises a ``MeshError`` where it may not be, as when the owner died: try again."""
        self.wait(lambda: self._owner[0], timeout)
        at = self._node.request(f"{self._name}.set", {key: value}, to=self._owner[1] or "nobody", timeout=timeout)
        if not self.wait(lambda: self._at >= at, timeout) or self._at[0] != at[0]:
            raise meshmq.TimedOut(f"{key!r} was set by an owner of {self._name!r} that may be no more")

    def own(self) -> None:
        """Be the owner from now on, until another one is."""
        while self._owner[1] != self._node.id or self._at[0] != self._owner:
            claim = self._owner[0] + 1, self._node.id
            said = [self._copy(claim), *(a.data for a in self._node.survey(f"{self._name}.copy", claim) if not a.error)]
            with self._changed:
                self._owner = max([self._owner, *(owner for owner, _, _ in said)])
                if self._owner == claim:
                    _, (_, number), values = max(said, key=lambda copy: copy[1])
                    self._take((claim, number), values)
                    self._node.publish(self._name, (self._at, {}))

    def _copy(self, claim: tuple[int, str]) -> tuple[Any, Any, dict[str, Any]]:
        with self._changed:
            self._owner = max(self._owner, claim)
            return self._owner, self._at, self.values

    def _make(self, change: dict[str, Any]) -> Any:
        with self._changed:
            if self._owner[1] != self._node.id or self._at[0] != self._owner:
                raise RuntimeError(f"{self._name!r} has another owner")
            self._take((self._owner, self._at[1] + 1), {**self.values, **change})
            self._node.publish(self._name, (self._at, change))
            return self._at

    def _take(self, at: Any, values: dict[str, Any]) -> None:
        with self._changed:
            if at > self._at and at[0] >= self._owner:
                self._owner, self._at, self.values = at[0], at, values
                self._changed.notify_all()

    def _hear(self, update: tuple[Any, dict[str, Any]]) -> None:
        (at, change), self._heard = update, max(self._heard, update[0])
        if at == (self._at[0], self._at[1] + 1):
            self._take(at, {**self.values, **change})
        while self._heard > self._at and self._heard[0] >= self._owner and not len(self._updates):
            with suppress(meshmq.TimedOut, meshmq.NoPeersError, meshmq.PeerLost, meshmq.RequestRefused):
                self._take(*self._node.request(f"{self._name}.copy", self._owner, to=self._heard[0][1], timeout=1)[1:])


def demo() -> None:
    """Let two set keys, a third one come, and the owner go."""
    mesh = f"shared-{secrets.token_hex(4)}"
    with meshmq.Node(mesh=mesh) as one, meshmq.Node(mesh=mesh) as two, meshmq.Node(mesh=mesh) as three:
        first, second = SharedState(one, "seats"), SharedState(two, "seats")
        first.own()
        for number in range(100):
            (first, second)[number % 2].set(f"seat {number}", True)
        third = SharedState(three, "seats")
        third.wait(lambda: third.values == second.values, 20)
        print("two set 50 keys each; a third one comes, and has", len(third.values), flush=True)
        one.close()
        third.own()
        second.set("last", True)
        print("the owner goes, the third one owns, the second sets a key:", len(second.values))


if __name__ == "__main__":
    demo()
