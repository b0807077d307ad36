"""Moments: when the next of several things is due."""

from __future__ import annotations


def earliest(*moments: float | None) -> float | None:
    """Return the first of those that are known, ``None`` where none is."""
    first: float | None = None
    for moment in moments:
        if moment is not None and (first is None or moment < first):
            first = moment
    return first
