"""The nearest address that answers is taken, within a limit, and who did not answer is told."""

from __future__ import annotations

import queue
import socket
import threading
import time
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import pytest

from meshmq.links.race import Lost, Race, Won, near_networks
from meshmq.links.resolver import Resolved, Resolver, ask, numeric
from meshmq.links.sources import Sources
from tests.links.ends import Recorder, until, zmq_end

LIMIT = 10.0


class Runner:
    """A source that does nothing but race."""

    def __init__(self, addresses: list[str], near: tuple[str, ...] = (), resolver: Resolver | None = None) -> None:
        self.sources = Sources()
        self.outcome: Won | Lost | None = None
        self.now = 0.0
        self.race = Race(
            addresses,
            self,
            self.sources,
            resolver=resolver or Resolver(),
            mechanism=b"NULL",
            near=near_networks(near),
            now=0.0,
        )

    def drain(self, decider: object, now: float, quota: int) -> int:
        if self.outcome is None:
            self.outcome = self.race.advance(now)
        return 0

    def step(self, now: float) -> Won | Lost | None:
        self.sources.step(Recorder(), now)
        return self.outcome

    def run(self, until: float = 3.0) -> Won | Lost | None:
        """Race in virtual time, which passes when nothing happens for a moment of real time."""
        give_up = time.monotonic() + LIMIT
        while self.step(self.now) is None and self.now <= until and time.monotonic() < give_up:
            if not _readable(self.sources.fileno(), 0.1):
                due = self.sources.deadline
                assert due is not None
                self.now = max(self.now, due)
        return self.outcome

    def close(self) -> None:
        self.race.close()
        self.sources.close()


def _readable(fileno: int, seconds: float) -> bool:
    import select

    return bool(select.select([fileno], [], [], seconds)[0])


def runner(stack: ExitStack, addresses: list[str], **more: object) -> Runner:
    made = Runner(addresses, **more)  # type: ignore[arg-type]  # passed through
    stack.callback(made.close)
    return made


def greeter(stack: ExitStack, host: str = "127.0.0.1") -> tuple[str, list[socket.socket]]:
    """A listener that greets as a peer without a secret does; its address, and whom it greeted."""
    server = stack.enter_context(socket.create_server((host, 0)))
    greeted: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                accepted, _ = server.accept()
            except OSError:
                return
            greeted.append(stack.enter_context(accepted))
            accepted.sendall(b"\xff" + b"\0" * 7 + b"\x01\x7f\x03\x01NULL" + b"\0" * 48)

    thread = threading.Thread(target=serve, name="greeter")
    thread.start()
    stack.callback(thread.join, 10)
    stack.callback(server.shutdown, socket.SHUT_RDWR)
    return f"tcp://{host}:{server.getsockname()[1]}", greeted


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"tcp://127.0.0.1:{server.getsockname()[1]}"


def mute(stack: ExitStack) -> str:
    """A listener that never accepts: connected to, and silent."""
    server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    return f"tcp://127.0.0.1:{server.getsockname()[1]}"


def test_dead_addresses_before_the_living_one_cost_no_time(stack: ExitStack) -> None:
    living, _ = greeter(stack)
    race = runner(stack, [*(closed_port() for _ in range(6)), living])
    assert race.run() == Won(living, living)
    assert race.now < 0.15


def test_a_silent_address_holds_the_next_one_back_for_150_ms(stack: ExitStack) -> None:
    living, _ = greeter(stack)
    race = runner(stack, [mute(stack), mute(stack), living])
    assert race.run() == Won(living, living)
    assert 0.3 <= race.now < 0.5


def test_addresses_that_are_all_silent_are_given_up_after_the_limit(stack: ExitStack) -> None:
    silent = mute(stack)
    race = runner(stack, [silent])
    assert race.run(10.0) == Lost("unreachable", silent)
    assert race.now == 3.0


def test_nobody_is_told_of_at_once(stack: ExitStack) -> None:
    addresses = [closed_port(), closed_port()]
    race = runner(stack, addresses)
    assert race.run() == Lost("refused", addresses[0])
    assert race.now < 0.15


@pytest.mark.parametrize(
    "nonsense",
    ["", "tcp://", "tcp://127.0.0.1", "tcp://127.0.0.1:0", "tcp://127.0.0.1:99999", "tcp://127.0.0.1:x", "udp://a:1"],
)
def test_an_address_that_leads_nowhere_is_unresolved(stack: ExitStack, nonsense: str) -> None:
    assert runner(stack, [nonsense]).run() == Lost("unresolved", nonsense)


def test_a_path_too_long_for_a_unix_socket_is_no_error(stack: ExitStack) -> None:
    address = "ipc:///tmp/" + "x" * 200
    assert runner(stack, [address]).run() == Lost("unresolved", address)


