"""The private directory: where it is, and what is refused."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from meshmq.discovery.same_host import SameHost, runtime_directory
from meshmq.errors import LinkError

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a directory to another user")


def test_environment_names_it(runtime_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHMQ_RUNTIME_DIR", str(runtime_directory / "deep" / "inside"))
    assert _directory() == runtime_directory / "deep" / "inside"


def test_a_relative_name_becomes_absolute(runtime_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(runtime_directory)
    monkeypatch.setenv("MESHMQ_RUNTIME_DIR", "here")
    assert _directory() == runtime_directory / "here"


def test_next_comes_the_directory_of_the_session(runtime_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MESHMQ_RUNTIME_DIR")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime_directory))
    assert _directory() == runtime_directory / "meshmq"


def test_last_comes_the_directory_for_temporary_files(runtime_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _use_temporary(monkeypatch, runtime_directory)
    assert _directory() == runtime_directory / f"meshmq-{os.geteuid()}"


@needs_root
def test_session_of_another_user_is_passed_over(runtime_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = runtime_directory / "session"
    session.mkdir()
    os.chown(session, 12345, 12345)
    _use_temporary(monkeypatch, runtime_directory)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(session))
    assert _directory() == runtime_directory / f"meshmq-{os.geteuid()}"


def test_a_session_that_is_gone_is_passed_over(runtime_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _use_temporary(monkeypatch, runtime_directory)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime_directory / "gone"))
    assert _directory() == runtime_directory / f"meshmq-{os.geteuid()}"


def test_it_is_made_for_its_user_alone(runtime_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHMQ_RUNTIME_DIR", str(runtime_directory / "new"))
    before = os.umask(0)
    try:
        made = _directory()
    finally:
        os.umask(before)
    assert stat.S_IMODE(made.stat().st_mode) == 0o700


def test_a_symbolic_link_is_refused(runtime_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (runtime_directory / "real").mkdir(mode=0o700)
    (runtime_directory / "link").symlink_to("real")
    with pytest.raises(LinkError, match="is a symbolic link"):
        _directory(monkeypatch, runtime_directory / "link")


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701, 0o777])
def test_one_that_others_can_reach_is_refused(
    mode: int, runtime_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (open_one := runtime_directory / "open").mkdir()
    open_one.chmod(mode)
    with pytest.raises(LinkError, match=f"chmod 700 {open_one}"):
        _directory(monkeypatch, open_one)


@needs_root
def test_one_of_another_user_is_refused(runtime_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (theirs := runtime_directory / "theirs").mkdir(mode=0o700)
    os.chown(theirs, 12345, 12345)
    with pytest.raises(LinkError, match="belongs to user 12345"):
        _directory(monkeypatch, theirs)


def test_one_that_others_can_replace_is_refused(runtime_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (shared := runtime_directory / "shared").mkdir()
    shared.chmod(0o777)
    with pytest.raises(LinkError, match=r"anybody can replace what is in .*chmod \+t"):
        _directory(monkeypatch, shared / "mine")
    shared.chmod(0o1777)
    assert _directory(monkeypatch, shared / "mine") == shared / "mine"


def test_a_file_in_its_place_is_refused(runtime_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (runtime_directory / "file").touch()
    with pytest.raises(LinkError, match="is a file: remove it, or set MESHMQ_RUNTIME_DIR"):
        _directory(monkeypatch, runtime_directory / "file")


def test_an_attack_on_the_directory_of_the_mesh_is_refused(runtime_directory: Path) -> None:
    node = SameHost("home", bytes(16))
    (mesh := Path(node.endpoint("control").removeprefix("ipc://")).parent)
    node.close()
    (runtime_directory / "elsewhere").mkdir()
    mesh.symlink_to(runtime_directory / "elsewhere")
    with pytest.raises(LinkError, match="is a symbolic link"):
        SameHost("home", bytes(16)).endpoint("control")


def test_sockets_fit_below_a_path_that_is_too_long(runtime_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = runtime_directory / ("x" * 200)
    long.mkdir()
    _use_temporary(monkeypatch, long)
    node = SameHost("home", bytes(16))
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(node.endpoint("control").removeprefix("ipc://"))
        short = _directory()
        assert short.parent == Path("/tmp")
        assert stat.S_IMODE(short.stat().st_mode) == 0o700
        assert not any(long.iterdir())
    finally:
        node.close()
    short.rmdir()


def test_the_longest_path_that_is_kept_holds_sockets(runtime_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit itself: one byte less than what is replaced, and the longest name of a socket."""
    lengths = range(60, 100)
    kept = []
    for length in lengths:
        wanted = runtime_directory / ("y" * (length - len(str(runtime_directory)) - 1))
        if _directory(monkeypatch, wanted) == wanted:
            kept.append(wanted)
        else:
            _directory().rmdir()
    longest = kept[-1]
    assert len(kept) == len(str(longest)) - 59
    (longest / "01234567").mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(longest / "01234567" / "0123456789abcdef-99.c"))


def _directory(monkeypatch: pytest.MonkeyPatch | None = None, named: Path | None = None) -> Path:
    if monkeypatch is not None:
        monkeypatch.setenv("MESHMQ_RUNTIME_DIR", str(named))
    return runtime_directory()


def _use_temporary(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    monkeypatch.delenv("MESHMQ_RUNTIME_DIR")
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(directory))
