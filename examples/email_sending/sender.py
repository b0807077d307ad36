"""Sends mails by SMTP: what the server puts off comes again later, what it refuses for good is a dead letter.

Usage: python sender.py DIRECTORY
"""

from __future__ import annotations

import smtplib
import sys
from email.message import EmailMessage
from pathlib import Path
from typing import Final

import meshmq
from examples.email_sending.mails import port_file
from examples.lifeline import lifeline

HOST: Final = "shop.example"


def main(directory: Path) -> None:
    node = meshmq.Node()

    @node.pull("mails")
    def send(mail: dict[str, str], message: meshmq.Message) -> None:
        letter = EmailMessage()
        letter["From"], letter["To"], letter["Subject"] = f"orders@{HOST}", mail["to"], mail["subject"]
        letter["Message-ID"] = f"<{message.id}@{HOST}>"  # the job's, so a repeat has that of the first
        if message.redelivered:
            letter["X-Repeat"] = "maybe"
        letter.set_content("It is on its way.")
        try:
            port = int(port_file(directory).read_text())
            with smtplib.SMTP("127.0.0.1", port, local_hostname=node.name, timeout=20) as server:
                server.send_message(letter)
        except (smtplib.SMTPException, OSError) as error:
            code, words = answer_of(error)
            if code >= 500:
                message.reject(reason=f"{code} {words}")
            else:
                message.nack(reason=words)

    with lifeline(node):
        node.run()


def answer_of(error: Exception) -> tuple[int, str]:
    """Return what the server answered, as code and text; 0 and the error where it did not answer."""
    words: bytes | str
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        ((code, words),) = error.recipients.values()  # each mail has one recipient
    elif isinstance(error, smtplib.SMTPResponseException):
        code, words = error.smtp_code, error.smtp_error
    else:
        code, words = 0, f"{type(error).__name__}: {error}"
    return code, words if isinstance(words, str) else words.decode(errors="replace")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
