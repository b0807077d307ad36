"""Each test here is a coroutine and runs on both faces: one in memory, one over ipc; crosswise under stress."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator

import pytest

from meshmq.testing import Network
from tests.faces.stage import Face, Stage


@pytest.fixture(
    params=[
        "blocking-ipc",
        "aio-memory",
        pytest.param("blocking-memory", marks=pytest.mark.stress),
        pytest.param("aio-ipc", marks=pytest.mark.stress),
    ]
)
def stage(request: pytest.FixtureRequest, mesh_name: str) -> Iterator[Stage]:
    """Where the nodes of a test meet."""
    face: Face = "blocking" if request.param.startswith("blocking") else "aio"
    if request.param.endswith("ipc"):
        yield Stage(face, None, mesh_name)
    else:
        with Network() as network:
            yield Stage(face, network, mesh_name)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine, and close its stage in the same loop."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}

    async def run() -> None:
        try:
            await pyfuncitem.obj(**arguments)
        finally:
            for argument in arguments.values():
                if isinstance(argument, Stage):
                    await argument.close()

    asyncio.run(run())
    return True
