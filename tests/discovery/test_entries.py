"""The moments between creating an entry and holding its lock, each brought about on purpose."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from meshmq.discovery import entries
from meshmq.discovery.same_host import SameHost
from meshmq.errors import LinkError
from tests.discovery.neighbours import Ear, announcement, files

Between = Callable[[Path], None]


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch, runtime_directory: Path) -> list[Between]:
    """What somebody else does, once each, just before an entry is locked by its owner."""
    others: list[Between] = []
    flock = fcntl.flock

    def interleaved(descriptor: int, operation: int) -> None:
        if operation & fcntl.LOCK_EX and others:
            others.pop(0)(next(runtime_directory.rglob("*.new")))
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", interleaved)
    return others


def test_somebody_looks_at_a_fresh_entry(between: list[Between], mesh_name: str, runtime_directory: Path) -> None:
    """Who looks holds a shared lock and will delete the entry, as late as it likes: the owner goes elsewhere."""
    lookers = []

    def look(entry: Path) -> None:
        lookers.append(descriptor := os.open(entry, os.O_RDONLY))
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)

    between.append(look)
    ours = announcement(mesh=mesh_name)
    node = SameHost(mesh_name, ours.node_id)
    stem = ours.node_id.hex()[:16]
    assert node.endpoint("control").endswith(f"{stem}-1.c")
    assert files(runtime_directory) == [f"{stem}-1.new", f"{stem}.new"]
    os.close(lookers[0])
    node.start(ours, Ear())
    assert files(runtime_directory) == [f"{stem}-1.lock"], "the entry that was left behind is cleared away"
    node.close()


def test_somebody_deletes_a_fresh_entry(between: list[Between], mesh_name: str, runtime_directory: Path) -> None:
    between.append(Path.unlink)
    node = SameHost(mesh_name, secrets.token_bytes(16))
    assert node.endpoint("control").endswith("-1.c")
    assert [name[-6:] for name in files(runtime_directory)] == ["-1.new"]
    node.close()


def test_somebody_puts_another_file_in_its_place(between: list[Between], mesh_name: str) -> None:
    def replace(entry: Path) -> None:
        other = entry.with_suffix(".other")
        other.touch()
        other.rename(entry)

    between.append(replace)
    node = SameHost(mesh_name, secrets.token_bytes(16))
    assert node.endpoint("control").endswith("-1.c")
    node.close()


def test_somebody_removes_the_empty_directory(mesh_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A closing neighbour removes the mesh's directory before our first file is in it: it is made again."""
    taken: list[Path] = []
    take = entries.take

    def late(path: Path, node_id: bytes) -> int | None:
        if not taken:
            path.parent.rmdir()
        taken.append(path)
        return take(path, node_id)

    monkeypatch.setattr("meshmq.discovery.same_host.take", late)
    node = SameHost(mesh_name, secrets.token_bytes(16))
    assert node.endpoint("control").endswith("-1.c")
    node.close()


def test_when_everything_is_deleted_at_once_it_gives_up_with_a_word(between: list[Between], mesh_name: str) -> None:
    between += [Path.unlink] * 100
    with pytest.raises(LinkError, match=r"no free entry in .* after 100 attempts"):
        SameHost(mesh_name, secrets.token_bytes(16)).endpoint("control")


def test_a_disk_that_cannot_lock_is_named(mesh_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(LinkError, match=r"cannot hold locked files .*: set MESHMQ_RUNTIME_DIR"):
        SameHost(mesh_name, secrets.token_bytes(16)).endpoint("control")


def test_who_looks_late_at_a_closed_entry_deletes_nothing(runtime_directory: Path) -> None:
    """An entry was opened while its owner lived; the owner closes, and another takes the same name."""
    name = runtime_directory / f"{'0' * 16}.lock"
    first = entries.take(name, bytes(16))
    assert first is not None
    looker = os.open(name, os.O_RDONLY)
    entries.give_back(first, name)
    second = entries.take(name, bytes(16))
    assert second is not None
    fcntl.flock(looker, fcntl.LOCK_SH | fcntl.LOCK_NB)
    assert os.fstat(looker).st_nlink == 0, "which is how the looker knows"
    assert list(entries.living(runtime_directory)) == [("0" * 16, bytes(16))]
    os.close(looker)
    entries.give_back(second, name)


def test_links_and_pipes_in_the_directory_are_not_followed(runtime_directory: Path) -> None:
    (runtime_directory / "precious").write_text("text")
    (runtime_directory / f"{'1' * 16}.lock").symlink_to("precious")
    os.mkfifo(runtime_directory / f"{'2' * 16}.lock")
    assert list(entries.living(runtime_directory)) == []
    assert (runtime_directory / "precious").read_text() == "text"
