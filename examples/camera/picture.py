"""Pictures as a camera makes them: 640 x 480 pixels of three colours, with a bright bar that moves."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT, COLOURS = 640, 480, 3
BAR: Final = 8

Picture = npt.NDArray[np.uint8]


def draw(number: int) -> Picture:
    """Return picture ``number``: the bar is so many bar's widths from the left."""
    picture = np.full((HEIGHT, WIDTH, COLOURS), 40, np.uint8)
    left = number * BAR % WIDTH
    picture[:, left : left + BAR] = 255
    return picture


def find_bar(picture: Picture) -> int:
    """Return where the bar is, in bar's widths from the left.

    Raises:
        ValueError: there is not exactly one bar, from top to bottom: the picture is torn.
    """
    bright = (picture == 255).all(axis=2)
    columns = np.flatnonzero(bright.any(axis=0))
    if picture.shape != (HEIGHT, WIDTH, COLOURS) or len(columns) != BAR or not bright[:, columns].all():
        raise ValueError(f"a torn picture of {picture.shape} with {len(columns)} bright columns")
    return int(columns[0]) // BAR
