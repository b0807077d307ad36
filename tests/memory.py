"""How much memory this process has."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest


def resident() -> int:
    """Return the bytes of this process that are in memory, after a collection; skip the test where nobody knows."""
    gc.collect()
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        pytest.skip("no /proc/self/statm here: the memory of the process is not known")
    return pages * os.sysconf("SC_PAGE_SIZE")
