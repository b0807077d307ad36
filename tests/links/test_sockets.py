"""What only real sockets can get wrong: ports, files, floods, foreign bytes, cut cables, descriptors."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import zmq

from meshmq.errors import ConfigError, LinkError
from meshmq.links import outside
from meshmq.links.authenticator import authenticator
from meshmq.links.context import context, destroy
from meshmq.links.security import Keys, derive
from meshmq.links.sockets import ZmqLinks
from tests.leaks import sockets
from tests.links.ends import End, quiet, until, zmq_end
from tests.scale import scale

KEYS = derive("the secret of the socket tests")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def opened(stack: ExitStack, **more: object) -> End:
    end = zmq_end(**more)  # type: ignore[arg-type]  # passed through
    stack.callback(end.links.close, 0)
    return end


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def free_ports(stack: ExitStack) -> int:
    """A port P that was free a moment ago, as was P + 2."""
    for _ in range(50):
        with ExitStack() as held:
            first = held.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = first.getsockname()[1]
            with suppress(OSError, OverflowError):
                held.enter_context(socket.create_server(("127.0.0.1", port + 2)))
                return int(port)
    raise AssertionError("no free ports")


# --- binding -------------------------------------------------------------------------------------


def test_without_addresses_nothing_is_bound_beyond_this_machine(stack: ExitStack, runtime_directory: Path) -> None:
    end = opened(stack, ipc=runtime_directory / "a", tcp=())
    assert end.links.bound.control == (f"ipc://{runtime_directory}/a.c",)
    assert end.links.bound.direct == (f"ipc://{runtime_directory}/a.d",)


def test_a_given_port_is_that_of_the_control_link_and_two_above_it_of_the_direct_one(stack: ExitStack) -> None:
    port = free_ports(stack)
    end = opened(stack, port=port)
    assert end.links.bound.control == (f"tcp://127.0.0.1:{port}",)
    assert end.links.bound.direct == (f"tcp://127.0.0.1:{port + 2}",)


@pytest.mark.parametrize("wildcard", [None, 0])
def test_several_addresses_share_a_free_port(stack: ExitStack, wildcard: int | None) -> None:
    end = opened(stack, tcp=("127.0.0.1", "127.0.0.2"), port=wildcard)
    for addresses in (end.links.bound.control, end.links.bound.direct):
        assert [address.rpartition(":")[0] for address in addresses] == ["tcp://127.0.0.1", "tcp://127.0.0.2"]
        assert len({port_of(address) for address in addresses}) == 1


def test_a_taken_port_is_named_with_what_repairs_it(stack: ExitStack) -> None:
    taken = stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
    with pytest.raises(LinkError, match=rf"port {taken} is taken on 127.0.0.1.*port="):
        opened(stack, port=taken)


def test_an_address_of_another_machine_is_named(stack: ExitStack) -> None:
    with pytest.raises(LinkError, match=r"192\.0\.2\.1 is not an address of this machine"):
        opened(stack, tcp=("192.0.2.1",))


def test_a_directory_that_is_not_there_is_named(stack: ExitStack, tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="nowhere"):
        opened(stack, ipc=tmp_path / "nowhere" / "a", tcp=())


def test_keys_without_an_authenticator_are_refused() -> None:
    with pytest.raises(ConfigError):
        ZmqLinks(ipc={}, tcp=(), port=None, keys=KEYS, authenticator=None, message_bytes=1, heartbeat=1.0, silence=4.0)


def test_ipv6_is_dialled_where_this_machine_has_it(stack: ExitStack) -> None:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("no IPv6 loopback on this machine")
    here, there = opened(stack, tcp=("::1",)), opened(stack, tcp=("::1", "127.0.0.1"))
    assert there.links.bound.direct[0].startswith("tcp://[::1]:")
    out = here.dial(there.links.bound.direct)
    here.links.send(out, [b"MQ hello"])
    until(lambda: there.log.received, here, there)


def test_a_port_is_free_again_when_close_returns(stack: ExitStack) -> None:
    port = free_ports(stack)
    other = opened(stack)
    for _ in range(20):
        end = zmq_end(port=port)
        other.links.send(other.dial(end.links.bound.direct), [b"MQ"])
        until(lambda end=end: end.log.received, end, other)  # type: ignore[misc]  # mypy cannot infer it
        end.links.close(0)


def test_unix_sockets_are_removed_at_close_and_stale_ones_replaced(runtime_directory: Path) -> None:
    stale = runtime_directory / "a.c"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(stale))
    end = zmq_end(ipc=runtime_directory / "a", tcp=())
    assert sorted(file.name for file in runtime_directory.iterdir()) == ["a.c", "a.d"]
    end.links.close(0)
    assert list(runtime_directory.iterdir()) == []


def test_repr_tells_the_state(stack: ExitStack) -> None:
    here, there = opened(stack), opened(stack)
    out = here.dial(there.links.bound.direct)
    here.links.send(out, [b"MQ hello"])
    until(lambda: there.log.received and "0 at the door" in repr(there.links), here, there)
    assert repr(here.links) == "<ZmqLinks 1 dialled, 0 in, 0 at the door>"
    assert repr(there.links) == "<ZmqLinks 0 dialled, 1 in, 0 at the door>"
    here.links.close(0)
    assert repr(here.links) == "<ZmqLinks closed>"


def test_links_whose_context_has_ended_before_close_all_the_same(runtime_directory: Path) -> None:
    here, there = zmq_end(), zmq_end(ipc=runtime_directory / "a")
    here.dial(there.links.bound.direct)
    until(lambda: here.log.reaches, here, there)
    destroy(0)
    here.links.close(1.0)
    there.links.close(1.0)


# --- the end of a connection ---------------------------------------------------------------------


class Cable:
    """A proxy in front of one address, which the test can cut."""

    def __init__(self, stack: ExitStack, address: str) -> None:
        self._stack = stack
        self._target = port_of(address)
        self._server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self._server.setblocking(False)
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self.address = f"tcp://127.0.0.1:{self._server.getsockname()[1]}"

    def carry(self) -> bool:
        with suppress(BlockingIOError):
            accepted = self._stack.enter_context(self._server.accept()[0])
            onward = self._stack.enter_context(socket.create_connection(("127.0.0.1", self._target)))
            for one, other in ((accepted, onward), (onward, accepted)):
                one.setblocking(False)
                self._pairs.append((one, other))
        for one, other in self._pairs:
            with suppress(OSError):
                data = one.recv(1 << 16)
                if data:
                    other.sendall(data)
                else:
                    other.close()
                    one.close()
        return True

    def cut(self) -> None:
        for one, _ in self._pairs:
            one.close()
        self._pairs.clear()


def through_cable(stack: ExitStack, keys: Keys | None) -> tuple[End, End, int, int, Cable]:
    here, there = opened(stack, keys=keys), opened(stack, keys=keys)
    cable = Cable(stack, there.links.bound.direct[0])
    out = here.dial([cable.address])
    here.links.send(out, [b"MQ hello"])
    stop = time.monotonic() + 10
    while not there.log.received:
        assert time.monotonic() < stop
        cable.carry()
        quiet(0.001, here, there)
    return here, there, out, there.log.received[0][0], cable


@pytest.mark.parametrize("keys", [KEYS, None], ids=["secret", "no secret"])
def test_both_ends_learn_at_once_that_the_connection_was_cut(stack: ExitStack, keys: Keys | None) -> None:
    here, there, out, back, cable = through_cable(stack, keys)
    start = time.monotonic()
    cable.cut()
    until(lambda: here.log.ends and there.log.ends, here, there)
    assert time.monotonic() - start < 1.0
    assert (here.log.ends, there.log.ends) == ([out], [back])
    assert not here.links.send(out, [b"MQ"])
    assert not there.links.send(back, [b"MQ"])
    quiet(0.1, here, there)
    assert (here.log.ends, there.log.ends) == ([out], [back])


def test_a_cut_direct_connection_is_not_made_anew_behind_our_back(stack: ExitStack) -> None:
    here, there, out, _, cable = through_cable(stack, None)
    cable.cut()
    here.links.send(out, [b"MQ into the void"])
    until(lambda: here.log.ends, here, there)
    quiet(0.3, here, there)
    assert [frames for _, frames in there.log.received] == [[b"MQ hello"]]


def test_a_send_that_meets_the_end_loses_nothing_that_had_arrived(stack: ExitStack) -> None:
    here, there = opened(stack), opened(stack)
    out = here.dial(there.links.bound.direct)
    here.links.send(out, [b"MQ hello"])
    until(lambda: there.log.received, here, there)
    back = there.log.received[0][0]
    for number in range(50):
        here.links.send(out, [b"MQ%d" % number])
    here.links.hang_up(out)
    assert quiet_until_gone(there, back)
    until(lambda: there.log.ends == [back], there)
    assert len(there.log.received) == 51


def quiet_until_gone(there: End, back: int) -> bool:
    """Send without ever stepping, so that libzmq says first that nobody is there."""
    stop = time.monotonic() + 0.2
    while time.monotonic() < stop:
        there.links.send(back, [b"MQ anybody"])
    return True


def test_a_control_link_comes_back_by_itself(stack: ExitStack) -> None:
    port = free_ports(stack)
    here, there = opened(stack), opened(stack, port=port)
    out = here.dial(there.links.bound.control, "control", [b"card"])
    until(lambda: there.log.claims, here, there)
    there.links.publish([b"card", b"1"])
    until(lambda: here.log.heard, here, there)
    there.links.close(0)
    again = opened(stack, port=port)
    until(lambda: again.log.claims == [(b"card", True)], here, again)
    again.links.publish([b"card", b"2"])
    until(lambda: len(here.log.heard) == 2, here, again)
    assert here.log.heard == [(out, [b"card", b"1"]), (out, [b"card", b"2"])]
    assert not here.log.ends


# --- bounds --------------------------------------------------------------------------------------


def test_a_flood_on_one_connection_starves_nobody(stack: ExitStack) -> None:
    flooder, quiet_one, there = opened(stack), opened(stack), opened(stack)
    flood = flooder.dial(there.links.bound.direct)
    flooder.links.send(flood, [b"MQ flood"])
    out = quiet_one.dial(there.links.bound.direct)
    quiet_one.links.send(out, [b"MQ hello"])
    back = there.dial(flooder.links.bound.direct)
    there.links.send(back, [b"MQ hello"])
    until(lambda: len(there.log.received) == 2 and flooder.log.received, flooder, quiet_one, there)
    answer = flooder.log.received[0][0]
    for _ in range(20_000):
        flooder.links.send(flood, [b"MQ flood"])  # arrives at the bound socket
        flooder.links.send(answer, [b"MQ flood"])  # arrives at a dialled one
    quiet_one.links.send(out, [b"MQ last"])
    quiet_one.dial(there.links.bound.control, "control", [b"card"])
    until(lambda: there.log.claims, quiet_one, there)
    until(lambda: _place(there, b"MQ last") is not None, quiet_one, there)
    assert len(there.log.received) < 20_000


def _place(end: End, body: bytes) -> int | None:
    return next((at for at, (_, frames) in enumerate(end.log.received) if frames == [body]), None)


def test_a_step_ends_after_its_time_however_much_there_is(stack: ExitStack) -> None:
    here, there = opened(stack), opened(stack)
    out = here.dial(there.links.bound.direct)
    here.links.send(out, [b"MQ hello"])
    until(lambda: there.log.received, here, there)
    for _ in range(5000):
        here.links.send(out, [b"MQ", bytes(1000)])
    most = 0
    stop = time.monotonic() + 10
    while len(there.log.received) < 5001:
        assert time.monotonic() < stop
        before = len(there.log.received)
        here.step()
        there.step()
        most = max(most, len(there.log.received) - before)
    assert most <= 256 + 16


def test_what_waits_for_a_dial_is_bounded(stack: ExitStack) -> None:
    here = opened(stack)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        out = here.dial([f"tcp://127.0.0.1:{silent.getsockname()[1]}"])
        here.step()
        sent = 0
        while here.links.send(out, [b"MQ", bytes(100_000)]):
            sent += 1
            assert sent < 100
    assert sent > 20
    quiet(0.05, here)
    assert here.log.refusals == []


def test_dialling_and_hanging_up_leaves_no_descriptor_behind(stack: ExitStack) -> None:
    here, there = opened(stack), opened(stack)

    def cycle(number: int) -> None:
        direct = here.dial(there.links.bound.direct)
        control = here.dial(there.links.bound.control, "control", [b"card"])
        here.links.send(direct, [b"MQ hello"])
        until(lambda: len(there.log.received) > number and len(there.log.claims) > 2 * number, here, there)
        here.links.hang_up(direct)
        here.links.hang_up(control)
        until(lambda: len(there.log.ends) > number and len(there.log.claims) > 2 * number + 1, here, there)

    for number in range(20):
        cycle(number)
    before = descriptors()
    for number in range(20, scale(220, 2020)):
        cycle(number)
    until(lambda: "0 in, 0 at the door" in repr(there.links), here, there)
    assert abs(descriptors() - before) <= 10


def descriptors() -> int:
    """How many are open, where that can be seen."""
    table = Path("/proc/self/fd")
    return len(list(table.iterdir())) if table.is_dir() else 0


def test_who_is_hung_up_is_cut_and_forgotten(stack: ExitStack) -> None:
    there = opened(stack, guarded=True)
    peer: zmq.SyncSocket = context().socket(zmq.DEALER)
    stack.callback(peer.close, 0)
    peer.setsockopt(zmq.RECONNECT_IVL, -1)
    peer.connect(there.links.bound.direct[0])
    peer.send(b"MQ hello")
    until(lambda: there.log.received, there)
    there.links.send(1, [b"MQ bye"])
    there.links.hang_up(1)
    peer.send(b"MQ still there?")
    until(lambda: "0 in" in repr(there.links), there)
    assert peer.recv(zmq.DONTWAIT) == b"MQ bye"
    assert len(there.log.received) == 1
    assert there.log.ends == []


def test_strangers_beyond_the_table_are_cut(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "_MOST_GUESTS", 3)
    here, there = opened(stack), opened(stack)
    for _ in range(5):
        here.links.send(here.dial(there.links.bound.direct), [b"MQ hello"])
    until(lambda: len(here.log.ends) == 2, here, there)
    assert len(there.log.received) == 3
    assert isinstance(there.links, ZmqLinks)
    assert there.links.counts["crowded"] == 2


def test_claims_that_cannot_be_ours_are_counted(stack: ExitStack) -> None:
    there = opened(stack)
    peer: zmq.SyncSocket = context().socket(zmq.XSUB)
    stack.callback(peer.close, 0)
    peer.connect(there.links.bound.control[0])
    peer.send(b"\x02 what is this?")
    peer.send(b"\x01card")
    until(lambda: there.log.claims, there)
    assert there.log.claims == [(b"card", True)]
    assert isinstance(there.links, ZmqLinks)
    assert there.links.counts["claims"] == 1


def test_a_frame_over_the_limit_ends_its_connection(stack: ExitStack) -> None:
    here, there = opened(stack, message_bytes=10_000_000), opened(stack, message_bytes=1000)
    out = here.dial(there.links.bound.direct)
    here.links.send(out, [b"MQ", bytes(1_000_000)])
    until(lambda: here.log.ends == [out], here, there)
    assert there.log.received == []


@pytest.mark.parametrize(("keys", "guarded"), [(KEYS, True), (None, True), (None, False)])
def test_fuzz_at_the_ports_reaches_nobody_and_harms_nobody(stack: ExitStack, keys: Keys | None, guarded: bool) -> None:
    dice = random.Random(7)
    here, there = opened(stack, keys=keys, guarded=guarded), opened(stack, keys=keys, guarded=guarded)
    greeting = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01" + (b"CURVE" if keys else b"NULL")
    for _ in range(scale(100, 3000)):
        address = dice.choice(there.links.bound.control + there.links.bound.direct)
        with suppress(ConnectionError), socket.create_connection(("127.0.0.1", port_of(address))) as stranger:
            start = dice.choice([b"", b"\xff", greeting[:11], greeting.ljust(64, b"\0")])
            stranger.sendall(start + dice.randbytes(dice.randrange(300)))
        there.step()
        authenticator().step()
    out = here.dial(there.links.bound.direct)
    here.links.send(out, [b"MQ hello"])
    until(lambda: any(frames == [b"MQ hello"] for _, frames in there.log.received), here, there)
    assert [frames for _, frames in there.log.received] == [[b"MQ hello"]]
    if guarded:
        assert there.log.claims == []
    assert len(there.log.strangers) < 10


def test_nothing_of_the_data_is_seen_on_an_encrypted_connection(stack: ExitStack) -> None:
    here, there = opened(stack, keys=KEYS), opened(stack, keys=KEYS)
    cable = Cable(stack, there.links.bound.direct[0])
    seen = bytearray()
    out = here.dial([cable.address])
    here.links.send(out, [b"MQ a very recognisable value"])
    stop = time.monotonic() + 10
    while not there.log.received:
        assert time.monotonic() < stop
        for one, _ in cable._pairs:
            with suppress(OSError):
                seen += one.recv(1 << 16, socket.MSG_PEEK)
        cable.carry()
        quiet(0.001, here, there)
    assert b"CURVE" in seen
    assert b"recognisable" not in seen


def test_the_tests_see_sockets_that_are_left_behind(stack: ExitStack) -> None:
    before = sockets()
    opened(stack)
    assert sockets() != before
