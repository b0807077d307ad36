"""A simulated disk: the journal of one place, which outlives every node there, and commits a little late."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Final

from meshmq.core.ledger import Told
from meshmq.core.participant import Participant
from meshmq.core.records import Change, Claim, Keep, Recovered, Tell
from meshmq.errors import JournalError
from meshmq.journal.memory import MemoryStore
from meshmq.recording import _recovered, _shifted
from meshmq.testing.local_clock import WallClock
from meshmq.testing.simulated_node import SimulatedNode
from meshmq.testing.simulation import Simulation

#: A commit takes so long; what comes meanwhile is committed together.
COMMIT_LEAST, COMMIT_MOST = 0.0002, 0.03
#: When a full disk is tried again.
AGAIN: Final = 1.0


class Disk:
    """Takes changes in order; a crash loses what was not committed, all of it or from some change on.

    While it is ``full`` who waits for something to be kept is told so, and what says that something is over waits.
    """

    def __init__(self, sim: Simulation, wall: WallClock | None = None) -> None:
        self._sim = sim
        #: The wall clock of its machine.
        self.wall = wall or WallClock(lambda: sim.now)
        self.store = MemoryStore(self.wall)
        self.full = False
        self._node: SimulatedNode | None = None
        #: What is to be written, and when something was before: all of it happened since.
        self._waiting: deque[tuple[float, list[Change], Told | None]] = deque()
        self._given_at = 0.0
        self._due: float | None = None
        #: How many groups of changes a crash has lost.
        self.lost = 0

    def __repr__(self) -> str:
        return f"<Disk {'full, ' if self.full else ''}{len(self._waiting)} waiting>"

    def open(self, node: SimulatedNode, participant: Participant) -> Recovered:
        """Give a new incarnation what is kept, and keep what it has from now on."""
        self._node = node
        found = self.store.recover()
        store = partial(self._write, node)
        participant.recover(_recovered(found, -self._to_wall(node)), store, node.moment)
        return found

    def crash(self) -> float:
        """Lose what was not committed, from some change on; returns a moment before which everything was."""
        before = self._waiting[0][0] if self._waiting else self._given_at
        kept = self._sim.lies.randint(0, len(self._waiting))
        for _, changes, _ in list(self._waiting)[:kept]:
            self.store.commit(changes)
        self.lost += len(self._waiting) - kept
        self._waiting.clear()
        self._node = None
        return before

    def close(self) -> None:
        """Write what is left, as a node does that is closed."""
        while self._waiting and not self.full:
            self.store.commit(self._waiting.popleft()[1])

    def _to_wall(self, node: SimulatedNode) -> float:
        return self.wall() - node.clock.at(self._sim.now)

    def _write(self, node: SimulatedNode, changes: Sequence[Change], told: Told | None) -> None:
        if node is self._node:
            shift = self._to_wall(node)
            self._waiting.append((self._given_at, [_shifted(change, shift) for change in changes], told))
            self._given_at = self._sim.now
            self._plan(self._sim.lies.uniform(COMMIT_LEAST, COMMIT_MOST))

    def _plan(self, seconds: float) -> None:
        moment = self._sim.now + seconds
        if self._due is None or moment < self._due:  # a full disk is tried again with the next change, too
            self._due = moment
            self._sim.at(moment, lambda: self._commit() if self._due == moment else None)

    def _commit(self) -> None:
        self._due = None
        groups, self._waiting = self._waiting, deque()
        for since, changes, told in groups:
            error = JournalError("the simulated disk is full", "full") if self.full else None
            if error is None:
                self.store.commit(changes)
            else:
                late = [one for one in changes if told is None or not isinstance(one, Keep | Tell | Claim)]
                self._waiting.append((since, late, None))
            if told is not None and self._node is not None:
                what = f"is told by its disk: {error or 'written'}"
                self._sim.enter(self._node, what, partial(_tell, told, error))
        if self._waiting:
            self._plan(AGAIN)


def _tell(told: Told, error: JournalError | None, _: object, now: float) -> None:
    told(error, now)
