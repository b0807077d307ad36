"""Every kind of links, for the tests of what they have in common: one row each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from meshmq.links.security import derive
from meshmq.testing import MemoryNetwork
from tests.links.ends import End, free_ports, zmq_end
from tests.links.maker import Make

SECRET = "a secret of the contract tests"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(params=["memory", "tcp", "ipc", "guarded", "tcp with a secret", "ipc with a secret"])
def make(request: pytest.FixtureRequest, runtime_directory: Path, stack: ExitStack) -> Make:
    network = stack.enter_context(MemoryNetwork())
    keys = derive(SECRET) if "secret" in request.param else None

    def memory(name: str, port: int | None) -> End:
        return End(network.links(name))

    def ipc(name: str, port: int | None) -> End:
        return zmq_end(ipc=runtime_directory / name, tcp=(), keys=keys)

    def tcp(name: str, port: int | None) -> End:
        return zmq_end(port=port, keys=keys, guarded=keys is not None or request.param == "guarded")

    open_one = memory if request.param == "memory" else ipc if "ipc" in request.param else tcp
    return Make(stack, open_one, lambda: free_ports(stack))
