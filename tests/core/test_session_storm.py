"""Sessions whose connections end at any moment, with whatever was under way on each, in any order between them."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from meshmq.core.assembly import TRANSFER_EXTRA
from meshmq.core.throughput import Throughput
from meshmq.wire.chunks import CHUNK_BYTES
from meshmq.wire.frames import HEAD_BYTES, Kind, unpack_head
from tests.core.pair import Frames, Pair, Side
from tests.scale import scale

SIZES = (1, 1_000, CHUNK_BYTES // 2, 2 * CHUNK_BYTES, 5 * CHUNK_BYTES)
LIMIT = 10 * CHUNK_BYTES + TRANSFER_EXTRA


class Storm(Pair):
    """A pair of which each connection has its own pace, and both send large and small."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random = Random(seed)
        self.waiting: dict[Side, list[Sequence[bytes]]] = {self.a: [], self.b: []}
        self.sent: dict[Side, list[bytes]] = {self.a: [], self.b: []}
        self.heard: dict[Side, list[bytes]] = {self.a: [], self.b: []}
        for side in (self.a, self.b):
            side.present = True  # so that a session outlives a while without a connection
            side.receive = self._receiver(side)  # type: ignore[method-assign]  # puts chunks together, too

    def _receiver(self, side: Side):  # type: ignore[no-untyped-def]  # as Side.receive
        plain = side.receive

        def receive(connection: int, frames: Frames) -> None:
            kind, number, received = unpack_head(frames[0])
            if kind is not Kind.CHUNK and kind is not Kind.NEWS:
                plain(connection, frames)
            elif connection in side.connections and side.session.accept(
                connection, kind, number, received, sum(map(len, frames)), self.now
            ):
                if kind is Kind.NEWS:
                    self.heard[side].append(frames[0][HEAD_BYTES : HEAD_BYTES + 8])
                elif (whole := side.session.assemble(memoryview(frames[0])[HEAD_BYTES:], LIMIT, self.now)) is not None:
                    self.heard[side].append(bytes(whole[1][0][:8]))

        return receive

    def send(self, side: Side) -> None:
        """Have a side send one message."""
        number = b"%08d" % len(self.sent[side])
        self.sent[side].append(number)
        self.waiting[side].append([number + bytes(self.random.choice(SIZES))])

    def pump(self, side: Side) -> None:
        """Send what the connection takes."""
        waiting = self.waiting[side]
        if side.session.live:
            side.session.pump(self.now, lambda: (Kind.NEWS, waiting.pop(0)) if waiting else None)
        self.collect()

    def deliver_any(self) -> bool:
        """Deliver the oldest of one connection; whether there was one."""
        self.collect()
        if not self.under_way:
            return False
        side, connection, _ = self.random.choice(self.under_way)
        for one in self.under_way:
            if one[:2] == (side, connection):
                self.under_way.remove(one)
                self.under_way.appendleft(one)
                return self.deliver()
        raise AssertionError

    def cut_one(self) -> None:
        """End one connection: what is under way on it is lost from some point on, each way."""
        if not self.ends:
            return
        end = self.random.choice(list(self.ends))
        for side, connection in (end, self.ends[end]):
            mine = [one for one in self.under_way if one[:2] == (side, connection)]
            for one in mine[self.random.randrange(len(mine) + 1) :]:
                self.under_way.remove(one)
        there = self.ends[end]
        for (side, connection), other in ((end, there), (there, end)):
            if self.random.random() < 0.8:  # else it learns of it late, by its pulse
                self.under_way.append((side, connection, None))
            self.ends.pop(other, None)

    def pass_time(self) -> None:
        self.now += self.random.choice((0.0, 0.0, 0.001, 0.02, 0.1))
        for side in (self.a, self.b):
            if side.session.deadline is not None and side.session.deadline <= self.now:
                side.session.tick(self.now)
        self.collect()


@pytest.mark.parametrize("seed", range(scale(100, 2_000)))
def test_all_comes_once_as_long_as_the_session_lives(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if seed % 2:  # as on a line that carries all of it in a moment
        monkeypatch.setattr(Throughput, "takes_whole", lambda self, size: True)
    storm = Storm(seed)
    storm.meet()
    for _ in range(400):
        what = storm.random.random()
        side = storm.random.choice((storm.a, storm.b))
        if what < 0.2:
            storm.send(side)
        elif what < 0.4:
            storm.pump(side)
        elif what < 0.85:
            storm.deliver_any()
        elif what < 0.96:
            storm.pass_time()
        else:
            storm.cut_one()
    for _ in range(200):
        for side in (storm.a, storm.b):
            storm.pump(side)
        storm.run(0.2)
    assert storm.a.told == storm.b.told == ["up"]
    assert sorted(storm.heard[storm.b]) == storm.sent[storm.a]  # small ones pass large ones
    assert sorted(storm.heard[storm.a]) == storm.sent[storm.b]
