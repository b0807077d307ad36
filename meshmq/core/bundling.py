"""Which calls that wait go together in one message: the first, and the small ones that follow it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from meshmq.wire.bundles import pack_bundle
from meshmq.wire.frames import Kind

#: Of one bundle; a frame of so many bytes is small, still.
MOST: Final = 256
MOST_BYTES: Final = 32 * 1024


def next_of(calls: deque[tuple[Kind, Sequence[bytes]]]) -> tuple[Kind, Sequence[bytes], int]:
    """Take from the calls that wait what goes next; returns also how many bytes of them that is."""
    kind, frames = calls.popleft()
    size = sum(map(len, frames))
    if not calls or len(frames) > 1:
        return kind, frames, size
    entries = [(kind, frames[0])]
    while calls and len(entries) < MOST:
        another, frames_after = calls[0]
        if len(frames_after) > 1 or size + len(frames_after[0]) > MOST_BYTES:
            break
        calls.popleft()
        entries.append((another, frames_after[0]))
        size += len(frames_after[0])
    if len(entries) == 1:
        return kind, frames, size
    return Kind.BUNDLE, (pack_bundle(entries),), size
