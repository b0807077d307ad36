"""Where a node is bound, what it says when it cannot be, and what is left when it closes."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from meshmq.errors import ConfigError, LinkError
from meshmq.links.context import destroy
from meshmq.links.security import derive
from meshmq.links.sockets import ZmqLinks
from tests.links.ends import free_ports, opened, port_of, until, zmq_end
from tests.scale import scale

KEYS = derive("the secret of the socket tests")


def test_without_addresses_nothing_is_bound_beyond_this_machine(stack: ExitStack, runtime_directory: Path) -> None:
    end = opened(stack, ipc=runtime_directory / "a", tcp=())
    assert end.links.bound.control == (f"ipc://{runtime_directory}/a.c",)
    assert end.links.bound.topics == (f"ipc://{runtime_directory}/a.t",)
    assert end.links.bound.direct == (f"ipc://{runtime_directory}/a.d",)


def test_a_given_port_is_that_of_the_control_link_and_above_it_are_the_topics_and_the_direct_one(
    stack: ExitStack,
) -> None:
    port = free_ports(stack)
    end = opened(stack, port=port)
    assert end.links.bound.control == (f"tcp://127.0.0.1:{port}",)
    assert end.links.bound.topics == (f"tcp://127.0.0.1:{port + 1}",)
    assert end.links.bound.direct == (f"tcp://127.0.0.1:{port + 2}",)


@pytest.mark.parametrize("wildcard", [None, 0])
def test_several_addresses_share_a_free_port(stack: ExitStack, wildcard: int | None) -> None:
    end = opened(stack, tcp=("127.0.0.1", "127.0.0.2"), port=wildcard)
    for addresses in (end.links.bound.control, end.links.bound.topics, end.links.bound.direct):
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


def test_a_name_is_no_address_to_bind() -> None:
    with pytest.raises(ConfigError, match="localhost"):
        zmq_end(tcp=("localhost",))


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


def test_a_port_can_be_opened_again_at_once(stack: ExitStack) -> None:
    port = free_ports(stack)
    other = opened(stack)
    for _ in range(20):
        end = zmq_end(port=port)
        other.links.send(other.dial(end.links.bound.direct), [b"MQ"])
        until(lambda end=end: end.log.received, end, other)  # type: ignore[misc]  # mypy cannot infer it
        end.links.close(0)


def test_what_was_sent_before_closing_arrives_however_slow_the_other_end_is(stack: ExitStack) -> None:
    for _ in range(scale(10, 200)):
        here, there = opened(stack, keys=KEYS), opened(stack, keys=KEYS)
        here.links.send(here.dial(there.links.bound.direct), [b"MQ hello"])
        until(lambda there=there: there.log.received, here, there)  # type: ignore[misc]  # mypy cannot infer it
        for _ in range(300):
            there.links.send(1, [b"MQ", bytes(10_000)])
        there.links.close(5.0)
        until(lambda here=here: here.log.ends, here)  # type: ignore[misc]  # mypy cannot infer it
        assert len(here.log.received) == 300


def test_unix_sockets_are_removed_at_close_and_stale_ones_replaced(runtime_directory: Path) -> None:
    stale = runtime_directory / "a.c"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(stale))
    end = zmq_end(ipc=runtime_directory / "a", tcp=())
    assert sorted(file.name for file in runtime_directory.iterdir()) == ["a.c", "a.d", "a.t"]
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
