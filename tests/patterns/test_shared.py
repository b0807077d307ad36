"""A map that many share: late, cut off, stopped and under load all come to the same, and it outlives its owner."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from meshmq.patterns.shared_state import SharedState

import meshmq
from meshmq.testing import Network
from tests.network.children import LIMIT, Child
from tests.network.conftest import Spawn, spawn, start
from tests.scale import scale

__all__ = ["spawn", "start"]

CHANGES = scale(200, 5_000)
MEMBER = """
import json, sys, meshmq
from meshmq.patterns.shared_state import SharedState

with meshmq.Node(sys.argv[1], mesh=sys.argv[2]) as node:
    state = SharedState(node, "map")
    if sys.argv[1] == "owner":
        state.own()
    print("here", flush=True)
    for line in sys.stdin:
        state.wait(lambda: state.values.get("last") == line.strip(), 20)
        print(json.dumps(state.values), flush=True)
"""


class Noted(SharedState):  # type: ignore[misc]  # recipes are not checked beside the package they are installed in
    """Notes what each change set, how often the whole map was fetched, and can be held up."""

    def __init__(self, node: meshmq.Node, name: str) -> None:
        self.seen, self.fetched, self.free = list[Any](), 0, threading.Event()
        self.free.set()
        super().__init__(node, name)

    def _take(self, at: Any, values: dict[str, Any]) -> None:
        before = self._at
        super()._take(at, values)
        assert self._at >= before
        if self._at == at != before:
            self.fetched += at != (before[0], before[1] + 1)
            self.seen.append(values.get("number"))

    def _hear(self, update: Any) -> None:
        assert self.free.wait(LIMIT)
        super()._hear(update)


class Members:
    """Nodes by name, each with a copy, in a network that the test parts."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack, self.network = stack, stack.enter_context(Network())

    def enter(self, name: str, settings: meshmq.Settings | None = None) -> Noted:
        return Noted(self._stack.enter_context(self.network.node(name, settings=settings)), "map")

    def part(self, some: str, others: str) -> None:
        for one in some:
            for other in others:
                self.network.memory.cut(one, other)

    def heal(self, some: str, others: str) -> None:
        for one in some:
            for other in others:
                self.network.memory.heal(one, other)
        for discovery in list(self.network.directory.entries):
            discovery.refresh()  # as each does once a minute


@pytest.fixture
def members() -> Iterator[Members]:
    with ExitStack() as stack:
        yield Members(stack)


def same(wanted: dict[str, Any], *states: SharedState) -> bool:
    """Whether all come to this."""
    return all(state.wait(lambda state=state: state.values == wanted, LIMIT) for state in states)


