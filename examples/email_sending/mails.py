"""Which mails there are, which addresses nobody has, and where the mail server is."""

from __future__ import annotations

from pathlib import Path
from typing import Final

MAILS: Final = 60
#: After so many the shop is killed, a sender, and the mail server.
SHOP_DIES, SENDER_DIES, SERVER_DIES = 20, 15, 40
#: Of so many mails the server puts one off.
PUT_OFF: Final = 5


def address_of(number: int) -> str:
    """Return who ordered; some have mistyped their address."""
    return f"{'nobody' if number % 20 == 7 else 'customer'}-{number:02}@example.org"


def is_known(address: str) -> bool:
    """Whether somebody has the address."""
    return not address.startswith("nobody")


def port_file(directory: Path) -> Path:
    """Return the file with the mail server's port; without a server there is none."""
    return directory / "port"


def written(path: Path) -> list[str]:
    """Return the lines of a file, without one that is being written."""
    return path.read_text().split("\n")[:-1] if path.exists() else []
