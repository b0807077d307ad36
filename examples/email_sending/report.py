"""What became of the mails, and whether it is what was promised."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from examples.email_sending.mails import is_known


def report(arrived: Iterable[dict[str, Any]], refused: list[tuple[str, str]], ordered: set[str]) -> int:
    """Print it; returns 1 where a promise is broken.

    All that was ordered has ``arrived``, but for what was ``refused``, each with the server's words; what came more
    than once has one Message-ID, and all of its copies but the first are flagged.
    """
    copies = defaultdict[str, list[dict[str, Any]]](list)
    for mail in arrived:
        copies[mail["to"]].append(mail)
    lost = {address for address in ordered if is_known(address)} - set(copies)
    strange = set(copies) - ordered
    twice = [mails for mails in copies.values() if len(mails) > 1]
    unknown = [mails for mails in twice if len({mail["id"] for mail in mails}) > 1 or not all_flagged(mails)]
    wrong = {address for address in ordered if not is_known(address)} ^ {address for address, _ in refused}
    wrong |= {address for address, reason in refused if not (reason.startswith("550") and address in reason)}
    print(f"arrived   {len(copies)}: {len(lost)} lost, {len(strange)} that nobody ordered")
    seen = "some" if twice else "none"
    print(f"twice     {seen}: {len(unknown)} not flagged, or with another Message-ID")
    print(f"refused   {len(refused)}: {len(wrong)} without the server's words, or not to be refused")
    kept = not (lost or strange or unknown or wrong) and len(refused) == len(dict(refused))
    print(f"promises  {'kept' if kept else 'BROKEN'}")
    return 0 if kept else 1


def all_flagged(mails: list[dict[str, Any]]) -> bool:
    """Whether all copies of a mail but the first say that they may be repeats."""
    return all(mail["flagged"] for mail in mails[1:])