def test_who_comes_late_has_all_and_each_change_after_that_once_in_order(members: Members) -> None:
    owner, writer = members.enter("a"), members.enter("b")
    owner.own()
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(lambda: [writer.set("number", number) for number in range(CHANGES)])
        late = []
        for count, name in enumerate("cdefg", 1):
            assert writer.wait(lambda count=count: writer.values.get("number", 0) >= CHANGES * count // 6, 4 * LIMIT)
            late.append(members.enter(name))
        writing.result(4 * LIMIT)
    assert same({"number": CHANGES - 1}, owner, writer, *late)
    for state in late:
        assert state.fetched == 1
        assert state.seen == list(range(state.seen[0], CHANGES))
    assert owner.seen[1:] == list(range(CHANGES))


def test_of_two_who_set_a_key_the_order_of_the_owner_counts_for_all(members: Members) -> None:
    owner, one, other = map(members.enter, "abc")
    owner.own()
    owner.set("number", "none")
    assert same({"number": "none"}, one, other)
    with ThreadPoolExecutor(2) as pool:
        for state, name in ((one, "one"), (other, "other")):
            pool.submit(lambda state, name: [state.set("number", f"{name} {n}") for n in range(50)], state, name)
    assert same(dict(owner.values), one, other)
    assert owner.seen[-100:] == one.seen[-100:] == other.seen[-100:]
    assert sorted(owner.seen[-100:]) == sorted(f"{name} {n}" for name in ("one", "other") for n in range(50))


def test_who_is_too_slow_or_was_cut_off_catches_up(members: Members) -> None:
    owner, slow, away = (
        members.enter("a"),
        members.enter("b", meshmq.Settings(subscriber_messages=5)),
        members.enter("c"),
    )
    owner.own()
    owner.set("number", 0)
    assert same({"number": 0}, slow, away)
    fetched = slow.fetched
    slow.free.clear()
    members.part("a", "c")
    for number in range(1, 100):
        owner.set("number", number)
    members.heal("a", "c")
    slow.free.set()
    assert same({"number": 99}, slow, away)
    assert slow.fetched > fetched
    owner.set("number", 100)
    assert same({"number": 100}, slow, away)


def test_without_an_owner_nothing_is_set_and_the_next_one_has_the_newest_copy(members: Members) -> None:
    owner, stale, newest = members.enter("a"), members.enter("b"), members.enter("c")
    owner.own()
    owner.set("number", 1)
    assert same({"number": 1}, stale, newest)
    stale._node.wait_for(reply="map.copy", count=3, timeout=LIMIT)  # itself too: it is to ask the newest for its copy
    members.part("a", "b")
    newest.set("number", 2)
    owner._node.close(0)
    with pytest.raises(meshmq.MeshError):
        newest.set("number", 3, timeout=0.5)
    stale.own()
    assert stale.values == {"number": 2}
    newest.set("number", 4)
    assert same({"number": 4}, stale, newest)


def test_who_has_told_its_copy_takes_nothing_from_older_owners(members: Members) -> None:
    owner, next_owner, writer = map(members.enter, "abc")
    owner.own()
    writer.set("number", 1)
    first, number = writer._at
    next_owner._node.wait_for(reply="map.copy", count=3, timeout=LIMIT)  # itself too: all are asked for their copy
    next_owner.own()
    assert writer._owner == (2, next_owner._node.id)
    writer._hear(((first, number + 1), {"number": "late"}))  # it was on its way
    assert same({"number": 1}, owner, next_owner, writer)
    writer.set("number", 2)
    assert same({"number": 2}, owner, next_owner, writer)
    with pytest.raises(meshmq.RemoteError, match="'map' has another owner"):
        writer._node.request("map.set", {"number": 3}, to="a", timeout=LIMIT)
    assert owner.values == {"number": 2}


def test_parted_each_side_has_its_own_until_they_meet(members: Members) -> None:
    owner, near, far, other = map(members.enter, "abcd")
    owner.own()
    owner.set("number", 0)
    assert same({"number": 0}, near, far, other)
    members.part("ab", "cd")
    near.set("near", True)
    far.own()
    other.set("far", True)
    members.heal("ab", "cd")
    assert same({"number": 0, "far": True}, owner, near, far, other)
    near.set("number", 1)
    assert same({"number": 1, "far": True}, owner, near, far, other)


def persist(state: SharedState, key: str) -> None:
    """Set a key, with as many tries as it takes."""
    for _ in range(100):
        try:
            state.set(key, True, timeout=1.0)
        except meshmq.MeshError:
            continue
        return
    raise AssertionError(f"{key} cannot be set")


def map_of(child: Child, last: str) -> Any:
    """Return the map as a child has it once it has come to the end."""
    child.say(last)
    return json.loads(child.line(2 * LIMIT))


def test_what_was_confirmed_is_there_when_the_owner_is_killed_under_load(spawn: Spawn, mesh_name: str) -> None:
    owner = spawn(MEMBER, "owner", mesh_name)
    owner.until("here")
    reader = spawn(MEMBER, "reader", mesh_name)
    reader.until("here")
    confirmed, half_way = list[str](), threading.Event()
    with (
        meshmq.Node("a", mesh=mesh_name) as one,
        meshmq.Node("b", mesh=mesh_name) as two,
        ThreadPoolExecutor(2) as pool,
    ):
        states = [SharedState(node, "map") for node in (one, two)]

        def write(state: SharedState) -> None:
            for number in range(CHANGES):
                key = f"{state._node.name} {number}"
                try:
                    state.set(key, True, timeout=1.0)
                except meshmq.MeshError:
                    persist(state, f"again {state._node.name}")  # and this one may hold, or not
                else:
                    confirmed.append(key)
                if number == CHANGES // 2:
                    half_way.set()

        writing = [pool.submit(write, state) for state in states]
        assert half_way.wait(4 * LIMIT)
        owner.kill()
        states[0].own()
        for each in writing:
            each.result(4 * LIMIT)
        states[1].set("last", "word")
        assert same(dict(states[0].values), states[1])
        found = map_of(reader, "word")
        assert found == states[0].values
        assert set(confirmed) <= found.keys()
        assert len(confirmed) >= 2 * CHANGES - 4


def test_a_reader_that_was_stopped_and_an_owner_that_was_come_to_the_same(spawn: Spawn, mesh_name: str) -> None:
    owner = spawn(MEMBER, "owner", mesh_name)
    owner.until("here")
    reader = spawn(MEMBER, "reader", mesh_name)
    reader.until("here")
    settings = meshmq.Settings(request_timeout=1.0)  # so long one who would own waits for one who is stopped
    with meshmq.Node("a", mesh=mesh_name, settings=settings) as node, ThreadPoolExecutor(1) as pool:
        state = SharedState(node, "map")
        state.set("before", True, timeout=LIMIT)
        reader.stop()
        for number in range(CHANGES):
            state.set(f"{number}", True, timeout=LIMIT)
        reader.resume()
        state.set("last", "stopped reader", timeout=LIMIT)
        assert map_of(reader, "stopped reader") == state.values

        owner.stop()
        late = pool.submit(node.request, "map.set", {"late": True}, to="owner", timeout=LIMIT)
        state.own()
        state.set("last", "stopped owner", timeout=LIMIT)
        owner.resume()
        assert map_of(owner, "stopped owner") == map_of(reader, "stopped owner") == state.values
        late.exception(LIMIT)  # it may have been made by an owner that was none, for nobody
        assert "late" not in state.values
