"""Dead letters, as their pusher sees them: what they were, why they are dead, and another life."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Protocol

from meshmq.codecs.base import Codec
from meshmq.core.feed.groups import SEQ_HEADER, TOPIC_HEADER
from meshmq.core.feed.patterns import matches
from meshmq.core.outbox import Outbox
from meshmq.core.participant import Participant
from meshmq.core.records import Letter
from meshmq.errors import ConfigError, DecodeError
from meshmq.links.engine import Engine
from meshmq.names import GROUP, check_name, check_pattern, counted


class DeadLetter:
    """A job that failed too often, or that a worker rejected or could not read. It is not tried again by itself."""

    def __init__(self, letter: Letter, codec: Codec, wall: float) -> None:
        self._letter, self._codec = letter, codec
        #: What the wall clock shows when the node's own shows 0.
        self._wall = wall

    def __repr__(self) -> str:
        return f"<DeadLetter {self.id} of {self.queue!r}: {self.reason}>"

    @property
    def queue(self) -> str:
        """The queue it was pushed to; that of a group of subscribers begins with ``#``."""
        return self._letter.job.queue

    @property
    def topic(self) -> str:
        """The topic it was published to; "" where it was pushed."""
        return _topic(self._letter)

    @property
    def id(self) -> str:
        """The job's identity, as workers saw it."""
        return identity(self._letter)

    @property
    def data(self) -> Any:
        """What was pushed, decoded anew at each call.

        Raises:
            DecodeError: it cannot be decoded in this process: what it holds is not registered here.
        """
        return self._codec.decode(self._letter.job.body, self._letter.job.buffers)

    @property
    def headers(self) -> dict[str, str]:
        """What was sent beside the data."""
        headers = dict(self._letter.job.headers or {})
        if self.queue.startswith(GROUP):
            headers.pop(TOPIC_HEADER, None)
            headers.pop(SEQ_HEADER, None)
        return headers

    @property
    def key(self) -> str | None:
        """Its key, if it was given one."""
        return self._letter.job.key

    @property
    def reason(self) -> str:
        """Why it is dead: how often it failed, and what the last failure was."""
        return self._letter.reason

    @property
    def failures(self) -> int:
        """How often it has failed."""
        return self._letter.job.failures

    @property
    def pushed(self) -> datetime:
        """When it was pushed (UTC)."""
        return datetime.fromtimestamp(self._letter.job.pushed + self._wall, UTC)

    @property
    def died(self) -> datetime:
        """When it became a dead letter (UTC)."""
        return datetime.fromtimestamp(self._letter.died + self._wall, UTC)


class Holds(Protocol):
    """The node whose dead letters they are."""

    _codec: Codec
    _wall: Callable[[], float]

    def _opened(self) -> tuple[Engine, Participant]: ...


