"""Whoever serves for another machine begins what it may, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest

from meshmq.bench.far import Host
from meshmq.bench.kinds import mesh, plain
from meshmq.bench.work import Work
from meshmq.errors import ConfigError

WORK = asdict(Work(kind="push", count=10, transport="tcp"))
PART = mesh("push", "sync").receiver


@pytest.fixture
def host() -> Iterator[Host]:
    made = Host("push", baseline=False, interfaces="127.0.0.1", secret=None)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (None, "nothing has begun here"),
        ({"do": "cpu"}, "nothing has begun here"),
        ({"do": "begin", "part": "os:system", "work": WORK}, "'os:system' is not played here"),
        ({"do": "begin", "part": mesh("push", "sync").sender, "work": WORK}, "is not played here"),
        ({"do": "begin", "part": plain("push", "sync").receiver, "work": WORK}, "--baseline it has to be given at"),
        ({"do": "begin", "work": {**WORK, "kind": "publish"}}, "here 'meshmq bench push --serve' runs, not publish"),
        (
            {"do": "begin", "part": PART, "work": {**WORK, "secure": True}},
            "one end has a secret and the other has none",
        ),
        ({"do": "begin", "work": {**WORK, "receivers": 65}}, "is no work that can be done here"),
        ({"do": "begin", "work": {**WORK, "count": "1"}}, "is no work that can be done here"),
        ({"do": "begin", "work": {**WORK, "transport": "ipc"}}, "is no work that can be done here"),
        ({"do": "begin", "work": []}, "is no work that can be done here"),
    ],
)
def test_what_may_not_be_asked_is_refused(host: Host, asked: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        host.answer(asked)


def test_receivers_are_begun_heard_and_ended(host: Host) -> None:
    host.answer({"do": "begin", "part": PART, "work": WORK, "mesh": "bench-far"})
    (told,) = host.answer({"do": "hear", "word": "address"})
    assert told["address"].startswith("127.0.0.1:")
    assert host.answer({"do": "cpu"}) > 0
    with pytest.raises(ConfigError, match="'dance' is nothing that can be done here"):
        host.answer({"do": "dance"})
    assert host.answer({"do": "stop"}) == [{"had": 0}]
