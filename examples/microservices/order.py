"""What an order is: a number, by which it is the same order however often it comes, and an article."""

from __future__ import annotations

from typing import Final

ARTICLES: Final = ("apples", "pears", "plums")


def make_order(index: int) -> dict[str, str]:
    """Return the order of this index, for one article after another."""
    return {"number": f"order-{index:03}", "article": ARTICLES[index % len(ARTICLES)]}
