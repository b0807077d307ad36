"""Whatever happens, in whatever order: each call ends once, no server runs an idempotent one twice, nothing stays."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import example, given, settings
from hypothesis import strategies as st

from meshmq.core.calls.call import Call
from meshmq.core.calls.incoming import Incoming
from meshmq.errors import WouldBlock
from meshmq.settings import Settings
from meshmq.wire.card import Forwards
from tests.core.calls.hamlet import Hamlet
from tests.scale import scale

SERVERS = (1, 2)
DEVICE = 3
servers = st.sampled_from(SERVERS)
spans = st.sampled_from([0.0, 0.02, 0.3, 1.5, 5.0])
asks = st.fixed_dictionaries(
    {
        "timeout": st.sampled_from([0.0, 0.05, 0.5, 2.0, 8.0, None]),
        "idempotent": st.booleans(),
        "to": st.sampled_from([None, None, "n1", "n2", "nobody"]),
        "key": st.sampled_from([None, b"key"]),
    }
)
steps = st.one_of(
    st.tuples(st.just("ask"), asks),
    st.tuples(st.just("retry"), st.integers(1, 3)),
    st.tuples(st.just("stream"), st.none()),
    st.tuples(st.just("take"), servers),
    st.tuples(st.just("take"), servers),
    st.tuples(st.just("answer"), st.integers(0, 3)),
    st.tuples(st.just("fail"), st.integers(0, 3)),
    st.tuples(st.just("item"), st.integers(0, 3)),
    st.tuples(st.just("cancel"), st.integers(0, 9)),
    st.tuples(st.just("run"), spans),
    st.tuples(st.just("run"), spans),
    st.tuples(st.sampled_from(["crash", "drain", "unserve", "serve", "stall"]), servers),
)


class World:
    """A caller, two servers, maybe a device before them, and what was seen of them."""

    def __init__(self, *, device: bool = False) -> None:
        self.device = device
        self.hamlet = Hamlet(3 + device, serving=False, settings=Settings(request_backlog=4))
        for server in SERVERS:
            self.hamlet.serve(server)
        if device:
            names = Forwards(services=("add",))
            self.hamlet.do(DEVICE, lambda node, now: node.relay.forward(names, now))
        self.hamlet.run(0.5)
        self.calls: list[Call] = []
        self.taken: list[tuple[int, Incoming]] = []
        self.ran: set[tuple[int, bytes]] = set()

    def up(self, index: int) -> bool:
        return self.hamlet.sim.nodes[index].state == "up"

    def step(self, what: str, how: object) -> None:
        hamlet = self.hamlet
        if what == "ask":
            assert isinstance(how, dict)
            self.calls.append(hamlet.ask(**how))
        elif what == "retry":
            assert isinstance(how, int)
            self.calls.append(hamlet.ask(timeout=2.0, retries=how, idempotent=True))
        elif what == "stream":
            self.calls.append(hamlet.ask(stream=True, timeout=2.0))
        elif what == "run":
            assert isinstance(how, float)
            hamlet.run(how)
        else:
            assert isinstance(how, int)
            self.touch(what, how)

    def touch(self, what: str, number: int) -> None:
        hamlet = self.hamlet
        if what == "cancel":
            for call in self.calls[number : number + 1]:
                hamlet.cancel(call)
        elif what in ("answer", "fail", "item"):
            self.word(what, number)
        elif self.up(number):
            if what == "take":
                with suppress(WouldBlock):
                    self.take(number)
            elif what == "crash":
                hamlet.sim.crash(hamlet.sim.nodes[number])
            elif what == "drain":
                hamlet.do(number, lambda node, now: node.drain(now))
            elif what == "stall":
                hamlet.sim.stall(hamlet.sim.nodes[number])
                hamlet.run(0.7)
                hamlet.sim.resume(hamlet.sim.nodes[number])
            else:
                getattr(hamlet, what)(number)

    def take(self, index: int) -> None:
        incoming = self.hamlet.take(index)
        assert not incoming.cancelled
        if incoming.idempotent:
            assert (index, incoming.id) not in self.ran, "it was run twice"
        self.ran.add((index, incoming.id))
        self.taken.append((index, incoming))

    def word(self, what: str, number: int) -> None:
        for index, incoming in self.taken[number : number + 1]:
            if self.up(index):
                if what == "item":
                    with suppress(WouldBlock):
                        self.hamlet.item(index, incoming, "item")
                else:
                    self.taken.remove((index, incoming))
                    getattr(self.hamlet, what)(index, incoming)

    def finish(self) -> None:
        """Answer all that is taken, and wait until the last timeout is over."""
        for call in self.calls:
            if call.asking.timeout is None:
                self.hamlet.cancel(call)
        for index, incoming in self.taken:
            if self.up(index):
                self.hamlet.answer(index, incoming)
        for index in filter(self.up, SERVERS):  # what is idempotent waits, though the device is gone that sent it on
            while self.device and self.hamlet.waiting(index):
                with suppress(WouldBlock):  # its time ran out while the server was stalled
                    self.hamlet.answer(index, self.hamlet.take(index))
        self.hamlet.run(30.0)

    def check(self) -> None:
        caller = self.hamlet[0].calls.caller
        assert all(call.outcome is not None for call in self.calls)
        for rest in (caller._calls, caller.fresh, caller._homeless, caller._assigned, caller._asked):
            assert not rest
        assert not caller._choice._outstanding
        assert not len(caller._alarms)
        for asked in caller.counts.values():
            ends = ("answered", "failed", "timed_out", "cancelled")
            assert sum(asked.counts[end] for end in ends) == asked.counts["asked"] == len(self.calls)
            assert not asked.outstanding
        for index in filter(self.up, (DEVICE,) if self.device else ()):
            passages = self.hamlet[index].relay.passages
            assert not passages._passing
            assert not passages._fresh
            assert not passages._homeless
            assert not passages._choice._outstanding
            assert not len(passages._alarms)
            assert not passages._waiting_bytes
        for index in filter(self.up, SERVERS):
            server = self.hamlet[index].calls.server
            assert not server._known
            assert not server._of_peer
            assert not len(server._alarms)
            for line in server.lines.values():
                counts = line.counts
                assert not line.waiting
                assert (line.waiting_bytes, line.running) == (0, 0)
                went = ("done", "failed", "cancelled", "expired", "refused")
                assert sum(counts[end] for end in went) == counts["received"]


@given(st.lists(steps | st.tuples(st.sampled_from(["crash", "drain", "stall"]), st.just(DEVICE)), max_size=30))
@example([("retry", 1), ("run", 1.5), ("stall", 1)])
@settings(max_examples=scale(test=30, stress=500), deadline=None)
def test_every_call_through_a_device_ends_once_and_nothing_stays(happened: list[tuple[str, object]]) -> None:
    world = World(device=True)
    for what, how in happened:
        world.step(what, how)
    world.finish()
    world.check()


@given(st.lists(steps, max_size=30))
@settings(max_examples=scale(test=50, stress=500), deadline=None)
def test_every_call_ends_once_and_nothing_stays(happened: list[tuple[str, object]]) -> None:
    world = World()
    for what, how in happened:
        world.step(what, how)
    world.finish()
    world.check()
