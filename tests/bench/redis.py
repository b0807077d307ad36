"""Redis streams: XADD in pipelines of 100, a consumer group that reads 100 at a time and acks them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgpack  # type: ignore[import-untyped]  # msgpack ships no types
import redis

from meshmq.bench.kinds import Side
from meshmq.bench.values import check_of, value_of
from meshmq.bench.work import Place, Work
from tests.bench.brokers import REDIS
from tests.bench.counted import Counted, push_counted

if TYPE_CHECKING:
    from meshmq.bench.stage import Stage

_HERE: Final = "tests.bench.redis"
PUSH: Final = Side(REDIS.name, f"{_HERE}:push", f"{_HERE}:pull", greets=True, counted=True, share=0.2)
_BATCH: Final = 100


def push(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Push the jobs; the server has answered each."""
    value, pack, stream = value_of(work), msgpack.packb, place.mesh
    with redis.Redis.from_url(REDIS.where) as client:

        def send(count: int) -> None:
            for start in range(0, count, _BATCH):
                pipeline = client.pipeline(transaction=False)
                for _ in range(min(_BATCH, count - start)):
                    pipeline.xadd(stream, {"job": pack(value)})
                pipeline.execute()

        push_counted(stage, work, send)


def pull(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Pull until all is done, and ack each."""
    check, unpack, counted, stream = check_of(work), msgpack.unpackb, Counted(stage, work), place.mesh
    with redis.Redis.from_url(REDIS.where) as client:
        client.xgroup_create(stream, "bench", id="0", mkstream=True)
        stage.tell(address="")
        while not counted.over:
            answer: Any = client.xreadgroup("bench", "worker", {stream: ">"}, count=_BATCH, block=100)
            for _, entries in answer.items() if isinstance(answer, dict) else answer or ():
                done = []
                for entry, fields in entries[0] if isinstance(answer, dict) else entries:
                    check(unpack(fields[b"job"]))
                    done.append(entry)
                client.xack(stream, "bench", *done)
                counted.add(len(done))
        client.delete(stream)
        stage.wait_for_stop()
