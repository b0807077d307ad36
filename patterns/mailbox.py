"""Keep jobs on disk between who pushes today and leaves, and who pulls tomorrow.

*Problem*: a program has something to say and ends: a script, a laptop, a sensor that goes back to sleep. Those who
are to do it are not here yet, and the two are never here together. No pusher should need a disk, and stay, for that.

*How it works*: a small node with a journal stays. It pulls the pushers' queue and pushes each job, durably, into
another one. A pusher's job is confirmed when it is on the mailbox's disk, and the pusher leaves; the mailbox forgets
it when who pulls the other queue has confirmed it. Killed and started again it has all of it, and nobody has to
know::

    writer --> letters --> [ mailbox, its journal ] --> letters.kept --> reader
    today                                                              tomorrow

Pushers use ``letters``, pullers ``letters.kept``. In a shell: ``meshmq mailbox letters --journal letters.db``.

*Limits*: one job after the other goes to disk, so that they stay in order: some 1,000 a second. What waits is in the
mailbox's memory, too; it is full at ``Settings(outbox_jobs=, outbox_bytes=)``, and then pushers keep what they have.
A restart flags all that was in it as possible repeats. What a pusher says of its job (``ttl=``, ``max_attempts=``)
ends at the mailbox: give it as options to ``keep``. Who pulls ``letters`` itself shares it with the mailbox. One
mailbox has one disk: several for one queue share the jobs, and what is on a disk that is lost is lost.

*Run*::

    $ meshmq recipe run mailbox
    the writer has left: 3 letters are in the box, and nobody has read one
    the mailbox goes, and comes again: 3 letters are in the box
    the reader comes: hello from Ada, how are you from Ada, goodbye from Ada
    when the reader has gone: 0 letters are in the box
"""

from __future__ import annotations

import secrets
import tempfile
from typing import Any

import meshmq


def keep(node: meshmq.Node, queue: str, to: str = "", **options: Any) -> None:
    """Have ``node``, which has a name and a journal, keep the jobs of ``queue`` for who pulls ``to``.

    That is ``<queue>.kept`` where it is not said; ``options`` are as for ``push``. Who sent a job first stands in its
    header ``from-sender``.
    """

    @node.pull(queue)
    def take(data: Any, message: meshmq.Message) -> None:
        headers = {"from-sender": message.sender, **message.headers}
        message.push(to or f"{queue}.kept", data, headers=headers, **{**options, "durable": True})


def demo() -> None:
    """Have a writer leave before the reader comes, and a mailbox go in between."""
    mesh = f"mailbox-{secrets.token_hex(4)}"

    def opened() -> meshmq.Node:
        box = meshmq.Node("box", mesh=mesh, journal=f"{place}/letters.db", settings=meshmq.Settings(patience=1e9))
        keep(box, "letters")
        return box.open()

    def waiting(box: meshmq.Node) -> str:
        return f"{box.queue('letters.kept').depth} letters are in the box"

    with tempfile.TemporaryDirectory() as place:
        with opened() as box:
            with meshmq.Node("Ada", mesh=mesh) as writer:
                for letter in ("hello", "how are you", "goodbye"):
                    writer.push("letters", letter)
            print(f"the writer has left: {waiting(box)}, and nobody has read one", flush=True)
        with opened() as box:
            print(f"the mailbox goes, and comes again: {waiting(box)}", flush=True)
            with meshmq.Node("reader", mesh=mesh) as reader, reader.pull("letters.kept") as letters:
                read = [letters.receive(timeout=20) for _ in range(3)]
                read[-1].ack()
                said = ", ".join(f"{letter.data} from {letter.headers['from-sender']}" for letter in read)
                print(f"the reader comes: {said}", flush=True)
                box.flush(timeout=20)
            print(f"when the reader has gone: {waiting(box)}", flush=True)


if __name__ == "__main__":
    demo()
