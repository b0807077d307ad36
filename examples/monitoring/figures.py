"""What this machine, and one process of it, are doing: figures that cost next to nothing to read."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

MIB: Final = 1 << 20


def measure(process: int | None = None) -> dict[str, float]:
    """Return load per core, memory and disk in use in percent, and the memory of a process in MiB.

    What this system does not tell, or not of a process that is gone, is left out.
    """
    figures = {"load": 100 * os.getloadavg()[0] / (os.cpu_count() or 1)}
    with suppress(OSError, KeyError):
        figures["memory"] = memory_used(Path("/proc/meminfo").read_text())
    disk = shutil.disk_usage("/")
    figures["disk"] = 100 * disk.used / disk.total
    if process is not None:
        with suppress(OSError):
            resident = int(Path(f"/proc/{process}/statm").read_text().split()[1])
            figures["process"] = resident * os.sysconf("SC_PAGESIZE") / MIB
    return figures


def memory_used(meminfo: str) -> float:
    """Return how many percent of the memory no program could have, as ``/proc/meminfo`` tells.

    Raises:
        KeyError: it does not tell.
    """
    lines = (line.split() for line in meminfo.splitlines())
    sizes = {words[0]: int(words[1]) for words in lines if len(words) > 1}
    return 100 * (1 - sizes["MemAvailable:"] / sizes["MemTotal:"])
