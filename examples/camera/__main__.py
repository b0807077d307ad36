"""A camera, a viewer that is fast and one that is slow: each sees the newest picture, and harms nobody.

Usage: python examples/camera [SECONDS]
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

sys.path.append(str(Path(__file__).resolve().parents[2]))  # examples.* are there

import meshmq
from examples.crew import Crew

RATE: Final = 30
VIEWERS: Final = {"fast": 0.0, "slow": 0.25}
LIMIT: Final = 20.0


def main(seconds: float = 1.5) -> None:
    if find_spec("numpy") is None:
        sys.exit("pictures are numpy arrays, and numpy is not installed: python -m pip install numpy")
    with (
        Crew(Path(__file__).resolve().parent) as crew,
        meshmq.Node("desk") as desk,
        desk.pull("looks") as looks,
        desk.pull("made") as made,
    ):
        for name, looking in VIEWERS.items():
            crew.start("viewer", name, looking)
        crew.start("camera", "camera", round(seconds * RATE))
        print(
            f"{RATE} pictures in a second; fast takes each at once, slow looks for {VIEWERS['slow']:g} s:", flush=True
        )
        seen = watch(looks)
        camera = made.receive(LIMIT).data
    print(
        f"camera  {camera['pictures']} pictures of {camera['size']} in {camera['seconds']:.1f} s; "
        f"publishing one took {camera['longest'] * 1e3:.1f} ms at most"
    )
    for name, every in seen.items():
        skipped, oldest = sum(look["skipped"] for look in every), max(look["age"] for look in every)
        print(f"{name}    saw {len(every)}, skipped {skipped}; the oldest was {oldest * 1e3:.0f} ms old")


def watch(looks: meshmq.Receiver[meshmq.Message]) -> dict[str, list[dict[str, Any]]]:
    """Say what the slow one sees; returns what each saw, when both have seen the last picture."""
    seen: dict[str, list[dict[str, Any]]] = {name: [] for name in VIEWERS}
    while not all(every and every[-1]["last"] for every in seen.values()):
        look = looks.receive(LIMIT).data
        seen[look["by"]].append(look)
        if look["by"] == "slow":
            age, skipped = look["age"] * 1e3, look["skipped"]
            print(f"slow    picture {look['number']}, {age:.0f} ms old, {skipped} skipped", flush=True)
    return seen


if __name__ == "__main__":
    try:
        main(*map(float, sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
