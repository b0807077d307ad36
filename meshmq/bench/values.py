"""The messages of a run: small dicts, bytes, or numpy's arrays; and what a receiver looks at."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Final

from meshmq.bench.work import Work
from meshmq.errors import ConfigError

#: What goes to and fro where no size is given.
SMALL: Final = {"id": 12345, "name": "kitchen", "temp": 21.5, "ok": True}


def value_of(work: Work) -> Any:
    """Return what is sent, with all its bytes in memory."""
    if work.size is None:
        return SMALL
    if work.array:
        import numpy

        return numpy.full(work.size, 120, dtype=numpy.uint8)
    return b"x" * work.size


def check_of(work: Work) -> Callable[[Any], None]:
    """Return what looks at a message as a receiver would."""
    if work.size is None:
        return _check_small
    size = work.size

    def check(data: Any) -> None:
        if len(data) != size:
            raise AssertionError(f"{len(data)} elements are not the {size} that were sent")

    return check


def check_arrays() -> None:
    """Look whether there are arrays.

    Raises:
        ConfigError: numpy is not installed.
    """
    if find_spec("numpy") is None:
        raise ConfigError("arrays are numpy's, which is not installed: pip install 'meshmq[numpy]'")


def view(frame: Any) -> Any:
    """Return a frame as an array, which copies nothing."""
    import numpy

    return numpy.frombuffer(frame, dtype=numpy.uint8)


def _check_small(data: Any) -> None:
    if not isinstance(data, dict) or data["id"] != SMALL["id"]:
        raise AssertionError(f"{data!r} is not what was sent")
