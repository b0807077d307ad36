"""What holds for every test: nothing outlives it, and it sees no mesh but its own."""

from __future__ import annotations

import gc
import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.leaks import Watch
from tests.scale import STRESS

# Derandomized: the same examples in every run, so that red is the change's fault and not the day's.
hypothesis.settings.register_profile("test", max_examples=50, derandomize=True, deadline=None, database=None)
hypothesis.settings.register_profile("stress", max_examples=500, deadline=None, database=None, print_blob=True)
hypothesis.settings.load_profile("stress" if STRESS else "test")


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in what a shell runs in the background; children inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

FAILED = pytest.StashKey[bool]()
#: Where each test has its runtime directory. Paths are short, for that of a unix socket has at most 107 bytes; and in
#: memory, if possible: on a disk making and removing one takes some milliseconds, for thousands of tests.
SHORT = [place for place in ("/dev/shm", "/tmp") if os.access(place, os.W_OK | os.X_OK)][:1]


def pytest_collection_finish() -> None:
    """Have Python's collector pass over what is there now, and stays: it looked at all of it hundreds of times."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember for the fixtures whether the test has failed."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture(scope="session", autouse=True)
def bytecode_is_kept() -> Iterator[None]:
    """Where bytecode may not lie beside its source, keep it elsewhere: hundreds of children would compile it all."""
    if not sys.dont_write_bytecode:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="mq-bytecode-") as directory, pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        patch.setenv("PYTHONPYCACHEPREFIX", directory)
        yield


@pytest.fixture(autouse=True)
def nothing_outlives_the_test(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test that leaves a thread, a child process or a socket behind."""
    watch = Watch()
    yield
    if request.node.stash.get(FAILED, False):
        watch.left(limit=0)  # its traceback holds all that it had open: end its children and say no more
        return
    left = watch.left()
    assert not left, "left behind by this test:\n  " + "\n  ".join(left)


@pytest.fixture(autouse=True)
def runtime_directory(nothing_outlives_the_test: None) -> Iterator[Path]:
    """Give the test surroundings of its own: loopback only, an empty runtime directory, no ``MESHMQ_*``."""
    directory = Path(tempfile.mkdtemp(prefix="mq-", dir=next(iter(SHORT), None)))
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("MESHMQ_") and name != "MESHMQ_STRESS"]:
            patch.delenv(name)
        patch.setenv("MESHMQ_INTERFACES", "127.0.0.1")
        patch.setenv("MESHMQ_RUNTIME_DIR", str(directory))
        yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def mesh_name() -> str:
    """Name a mesh that no other test, and no other run of this one, has ever used."""
    return f"test-{secrets.token_hex(4)}"
