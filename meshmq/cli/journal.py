"""``meshmq journal``: look into what a node keeps on disk, write it out, read it in."""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from meshmq.cli.options import UsageError, add_shared, node, queue
from meshmq.cli.plain import to_line
from meshmq.cli.terminal import line, span, table, words
from meshmq.cli.values import parse
from meshmq.errors import JournalError, MeshError
from meshmq.names import counted

if TYPE_CHECKING:
    from meshmq.core.records import Change, Letter, PushedJob, Staged, StoredJob
    from meshmq.journal.viewing import Contents

#: Changes in one transaction of an import.
CHUNK: Final = 1_000

_EPILOG: Final = """\
FILE is what a node was given as journal=. "show" and "export" change nothing, and may look while a node
has it; "import" has it alone. What "import" is given is as "export" writes it: a line of JSON for each job,
dead letter and message; what is there already, by its id, is replaced.

examples:
  meshmq journal show orders.db
  meshmq journal show orders.db --queue orders --json
  meshmq journal export orders.db > jobs.jsonl
  meshmq journal import other.db < jobs.jsonl
"""


def add_arguments(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "journal",
        help="what a node keeps on disk",
        description="Show, export and import journals.",
        epilog=_EPILOG,
        mixed=False,
    )
    add_shared(parser, place="after")
    actions = parser.add_subparsers(metavar="show | export | import", required=True)
    for name, does, action in (
        ("show", "what is in it", _show),
        ("export", "write all of it as lines of JSON", _export),
        ("import", "read such lines from stdin", _import),
    ):
        example = f"example:\n  meshmq journal {name} orders.db\n"
        one = actions.add_parser(name, help=does, description=f"Journals: {does}.", epilog=example)
        one.add_argument("file", type=Path, metavar="FILE", help="the journal")
        if name == "show":
            one.add_argument("--queue", type=queue, metavar="QUEUE", help="the jobs of one queue, with their data")
            one.add_argument("--json", action="store_true", help="for programs")
        if name == "import":
            whose = "whose journal it is to be (default: as the lines say)"
            one.add_argument("--name", type=node, default=argparse.SUPPRESS, help=whose)
        one.set_defaults(run=action)


def _show(arguments: argparse.Namespace) -> int:
    from meshmq.journal.viewing import contents

    found = contents(arguments.file)
    if arguments.queue is not None:
        _show_queue(found, arguments.queue, as_json=arguments.json)
    elif arguments.json:
        line(json.dumps(_summary(found)))
    else:
        _show_tables(arguments.file, found)
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from meshmq.cli.journal_lines import lines
    from meshmq.journal.viewing import contents

    found = contents(arguments.file)
    for one in lines(found):
        line(to_line(one))
    if found.aside:
        words(f"{counted(len(found.aside), 'row')} set aside and not exported: meshmq journal show {arguments.file}")
    return 0


def _import(arguments: argparse.Namespace) -> int:
    from meshmq.cli.journal_lines import read_changes
    from meshmq.core.records import Staged
    from meshmq.journal.sqlite import SqliteStore
    from meshmq.journal.writer import Writer

    if sys.stdin.isatty():
        words("reading what `meshmq journal export` wrote, until Ctrl-D")
    read = [(number, parse(text, f"line {number}")) for number, text in enumerate(sys.stdin.buffer, 1) if text.strip()]
    changes = list(read_changes(read))  # all of them are read before the first is written
    store = SqliteStore(arguments.file, _node(arguments, read))
    journal = Writer(store)
    try:
        journal.recover()
        staged = [one for one in changes if isinstance(one, Staged)]
        kept: list[Change] = [one for one in changes if not isinstance(one, Staged)]
        store.stage(staged)
        for start in range(0, len(kept), CHUNK):
            _write(journal, kept[start : start + CHUNK])
    finally:
        journal.close()
    words(f"{counted(sum('journal' not in one for _, one in read if isinstance(one, dict)), 'line')} imported")
    return 0


def _node(arguments: argparse.Namespace, read: Sequence[tuple[int, object]]) -> str:
    if arguments.name:
        return str(arguments.name)
    first = read[0][1] if read else None
    said = first.get("journal") if isinstance(first, dict) else None
    if not isinstance(said, dict) or not isinstance(said.get("node"), str):
        raise UsageError("the first line does not say whose journal it was: say it with --name")
    return str(said["node"])


def _write(journal: Any, changes: Sequence[Change]) -> None:
    told = threading.Event()
    errors: list[JournalError] = []

    def done(error: JournalError | None) -> None:
        if error is not None:
            errors.append(error)
        told.set()

    journal.write(changes, done)
    told.wait()
    if errors:
        raise errors[0]


