"""Whether a long body is a few values, all of them there: told from the heads alone, without copying it."""

from __future__ import annotations

from typing import Final

_NODES: Final = 64

#: First byte of a value -> bytes that follow it.
_FIXED: Final = {
    **dict.fromkeys([*range(0x80), *range(0xE0, 0x100), 0xC0, 0xC2, 0xC3], 0),
    **dict(zip(range(0xA0, 0xC0), range(32), strict=True)),
    **dict(zip(range(0xCA, 0xD9), (4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 3, 5, 9, 17), strict=True)),
}
#: First byte -> bytes of the length that follows it, and bytes between that and what is counted (an extension's code).
_COUNTED: Final = {
    **dict(zip(range(0xC4, 0xCA), ((1, 0), (2, 0), (4, 0), (1, 1), (2, 1), (4, 1)), strict=True)),
    **dict(zip(range(0xD9, 0xDC), ((1, 0), (2, 0), (4, 0)), strict=True)),
}
#: First byte of an array or map -> bytes of its length and values per element.
_ARRAYS: Final = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}


def holds_few(body: memoryview) -> bool:
    """Tell whether ``body`` is one whole value made of at most 64; False also where that takes longer to tell."""
    position, left = 0, 1
    for _ in range(_NODES):
        if position >= len(body):
            return False
        head = body[position]
        position += 1
        left -= 1
        if head in _FIXED:
            position += _FIXED[head]
        elif head in _COUNTED:
            width, code = _COUNTED[head]
            position += width + code + int.from_bytes(body[position : position + width], "big")
        elif head in _ARRAYS:
            width, each = _ARRAYS[head]
            left += each * int.from_bytes(body[position : position + width], "big")
            position += width
        elif head < 0xA0:  # fixmap, fixarray
            left += (head & 15) * (1 if head >= 0x90 else 2)
        else:
            return False
        if not left:
            return position == len(body)
    return False
