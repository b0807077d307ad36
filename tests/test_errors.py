"""Errors: the tree is as drawn, and each carries its facts to wherever it is raised again."""

from __future__ import annotations

import ast
import builtins
import copy
import pickle
import re

import pytest

from meshmq import errors
from meshmq.errors import (
    AmbiguousPeer,
    EncodeError,
    ForkedError,
    JournalError,
    MeshError,
    MessageTooLarge,
    NameInvalid,
    PeerLost,
    RemoteError,
    RequestRefused,
    TimedOut,
    Undelivered,
)
from tests.architecture import sources

CLASSES = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, BaseException) and kind.__module__ == errors.__name__
}

#: Errors that no user meets, each with where it ends.
INSIDE = {
    "Refused": "codecs: gathers the way to a bad value while it rises; ends as EncodeError",
    "CannotRun": "cli: ends a pull whose command cannot be run; a MeshError, so that it is told in one sentence",
    "RulesInvalid": "routing: carries all mistakes of a file to `meshmq route`, which ends with exit code 2",
    "UsageError": "cli: ends a command that was given the wrong words, with exit code 2",
    "VersionMismatch": "wire: carries the other end's version to the participant, which refuses the peer",
}
#: A failed assertion is no error of ours.
BUILTIN = {name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)}
BUILTIN -= {"AssertionError"}


def drawn() -> dict[str, list[str]]:
    """Return each error of the docstring's tree with its parents, the first by its place, the others as written."""
    tree: dict[str, list[str]] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := re.fullmatch(r"    ([│├└─ ]*)(\w+)(?: \(([\w, ]+)\))?(?: {2,}\S.*)?", line):
            depth = len(found[1]) // 4
            above[depth:] = [found[2]]
            tree[found[2]] = [above[depth - 1] if depth else "Exception", *(found[3] or "").split(", ")]
    return {name: [parent for parent in parents if parent] for name, parents in tree.items()}


def test_tree_of_errors_is_as_drawn() -> None:
    assert drawn() == {name: [base.__name__ for base in kind.__bases__] for name, kind in CLASSES.items()}


def test_every_error_has_the_one_root_and_says_what_it_means() -> None:
    assert all(issubclass(kind, MeshError) and kind.__doc__ for kind in CLASSES.values())


def test_errors_are_defined_in_one_place() -> None:
    strays = [
        f"{source.path}:{node.lineno} defines {node.name}: errors stand in meshmq/errors.py, in its tree"
        for source in sources("meshmq")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef) and source.module != errors.__name__ and node.name not in INSIDE
        if {ast.unparse(base).split(".")[-1] for base in node.bases} & ({*CLASSES, *BUILTIN})
    ]
    assert strays == []


@pytest.mark.parametrize(
    ("kind", "builtin"), [(TimedOut, TimeoutError), (NameInvalid, ValueError), (errors.LinkError, OSError)]
)
def test_who_catches_the_builtin_catches_ours(kind: type[MeshError], builtin: type[Exception]) -> None:
    with pytest.raises(builtin, match="so it is"):
        raise kind("so it is")


def test_encode_error_names_the_place() -> None:
    assert EncodeError("no", 'data["a"][3]').path == 'data["a"][3]'
    assert EncodeError("no").path == "data"


def test_message_too_large_says_how_large_and_what_to_do() -> None:
    error = MessageTooLarge(2_000_000, 1_000_000)
    assert (error.size, error.limit) == (2_000_000, 1_000_000)
    assert "2,000,000 bytes" in str(error)
    assert "message_bytes" in str(error)


def test_undelivered_counts_what_is_left() -> None:
    error = Undelivered({"jobs": (3, 4), "audit": (0, 1_000)})
    assert (error.unsent, error.unconfirmed) == (3, 1_004)
    assert "3 jobs were not sent and 1,004 not confirmed in 'audit', 'jobs'" in str(error)


def test_one_job_is_no_jobs() -> None:
    assert str(Undelivered({"jobs": (1, 0)})).startswith("1 job was not sent and 0 not confirmed in 'jobs': ")
    assert str(Undelivered({"jobs": (0, 1)})).startswith("0 jobs were not sent and 1 not confirmed in 'jobs': ")


def test_remote_error_is_one_readable_sentence() -> None:
    error = RemoteError("ValueError", "no such camera", "Traceback ...", "camera")
    assert str(error) == "ValueError on camera: no such camera"
    assert str(RemoteError("KeyboardInterrupt", "")) == "KeyboardInterrupt on a peer"


def test_undelivered_keeps_its_own_copy() -> None:
    queues = {"jobs": (1, 0)}
    error = Undelivered(queues)
    queues.clear()
    assert error.queues == {"jobs": (1, 0)}


@pytest.mark.parametrize(
    "error",
    [
        ForkedError("create the Node in the child process"),
        EncodeError("a set", "data[0]"),
        MessageTooLarge(2, 1),
        Undelivered({"jobs": (1, 2)}),
        AmbiguousPeer("camera", ("00ff", "11ff")),
        PeerLost("'add' was with camera, which is gone", may_have_run=False),
        RequestRefused("camera has no room for 'add'", "overloaded"),
        RemoteError("ValueError", "no such camera", "Traceback ...", "camera"),
        JournalError("the disk of 'orders.db' is full", "full"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_error_comes_whole_out_of_another_process(error: MeshError) -> None:
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is type(error)
        assert str(twin) == str(error)
        assert vars(twin) == vars(error)
