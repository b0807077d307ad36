"""A mail server that puts off one mail of five, knows not every address, and once is slow to answer.

Usage: python server.py DIRECTORY
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from email import message_from_bytes
from pathlib import Path
from typing import Any, Final

from aiosmtpd.smtp import SMTP, Envelope, Session

from examples.email_sending.mails import PUT_OFF, SENDER_DIES, is_known, port_file, written

HOST: Final = "127.0.0.1"


class Post:
    """What the server answers; each mail that it takes is a line of ``arrived``."""

    def __init__(self, directory: Path) -> None:
        self._arrived, self._held = directory / "arrived", directory / "held"
        self._offered = 0

    async def handle_RCPT(  # noqa: N802  # aiosmtpd calls it so
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        """Answer to the address of a mail."""
        if not is_known(address):
            return f"550 5.1.1 {address}: nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # as above
        """Answer to a mail; once only when it is too late: who sent it is gone by then."""
        self._offered += 1
        if self._offered % PUT_OFF == 0:
            return "451 4.3.2 busy: try again later"
        assert isinstance(envelope.content, bytes)  # as decode_data= is not given
        letter = message_from_bytes(envelope.content)
        mail = {"id": letter["Message-ID"], "to": letter["To"], "flagged": letter["X-Repeat"] == "maybe"}
        with self._arrived.open("a") as file:
            file.write(f"{json.dumps(mail)}\n")
        if not self._held.exists() and len(written(self._arrived)) >= SENDER_DIES:
            self._held.write_text(f"{session.host_name}\n")
            await asyncio.Event().wait()  # cancelled with the connection
        return "250 OK"


async def main(directory: Path) -> None:
    loop, post = asyncio.get_running_loop(), Post(directory)
    server = await loop.create_server(lambda: SMTP(post, hostname="mail.example", loop=loop), HOST, 0)
    new = directory / "port.new"
    new.write_text(str(server.sockets[0].getsockname()[1]))
    new.rename(port_file(directory))
    async with server:
        while await asyncio.to_thread(os.read, sys.stdin.fileno(), 1024):  # its end is ours, see lifeline.py
            pass


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