def test_a_missing_unix_socket_is_refused(stack: ExitStack, tmp_path: Path) -> None:
    address = f"ipc://{tmp_path}/nobody"
    assert runner(stack, [address]).run() == Lost("refused", address)


def test_a_unix_socket_comes_before_tcp(stack: ExitStack, runtime_directory: Path) -> None:
    there = zmq_end(ipc=runtime_directory / "there", guarded=False)
    stack.callback(there.links.close, 0)
    here = zmq_end(tcp=())
    stack.callback(here.links.close, 0)
    ipc, tcp = there.links.bound.direct
    here.dial([tcp, ipc])
    until(lambda: here.log.reaches, here, there)
    assert here.log.reaches == [(0, ipc)]


def test_near_addresses_are_tried_first(stack: ExitStack) -> None:
    networks = near_networks(["10.1.2.3", "fd00::1", "0.0.0.0"])
    assert [str(network) for network in networks] == [
        "127.0.0.0/8",
        "::1/128",
        "10.1.2.0/24",
        "fd00::/64",
    ]


def test_a_name_is_resolved_and_both_its_addresses_are_tried(stack: ExitStack) -> None:
    living, _ = greeter(stack)
    dead = closed_port()
    found = [numeric("127.0.0.1", int(address.rpartition(":")[2]))[0] for address in (dead, living)]
    race = runner(stack, ["tcp://a.name:7"], resolver=Resolver(lambda host, port: found))
    assert race.run() == Won("tcp://a.name:7", living)


def test_a_name_without_an_address_is_unresolved(stack: ExitStack) -> None:
    race = runner(stack, ["tcp://no.name:7"], resolver=Resolver(lambda host, port: []))
    assert race.run() == Lost("unresolved", "tcp://no.name:7")


def test_a_resolver_that_hangs_delays_neither_the_others_nor_the_end(stack: ExitStack) -> None:
    release = threading.Event()
    stack.callback(release.set)

    def hang(host: str, port: int) -> list[Resolved]:
        release.wait(30)
        return []

    living, _ = greeter(stack)
    resolver = Resolver(hang)
    race = runner(stack, ["tcp://slow.name:7", living], resolver=resolver)
    assert race.run() == Won(living, living)
    race = runner(stack, ["tcp://slow.name:7"], resolver=resolver)
    assert race.run(10.0) == Lost("unresolved", "tcp://slow.name:7")


def test_the_secret_is_more_telling_than_a_dead_address(stack: ExitStack) -> None:
    from meshmq.links.security import derive

    there = zmq_end(keys=derive("a secret of the race tests"))
    stack.callback(there.links.close, 0)
    here = zmq_end()
    stack.callback(here.links.close, 0)
    locked = there.links.bound.direct[0]
    here.dial([closed_port(), locked])
    until(lambda: here.log.refusals, here, there)
    assert here.log.refusals == [(0, "secret_needed", locked)]


def test_the_loser_is_hung_up(stack: ExitStack) -> None:
    first, greeted = greeter(stack)
    silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    race = runner(stack, [f"tcp://127.0.0.1:{silent.getsockname()[1]}", first])
    assert race.run() == Won(first, first)
    accepted, _ = silent.accept()
    with closing(accepted):
        accepted.settimeout(10)
        while accepted.recv(100):
            pass
    greeted[0].setblocking(False)
    assert greeted[0].recv(100)
    with pytest.raises(BlockingIOError):
        greeted[0].recv(100)


def test_localhost_is_resolved_by_the_system() -> None:
    assert (socket.AF_INET, ("127.0.0.1", 7)) in ask("localhost", 7)
    assert numeric("localhost", 7) == []


def test_resolvers_end_their_threads_when_there_is_nothing_to_do() -> None:
    resolver = Resolver(lambda host, port: [])
    done = threading.Semaphore(0)
    for _ in range(50):
        resolver.resolve("a.name", 7, partial(_release, done))
    for _ in range(50):
        assert done.acquire(timeout=10)
    for thread in threading.enumerate():
        if thread.name == "meshmq-resolver":
            thread.join(10)
            assert not thread.is_alive()


def test_where_the_system_gives_no_thread_nothing_is_known_and_the_next_asks_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    here = numeric("127.0.0.1", 7)
    resolver, found = Resolver(lambda host, port: here), queue.SimpleQueue[list[Resolved]]()
    with monkeypatch.context() as patch:
        patch.setattr("meshmq.links.resolver.start_apart", refuse)
        for _ in range(5):
            resolver.resolve("a.name", 7, found.put)
            assert found.get_nowait() == []
    resolver.resolve("a.name", 7, found.put)
    assert found.get(timeout=10) == here


def _release(done: threading.Semaphore, found: list[Resolved]) -> None:
    done.release()
