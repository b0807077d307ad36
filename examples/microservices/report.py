"""What became of the orders, and whether it is what was promised."""

from __future__ import annotations

from collections import Counter

from examples.microservices.client import Answer
from examples.microservices.order import ARTICLES


def report(answers: list[Answer], told: dict[str, str], left: dict[str, int], invoices: set[str], most: int) -> int:
    """Print it; returns 1 where a promise is broken: of each article ``most`` are sold, each sale has its invoice."""
    accepted = {answer.number for answer in answers if answer.outcome == "accepted"}
    outcomes, events = Counter(answer.outcome for answer in answers), Counter(told.values())
    sold = Counter(answer.article for answer in answers if answer.outcome == "accepted")
    kept = invoices == accepted and all(sold[article] == most and left[article] == 0 for article in ARTICLES)
    rows = {
        "answers": f"{len(answers)}: {outcomes['accepted']} accepted, {outcomes['sold out']} sold out",
        "sold": ", ".join(f"{sold[article]} {article}" for article in ARTICLES),
        "left": ", ".join(f"{left[article]} {article}" for article in ARTICLES),
        "invoices": f"{len(invoices)}: {len(accepted - invoices)} missing, {len(invoices - accepted)} too many",
        "events": f"{len(told)}: {events['accepted']} accepted, {events['refused']} refused",
        "slowest": f"{max(answer.seconds for answer in answers):.2f} s from order to answer",
        "promises": "kept" if kept else "BROKEN",
    }
    for label, words in rows.items():
        print(f"{label:<9} {words}")
    return 0 if kept else 1