class _Queue(NamedTuple):
    jobs: list[StoredJob]
    letters: list[Letter]
    staged: list[Staged]

    def summary(self, name: str) -> dict[str, Any]:
        every: list[PushedJob] = [*self.jobs, *(letter.job for letter in self.letters), *self.staged]
        return {
            "queue": name,
            "jobs": len(self.jobs),
            "dead": len(self.letters),
            "staged": len(self.staged),
            "bytes": sum(len(job.body) + sum(map(len, job.buffers)) for job in every),
            "oldest": min(job.pushed for job in every),
        }


def _queues(found: Contents) -> dict[str, _Queue]:
    queues: defaultdict[str, _Queue] = defaultdict(lambda: _Queue([], [], []))
    for job in found.kept.jobs:
        queues[job.queue].jobs.append(job)
    for letter in found.kept.letters:
        queues[letter.job.queue].letters.append(letter)
    for staged in found.staged:
        queues[staged.queue].staged.append(staged)
    return dict(sorted(queues.items()))


def _summary(found: Contents) -> dict[str, Any]:
    messages = defaultdict(list)
    for message in found.kept.messages:
        messages[message.topic].append(message)
    return {
        "node": found.node,
        "queues": [queue.summary(name) for name, queue in _queues(found).items()],
        "topics": [
            {
                "topic": topic,
                "kept": len(messages[topic]),
                "last": last,
                "bytes": sum(len(one.body) + sum(map(len, one.buffers)) for one in messages[topic]),
                "oldest": min((one.published for one in messages[topic]), default=None),
            }
            for topic, (_, last) in sorted(found.kept.heads.items())
        ],
        "aside": [{"table": place, "row": row, "reason": why} for place, row, why in found.aside],
    }


def _show_tables(path: Path, found: Contents) -> None:
    now, summary = time.time(), _summary(found)
    words(f"{path} is the journal of node {found.node}")
    parts = []
    rows = [_row(now, queue, ("queue", "jobs", "dead", "staged", "bytes", "oldest")) for queue in summary["queues"]]
    parts.append(table(("QUEUE", "JOBS", "DEAD", "STAGED", "BYTES", "OLDEST"), rows))
    if found.kept.letters:
        letters = [
            [one.job.queue, _id(one.job), f"{one.job.failures}", _age(now, one.died), one.reason]
            for one in found.kept.letters
        ]
        parts.append(table(("DEAD IN", "ID", "FAILURES", "SINCE", "REASON"), letters))
    if summary["topics"]:
        rows = [_row(now, topic, ("topic", "kept", "last", "bytes", "oldest")) for topic in summary["topics"]]
        parts.append(table(("TOPIC", "KEPT", "LAST", "BYTES", "OLDEST"), rows))
    if found.aside:
        aside = [[place, str(row), why] for place, row, why in found.aside]
        parts.append(table(("SET ASIDE IN", "ROW", "REASON"), aside))
    line("\n\n".join(parts))


def _show_queue(found: Contents, name: str, *, as_json: bool) -> None:
    from meshmq.cli.journal_lines import data, job_line, letter_line

    queues = _queues(found)
    if name not in queues:
        known = ", ".join(queues) or "no queue at all"
        raise MeshError(f"nothing of queue {name!r} is in the journal; there is: {known}")
    jobs, letters, staged = queues[name]
    if as_json:
        for job in jobs:
            line(to_line({"state": "job", **job_line(job)}))
        for letter in letters:
            line(to_line({"state": "dead", **letter_line(letter)}))
        for one in staged:
            line(to_line({"state": "staged", **job_line(one)}))
        return
    now = time.time()
    rows = [[_id(job), "job", _age(now, job.pushed), f"{job.failures}", to_line(data(job))] for job in jobs]
    for letter in letters:
        job = letter.job
        rows.append([_id(job), f"dead: {letter.reason}", _age(now, job.pushed), f"{job.failures}", to_line(data(job))])
    rows += [[f"row {one.row}", "staged", _age(now, one.pushed), "0", to_line(data(one))] for one in staged]
    line(table(("ID", "STATE", "AGE", "FAILURES", "DATA"), rows))


def _row(now: float, of: dict[str, Any], names: Sequence[str]) -> list[str]:
    first, *counts, oldest = names
    return [of[first], *(f"{of[name]:,}" for name in counts), _age(now, of[oldest])]


def _id(job: StoredJob) -> str:
    return f"{job.origin.hex()}-{job.number:x}"  # as message.id


def _age(now: float, moment: float | None) -> str:
    return "" if moment is None else span(max(0.0, now - moment))