class DeadLetters:
    """The dead letters of one queue on one node, the oldest first. No call waits.

    Those of a topic, or pattern, are what groups of its subscribers could not do.
    """

    def __init__(self, node: Holds, queue: str = "", *, topic: str = "") -> None:
        self._node, self.queue, self.topic = node, queue, topic
        self._name = queue or topic

    def __repr__(self) -> str:
        return f"<{counted(len(self), 'dead letter')} of {self._name!r}>"

    def __len__(self) -> int:
        return len(self._by_id())

    def __iter__(self) -> Iterator[DeadLetter]:
        return iter(self.list())

    def list(self) -> list[DeadLetter]:
        """Return them all."""
        return [self._view(letter) for _, _, letter in self._by_id().values()]

    def show(self, letter: str) -> DeadLetter:
        """Return one, by its id.

        Raises:
            ConfigError: there is none of that id.
        """
        ((_, _, found),) = self._chosen((letter,)).values()
        return self._view(found)

    def retry(self, *ids: str) -> int:
        """Push them again, all where no id is given: each with its own id, as a repeat, its failures forgotten.

        Returns how many.

        Raises:
            ConfigError: there is none of one of these ids; none is pushed.
        """
        return self._act(ids, retry=True)

    def drop(self, *ids: str) -> int:
        """Forget them, all where no id is given; returns how many.

        Raises:
            ConfigError: there is none of one of these ids; none is dropped.
        """
        return self._act(ids, retry=False)

    def _view(self, letter: Letter) -> DeadLetter:
        engine, _ = self._node._opened()
        return DeadLetter(letter, self._node._codec, self._node._wall() - engine.now())

    def _act(self, ids: tuple[str, ...], *, retry: bool) -> int:
        engine, participant = self._node._opened()
        with engine.gate:
            engine.check()
            chosen = self._chosen(ids) if ids else self._by_id()
            for queue, number, _ in chosen.values():
                if retry:
                    participant.retry(queue, number, engine.now())
                else:
                    participant.drop_letter(queue, number, engine.now())
            engine.flush()
        return len(chosen)

    def _chosen(self, ids: tuple[str, ...]) -> dict[str, tuple[str, int, Letter]]:
        letters = self._by_id()
        missing = [one for one in ids if one not in letters]
        if missing:
            here = f"{counted(len(letters), 'dead letter')} of {self._name!r} here"
            raise ConfigError(f"there is no dead letter {missing[0]!r}; {here}")
        return {one: letters[one] for one in ids}

    def _by_id(self) -> dict[str, tuple[str, int, Letter]]:
        found = ((box.queue, *one) for box in self._outboxes() for one in list(box.dead.letters.items()))
        return {
            identity(letter): (queue, number, letter)
            for queue, number, letter in found
            if self.queue or matches(self.topic, _topic(letter))
        }

    def _outboxes(self) -> Iterator[Outbox]:
        outboxes = self._node._opened()[1].outboxes.copy()
        if self.queue:
            return (outboxes[queue] for queue in (self.queue,) if queue in outboxes)
        return (box for queue, box in outboxes.items() if queue.startswith(GROUP))


def identity(letter: Letter) -> str:
    """Return the id of a job as users see it."""
    return f"{letter.job.origin.hex()}-{letter.job.number:x}"


def _topic(letter: Letter) -> str:
    headers = letter.job.headers or {}
    return headers.get(TOPIC_HEADER, "") if letter.job.queue.startswith(GROUP) else ""


def answer(node: Holds, asked: object) -> dict[str, Any]:
    """Return what a node answers to who asks after its dead letters from elsewhere, with ``{"queue", "do", "ids"}``.

    In the place of the queue there may be a topic, or a pattern of topics (``"topic"``).

    Raises:
        ConfigError: what is asked cannot be done here.
    """
    wanted = asked if isinstance(asked, dict) else {}
    queue, do, ids = wanted.get("queue"), wanted.get("do"), wanted.get("ids", [])
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
        raise ConfigError("ids of dead letters are a list of texts")
    if (topic := wanted.get("topic")) is not None:
        letters = DeadLetters(node, topic=check_pattern(topic))
    else:
        letters = DeadLetters(node, check_name("queue", queue))
    here = letters._by_id()
    mine = [one for one in ids if one in here]
    if do == "list":
        chosen = set(ids)
        return {"letters": [_told(one) for one in letters.list() if not ids or one.id in chosen]}
    if do == "show":
        return {"letters": [_told(one) | {"data": _data(one)} for one in map(letters.show, mine)]}
    if do in ("retry", "drop") and (mine or not ids):
        return {"done": letters.retry(*mine) if do == "retry" else letters.drop(*mine)}
    if do in ("retry", "drop"):
        return {"done": 0}
    raise ConfigError(f"with dead letters nobody can {do!r}: list, show, retry or drop them")


def _told(letter: DeadLetter) -> dict[str, Any]:
    job = letter._letter.job
    return {
        "id": letter.id,
        "queue": letter.queue,
        "topic": letter.topic,
        "reason": letter.reason,
        "failures": letter.failures,
        "pushed": letter.pushed,
        "died": letter.died,
        "key": letter.key,
        "headers": letter.headers,
        "bytes": len(job.body) + sum(map(len, job.buffers)),
    }


def _data(letter: DeadLetter) -> Any:
    try:
        return letter.data
    except DecodeError as error:
        return f"(cannot be decoded: {error})"
