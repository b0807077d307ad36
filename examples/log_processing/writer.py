"""Writes logs as services do: they grow, are rotated (renamed and made anew), and truncated."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path


class Writer:
    """Log files of some services in a directory, and what was written into them."""

    def __init__(self, directory: Path, services: tuple[str, ...]) -> None:
        self.paths = {service: directory / f"{service}.log" for service in services}
        self._files = {service: path.open("a") for service, path in self.paths.items()}
        self.written: Counter[tuple[str, str]] = Counter()

    def write(self, service: str, level: str, text: str) -> None:
        """Append a line."""
        moment = time.strftime("%Y-%m-%d %H:%M:%S")
        self._files[service].write(f"{moment} {level} {text}\n")
        self._files[service].flush()
        self.written[service, level] += 1

    def rotate(self, service: str) -> None:
        """Rename the file and make it anew."""
        path = self.paths[service]
        self._files[service].close()
        path.rename(path.with_suffix(".log.1"))
        self._files[service] = path.open("a")

    def truncate(self, service: str) -> None:
        """Empty the file, with whatever nobody has read."""
        self._files[service].truncate(0)

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()
