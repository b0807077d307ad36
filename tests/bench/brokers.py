"""The rivals that need a server: started on the loopback with files of their own, ended by their pids."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LIMIT: Final = 60.0
_RABBITMQ: Final = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Broker:
    """One that can be started."""

    name: str
    program: str
    package: str
    variable: str
    start: Callable[[ExitStack, Path], tuple[str, int, int]]
    """Has it end with the stack, and its files in the folder; returns its address for clients, its port and pid."""

    @property
    def where(self) -> str:
        """Where it is, for clients."""
        return os.environ[self.variable]

    @property
    def missing(self) -> bool:
        """Whether it is not installed."""
        return not (shutil.which(self.program) or Path(self.program).exists())


@contextmanager
def running(brokers: Sequence[Broker]) -> Iterator[dict[str, int]]:
    """Have these run, and their addresses in the environment; gives the pid of each by its name."""
    with ExitStack() as stack:
        pids = {}
        for broker in brokers:
            home = Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="mq-broker-", ignore_cleanup_errors=True))
            )
            address, port, pids[broker.name] = broker.start(stack, home)
            _wait_for(port, broker.name)
            os.environ[broker.variable] = address
            stack.callback(os.environ.pop, broker.variable, None)
        yield pids


def cpu_of(pid: int) -> float:
    """Return the seconds of processor time a process and all it has started have used."""
    parents: dict[int, list[int]] = {}
    used: dict[int, float] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            words = stat.read_text().rpartition(")")[2].split()
            one = int(stat.parent.name)
            parents.setdefault(int(words[1]), []).append(one)
            used[one] = (int(words[11]) + int(words[12])) / _TICKS
    seconds, left = 0.0, [pid]
    while left:
        one = left.pop()
        seconds += used.get(one, 0.0)
        left += parents.get(one, ())
    return seconds


def _nats(stack: ExitStack, home: Path) -> tuple[str, int, int]:
    port = _free_port()
    pid = _start(stack, ["nats-server", "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(home)], home)
    return f"nats://127.0.0.1:{port}", port, pid


def _redis(stack: ExitStack, home: Path) -> tuple[str, int, int]:
    port = _free_port()
    options = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(home), "--save", ""]
    return f"redis://127.0.0.1:{port}", port, _start(stack, ["redis-server", *options], home)


def _rabbitmq(stack: ExitStack, home: Path) -> tuple[str, int, int]:
    port, mapper, distribution = _free_port(), _free_port(), _free_port()
    # Erlang's port mapper would be left behind as a daemon: it is ours, in the foreground, and ended.
    _start(stack, ["epmd", "-address", "127.0.0.1", "-port", str(mapper)], home)
    _wait_for(mapper, "epmd")
    (home / "plugins").write_text("[].")
    pid = _start(
        stack,
        [str(_RABBITMQ)],
        home,
        {
            "HOME": str(home),
            "RABBITMQ_NODENAME": f"bench{port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_MNESIA_BASE": str(home),
            "RABBITMQ_LOG_BASE": str(home),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(home / "none"),
            "RABBITMQ_PID_FILE": str(home / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(mapper),
        },
    )
    return f"amqp://guest:guest@127.0.0.1:{port}/", port, pid


def _start(stack: ExitStack, command: list[str], home: Path, environment: Mapping[str, str] | None = None) -> int:
    words = stack.enter_context((home / f"{Path(command[0]).name}.log").open("wb"))
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=words,
        stderr=words,
        cwd=home,
        env={**os.environ, **(environment or {})},
        process_group=0,
    )
    stack.callback(_end, process)
    return process.pid


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and what it has started in its group."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _wait_for(port: int, name: str) -> None:
    deadline, pause = time.monotonic() + _LIMIT, threading.Event()
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return
        pause.wait(0.1)
    raise TimeoutError(f"{name} does not answer on port {port}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


NATS: Final = Broker("JetStream", "nats-server", "nats-server", "BENCH_NATS", _nats)
REDIS: Final = Broker("Redis stream", "redis-server", "redis-server", "BENCH_REDIS", _redis)
RABBITMQ: Final = Broker("RabbitMQ", str(_RABBITMQ), "rabbitmq-server", "BENCH_RABBITMQ", _rabbitmq)
