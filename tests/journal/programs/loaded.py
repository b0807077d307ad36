"""Four threads keep jobs in a journal and forget them, and say on stdout what they begin and what they were told."""

from __future__ import annotations

import os
import sys
import threading
from itertools import count

from meshmq.core.records import Change, Keep
from meshmq.journal.base import Journal
from meshmq.journal.opening import open_journal
from tests.journal.places import done, job, write


def say(word: str, number: int) -> None:
    os.write(1, f"{word} {number}\n".encode())


def work(journal: Journal, numbers: range) -> None:
    for number in numbers:
        change: Change = Keep(job(number))
        if write(journal, change) is None:
            say("kept", number)
        if number % 3 == 0:
            say("going", number)
            assert write(journal, done(number)) is None
            say("gone", number)


def main() -> None:
    path, first = sys.argv[1], int(sys.argv[2])
    journal = open_journal(path, "shop", sync="normal")
    journal.recover()
    for thread in range(4):
        start = first + thread * 100_000
        threading.Thread(target=work, args=(journal, range(start, start + 100_000))).start()
    for _ in count():
        threading.Event().wait()


if __name__ == "__main__":
    main()
