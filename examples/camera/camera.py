"""Publishes so many pictures to the topic "camera.front", 30 in a second, as soon as two viewers are there.

Usage: python camera.py PICTURES
"""

from __future__ import annotations

import sys
import time
from typing import Final

import meshmq
from examples.camera.picture import COLOURS, HEIGHT, WIDTH, draw
from examples.lifeline import lifeline

RATE: Final = 30.0
VIEWERS: Final = 2


def main(pictures: int) -> None:
    node = meshmq.Node()
    node.topic("camera.*", history=1)  # the last picture, for whoever comes later
    with lifeline(node) as over:
        node.wait_for(subscribe="camera.front", count=VIEWERS)
        began, longest = time.monotonic(), 0.0
        for number in range(1, pictures + 1):
            over.wait(max(0.0, began + number / RATE - time.monotonic()))
            picture, at = draw(number), time.monotonic()
            node.publish("camera.front", {"number": number, "of": pictures, "picture": picture})
            longest = max(longest, time.monotonic() - at)
        seconds, size = time.monotonic() - began, f"{WIDTH} x {HEIGHT} x {COLOURS}"
        node.push("made", {"pictures": pictures, "size": size, "seconds": seconds, "longest": longest})


if __name__ == "__main__":
    main(int(sys.argv[1]))
