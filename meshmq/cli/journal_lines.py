"""What a journal keeps <-> lines of JSON, one for each thing: bodies as base64, and as data for people."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any, Final

from meshmq.cli.options import UsageError
from meshmq.cli.plain import to_plain
from meshmq.codecs.msgpack import MsgpackCodec
from meshmq.core.records import (
    Bury,
    Change,
    Claim,
    Forget,
    Keep,
    Letter,
    PushedJob,
    Staged,
    StoredJob,
    StoredMessage,
    Tell,
)
from meshmq.errors import MeshError
from meshmq.fate import ORDINARY, Fate
from meshmq.journal.viewing import Contents
from meshmq.names import check_name, check_queue
from meshmq.wire.batches import ID_BYTES
from meshmq.wire.headers import check_headers

FORMAT: Final = 1

_MOMENT: Final = 0.0
_BODY: Final = MsgpackCodec().encode(None)[0]


def lines(contents: Contents) -> Iterator[dict[str, object]]:
    """Yield what a journal holds, the name of its node first."""
    yield {"journal": {"format": FORMAT, "node": contents.node}}
    for job in contents.kept.jobs:
        yield {"job": job_line(job)}
    for letter in contents.kept.letters:
        yield {"letter": letter_line(letter)}
    for staged in contents.staged:
        yield {"staged": job_line(staged)}
    for (queue, unique), until in contents.kept.claims.items():
        yield {"claim": {"queue": queue, "unique": unique, "until": until}}
    # Those of a topic's newest epoch last, for that is how one knows which it is.
    heads = contents.kept.heads
    for message in sorted(contents.kept.messages, key=lambda one: heads.get(one.topic, (0, 0))[0] == one.epoch):
        yield {"message": _message_line(message)}
    for topic, (epoch, seq) in heads.items():
        yield {"head": {"topic": topic, "epoch": epoch, "seq": seq}}


def job_line(job: PushedJob) -> dict[str, object]:
    """Return a job as an object of JSON; what is as it is with every job is left out."""
    found: dict[str, object] = {"queue": job.queue}
    if isinstance(job, StoredJob):
        found |= {"origin": job.origin.hex(), "number": job.number}
        if job.failures:
            found["failures"] = job.failures
        if job.taken:
            found["taken"] = True
    found |= {"pushed": job.pushed, **_body(job)}
    for name in ("to", "key", "unique", "due"):
        if (value := getattr(job, name)) is not None:
            found[name] = value
    said = {field.name: getattr(job.fate, field.name) for field in fields(Fate)}
    if told := {name: value for name, value in said.items() if value != getattr(ORDINARY, name)}:
        found["fate"] = told
    return found


def letter_line(letter: Letter) -> dict[str, object]:
    """Return a dead letter as an object of JSON."""
    return {**job_line(letter.job), "died": letter.died, "reason": letter.reason}


def data(kept: PushedJob | StoredMessage) -> object:
    """Return what was pushed or published, as JSON can say it."""
    try:
        return to_plain(MsgpackCodec().decode(kept.body, kept.buffers))
    except MeshError as error:  # of a class that is not registered here
        return {"unreadable": str(error)}


def read_changes(found: Iterable[tuple[int, object]]) -> Iterator[Change | Staged]:
    """Yield what makes a journal hold what the numbered lines say.

    Raises:
        UsageError: a line is none of ours.
    """
    told: set[str] = set()
    for number, line in found:
        try:
            if not isinstance(line, dict) or len(line) != 1:
                raise ValueError("it is no object with one key")
            ((kind, said),) = line.items()
            if kind == "job":
                yield Keep(_job(said))
            elif kind == "letter":
                yield Bury(Letter(_job(said), str(said["reason"]), float(said["died"])))
            elif kind == "staged":
                yield _staged(said)
            elif kind == "claim":
                yield Claim(check_name("queue", said["queue"]), str(said["unique"]), float(said["until"]))
            elif kind == "message":
                message = _message(said)
                told.add(message.topic)
                yield Tell(message)
            elif kind == "head":
                topic, seq = check_name("topic", said["topic"]), int(said["seq"])
                if topic not in told:  # nothing of it is kept, but how far it is
                    yield Tell(StoredMessage(topic, int(said["epoch"]), seq, _BODY, _MOMENT))
                    yield Forget(topic, seq + 1)
            elif kind != "journal":
                raise ValueError(f"{kind!r} is nothing that a journal keeps")
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UsageError(f"line {number} is not what `meshmq journal export` writes: {error}") from None


def _body(kept: PushedJob | StoredMessage) -> dict[str, object]:
    found: dict[str, object] = {"data": data(kept), "body": base64.b64encode(kept.body).decode()}
    if kept.buffers:
        found["buffers"] = [base64.b64encode(buffer).decode() for buffer in kept.buffers]
    if kept.headers:
        found["headers"] = dict(kept.headers)
    return found


def _message_line(message: StoredMessage) -> dict[str, object]:
    found = {"topic": message.topic, "epoch": message.epoch, "seq": message.seq, "published": message.published}
    return {**found, **_body(message)}


def _read_body(said: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "body": base64.b64decode(said["body"], validate=True),
        "buffers": tuple(base64.b64decode(buffer, validate=True) for buffer in said.get("buffers", ())),
        "headers": check_headers(said.get("headers")),
    }


def _shared(said: Mapping[str, Any]) -> dict[str, Any]:
    fate = dict(said.get("fate", {}))
    if isinstance(fate.get("backoff"), list):
        fate["backoff"] = tuple(fate["backoff"])
    texts = {name: None if said.get(name) is None else str(said[name]) for name in ("to", "key", "unique")}
    due = said.get("due")
    return {
        "queue": check_queue(said["queue"]),
        "pushed": float(said["pushed"]),
        "fate": Fate(**fate),
        "due": None if due is None else float(due),
        **texts,
        **_read_body(said),
    }


def _job(said: Mapping[str, Any]) -> StoredJob:
    origin = bytes.fromhex(said["origin"])
    if len(origin) != ID_BYTES:
        raise ValueError("its origin is none")
    return StoredJob(
        origin=origin, number=int(said["number"]), failures=int(said.get("failures", 0)),
        taken=bool(said.get("taken", False)), **_shared(said),
    )  # fmt: skip


def _staged(said: Mapping[str, Any]) -> Staged:
    return Staged(row=0, **_shared(said))


def _message(said: Mapping[str, Any]) -> StoredMessage:
    return StoredMessage(
        topic=check_name("topic", said["topic"]), epoch=int(said["epoch"]), seq=int(said["seq"]),
        published=float(said["published"]), **_read_body(said),
    )  # fmt: skip
