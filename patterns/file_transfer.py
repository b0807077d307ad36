"""Bring a file of any size from one node to another, whoever is killed meanwhile, and know that it is the same.

*Problem*: a model, a video, a backup of many gigabytes is needed on other machines. It does not fit into memory,
somebody dies half way, and what begins at 0 each time never ends. What arrives must be what was there.

*How it works*: a file comes as a stream, whose credits keep the sender a few pieces ahead of the receiver's disk and
no more. A receiver that loses its sender, or is started again, asks anybody who offers the file, and tells how much
it has and the digest (BLAKE2b) of that; where the file begins with the same bytes, it is sent from there. The target
appears at once and whole, when all is there and has the right digest::

    fetch model                     --> from 0, piece, piece, piece ...    model.part, 1.5 MiB
    fetch model, 1.5 MiB are 51af   --> from 1.5 MiB, piece, piece ...     model

*Limits*: ``patience`` has to be longer than reading the file for its digest takes. A file written to while it is sent
is noticed and not delivered: replace files. One ``fetch`` of a target at a time; its part stays until it is whole.

*Run*::

    $ meshmq recipe run file_transfer
    both end after 4 of 16 pieces, others go on: 16 came, the same: True
"""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import meshmq

PIECE = 256 * 1024


class FileTransfer:
    """``FileTransfer(node, service).offer(folder)`` at the sender, ``.fetch(name, target)`` at the receiver."""

    def __init__(self, node: meshmq.Node, service: str) -> None:
        self._node, self._service = node, service

    def offer(self, folder: Path) -> None:
        """Offer the files in ``folder``, and below, until the node closes."""

        @self._node.reply(self._service)
        def send(asked: list[Any]) -> Iterator[Any]:
            path = (folder / asked[0]).resolve()
            if not (path.is_relative_to(folder.resolve()) and path.is_file()):
                raise FileNotFoundError(f"{asked[0]!r} is not offered")
            with path.open("rb") as file:
                start = asked[1] if asked[2] == _digest(file, asked[1]) else 0
                yield start, _digest(file)
                size = file.tell()
                for place in range(file.seek(start), size, PIECE):
                    yield file.read(min(PIECE, size - place))

    def fetch(self, name: str, target: Path, patience: float = 10, told: Callable[[int], object] = int) -> None:
        """Fetch a file to ``target``, from where an earlier call was ended; ``told(bytes)`` after each piece.

        Raises:
            MeshError, RuntimeError: it is not offered, no piece came for ``patience`` seconds; it was written to.
        """
        moved, part = time.monotonic(), target.with_name(f"{target.name}.part")
        with part.open("a+b") as file:
            while True:
                asked = [name, file.seek(0, os.SEEK_END), _digest(file)]
                try:
                    with self._node.stream(self._service, asked, timeout=patience) as pieces:
                        start, digest = next(pieces)
                        file.truncate(start)
                        for piece in pieces:
                            file.write(piece)
                            moved = time.monotonic()
                            told(file.tell())
                    break
                except (meshmq.PeerLost, meshmq.RemoteError) as error:  # the sender has gone, or it says no
                    if getattr(error, "kind", "Unanswered") != "Unanswered" or time.monotonic() - moved > patience:
                        raise
            if _digest(file) != digest:
                raise RuntimeError(f"{name!r} was written to while it was sent: fetch it again")
            os.fsync(file.fileno())
        part.replace(target)


def _digest(file: BinaryIO, size: int = 2**63) -> bytes:
    digest = hashlib.blake2b(digest_size=32)
    file.seek(0)
    while piece := file.read(min(PIECE, size - file.tell())):
        digest.update(piece)
    return digest.digest()


def demo() -> None:
    """Have a receiver end and a sender leave half way, and others go on."""
    mesh, told = f"files-{secrets.token_hex(4)}", list[int]()

    def tell(done: int) -> None:
        told.append(done)
        if len(told) == 4:
            raise KeyboardInterrupt

    with tempfile.TemporaryDirectory() as name, meshmq.Node("receiver", mesh=mesh) as node:
        folder, files = Path(name), FileTransfer(node, "files")
        (folder / "model").write_bytes(model := secrets.token_bytes(16 * PIECE))
        with suppress(KeyboardInterrupt), meshmq.Node("one", mesh=mesh) as one:
            FileTransfer(one, "files").offer(folder)
            files.fetch("model", folder / "copy", told=tell)
        with meshmq.Node("two", mesh=mesh) as two:
            FileTransfer(two, "files").offer(folder)
            files.fetch("model", folder / "copy", told=tell)
        came, same = len(told), (folder / "copy").read_bytes() == model
        print(f"both end after 4 of 16 pieces, others go on: {came} came, the same: {same}")


if __name__ == "__main__":
    demo()
