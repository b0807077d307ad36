"""The door between a node and its journal: threads on one side, the node's lock and clock on the other."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from meshmq.core.ledger import Told
from meshmq.core.participant import Participant
from meshmq.core.records import Bury, Change, Claim, Failed, Keep, Letter, Recovered, Staged, StoredJob, Tell
from meshmq.errors import JournalError
from meshmq.journal.base import Journal
from meshmq.links.engine import Engine
from meshmq.settings import Settings

_logger: Final = logging.getLogger("meshmq.journal")


class Recorder:
    """Gives the journal what the node has to keep, and the node what the journal holds or has done."""

    def __init__(self, path: str | os.PathLike[str], node: str, settings: Settings) -> None:
        from meshmq.journal.opening import open_journal  # with SQLite, which a node without a journal does not need

        self.path = os.fspath(path)
        self._engine: Engine | None = None
        self._participant: Participant | None = None
        #: Whether the node is there, or will not be any more.
        self._open = threading.Event()
        self._journal: Journal = open_journal(path, node, sync=settings.journal_sync, staged=self._staged)
        try:
            self._found: Recovered | None = self._journal.recover()
        except BaseException:
            self._journal.close(0)
            raise

    def __repr__(self) -> str:
        return f"<Recorder of {self._journal!r}>"

    def open(self, engine: Engine, participant: Participant) -> None:
        """Give the node back what it had, and keep what it has from now on; inside the gate."""
        self._engine, self._participant = engine, participant
        found, self._found = self._found, None
        assert found is not None
        participant.recover(_recovered(found, -self._to_wall()), self._store, engine.now())
        self._open.set()

    def close(self, timeout: float) -> None:
        """Have written what is left; what is not in time stays as it was, and what was done may be done again."""
        self._open.set()
        if not self._journal.close(timeout):
            _logger.error("the journal '%s' was not written to its end: what was done may be done again", self.path)

    def look(self) -> None:
        """Look for what users' own transactions have left, at once."""
        self._journal.look()

    def _to_wall(self) -> float:
        """Return what the wall clock shows when the node's own shows 0."""
        assert self._engine is not None
        return time.time() - self._engine.now()

    def _store(self, changes: Sequence[Change], told: Told | None) -> None:
        shift = self._to_wall()
        self._journal.write([_shifted(change, shift) for change in changes], told and partial(self._tell, told))

    def _tell(self, told: Told, error: JournalError | None) -> None:
        engine = self._engine
        assert engine is not None
        engine.post(lambda: told(error, engine.now()))

    # -- what users' own transactions push ----------------------------------------------------------

    def _staged(self, rows: Sequence[Staged]) -> None:
        """Push what was left in the journal's file, in the node's next step."""
        self._open.wait()
        engine, participant = self._engine, self._participant
        if engine is None or participant is None:
            return
        shift = self._to_wall()
        fresh = [replace(row, due=None if row.due is None else row.due - shift) for row in rows]
        engine.post(lambda: participant.push_staged(fresh, engine.now()))


def _recovered(found: Recovered, by: float) -> Recovered:
    return replace(
        found,
        jobs=[_job(job, by) for job in found.jobs],
        letters=[_letter(letter, by) for letter in found.letters],
        claims={key: until + by for key, until in found.claims.items()},
        messages=[replace(message, published=message.published + by) for message in found.messages],
    )


def _shifted(change: Change, by: float) -> Change:
    """Return a change whose moments are those of another clock."""
    if isinstance(change, Keep):
        return replace(change, job=_job(change.job, by))
    if isinstance(change, Bury):
        return Bury(_letter(change.letter, by))
    if isinstance(change, Failed):
        return replace(change, due=None if change.due is None else change.due + by)
    if isinstance(change, Claim):
        return replace(change, until=change.until + by)
    if isinstance(change, Tell):
        return Tell(replace(change.message, published=change.message.published + by))
    return change


def _job(job: StoredJob, by: float) -> StoredJob:
    return replace(job, pushed=job.pushed + by, due=None if job.due is None else job.due + by)


def _letter(letter: Letter, by: float) -> Letter:
    return replace(letter, job=_job(letter.job, by), died=letter.died + by)
