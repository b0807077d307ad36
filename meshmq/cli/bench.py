"""``meshmq bench``: how fast this is here, and next to bare sockets."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any, Final, get_args

from meshmq.bench.actors import Troupe
from meshmq.bench.far import Host, meet, service
from meshmq.bench.kinds import Run, Side, mesh, plain
from meshmq.bench.plot import check_plot, draw
from meshmq.bench.rounds import Compared, Scene, compare
from meshmq.bench.table import document, headline, machine_line, run_line, text
from meshmq.bench.values import check_arrays
from meshmq.bench.work import Kind, Transport, Work
from meshmq.cli.joining import is_alone, joined, secret_of
from meshmq.cli.options import UsageError, add_shared, count, rate
from meshmq.cli.plain import to_line
from meshmq.cli.terminal import line, words
from meshmq.errors import ConfigError
from meshmq.links.security import load_secret

#: How many messages a round has where nobody says: about half a second.
_COUNTS: Final[dict[Kind, int]] = {"push": 200_000, "publish": 100_000, "request": 5_000, "discover": 5}
#: ... or of large ones how many bytes; and how large they are.
_BYTES: Final = 2_000_000_000
_SIZES: Final[dict[Kind, tuple[int, ...]]] = {"large": (1_000_000, 16_000_000)}
_ASYNC_SHARE: Final = 5
_UNITS: Final = {"kib": 1 << 10, "mib": 1 << 20, "kb": 1_000, "mb": 1_000_000, "k": 1_000, "m": 1_000_000}
#: Seconds to wait for the other machine.
_MEET: Final = 15.0

_EPILOG: Final = """\
What is measured, between processes of this machine that have no other work:
  push      small dicts, or bytes of --size, pushed and acked (by bare sockets: PUSH and PULL, not acked)
  publish   the same, published as fast as it goes; what the slowest subscriber gets (PUB and SUB)
  request   round trips (DEALER and ROUTER), in clear
  large     bytes, or numpy's arrays with --array, pushed and acked (PUSH and PULL, copy=False, not acked)
  discover  from opening a node to the ack of its first job, and until it knows all who are there; and the first of
            these again from the start of a program, with all its imports

Rounds of all sides alternate. Shown are medians; a ratio is the median of the rounds' ratios of MeshMQ to the other:
of rates more is better, of times and processor time (both ends together) less.

Percentiles are corrected for coordinated omission. With --rate requests are sent on a schedule, and each counts from
the moment it was meant to be sent. Without, one is sent when the one before is answered, and values are added for those
that a slow one kept from being sent, as HdrHistogram's recordValueWithExpectedInterval does; expected is the median.
"Typical" is the median as it was measured.
(Gil Tene, "How NOT to Measure Latency"; https://hdrhistogram.github.io/HdrHistogram/)

Between two machines the receivers run where --serve is, and the senders where --to is, over TCP, on any ports; with
--baseline, given at both ends, bare sockets, in clear and open to the network while they are measured, too.

--json gives {"machine": {...}, "results": [{"title", "work", "rounds", "sides": {NAME: {"median", "runs"}}, "ratios"}]}
with figures by name: rate (a second), bytes (MB a second), average, lost (%), typical and p50 to p100 (microseconds),
first, roster and start (milliseconds), cpu (seconds for a million sent), cpu_heard (for a million that came: of what
is published a bare socket drops what is too much, and what is dropped costs no subscriber anything).

examples:
  meshmq bench push --baseline
  meshmq bench push --senders 4 --size 100,10kB --transport ipc,tcp --json
  meshmq bench publish --receivers 8 --baseline
  meshmq bench request --async --in-flight 32 --baseline --plot request.png
  meshmq bench request --rate 1000
  meshmq bench large --array --secure
  meshmq bench discover --receivers 10
  meshmq bench push --serve --insecure             on one machine
  meshmq bench push --to 192.0.2.7:40001 --insecure     on the other
"""


def add_arguments(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "bench", help="how fast it is here", description="Measure how fast this is here.", epilog=_EPILOG
    )
    parser.add_argument("kind", choices=get_args(Kind), metavar="KIND", help="push, publish, request, large, discover")
    parser.add_argument("--count", type=count, metavar="N", help="so many messages a round, of all senders together")
    parser.add_argument(
        "--size", type=sizes, metavar="BYTES", help="bytes instead of small dicts; several as in 100,64KiB,1MB"
    )
    parser.add_argument("--array", action="store_true", help="numpy's arrays of that size (the extra numpy)")
    parser.add_argument("--senders", type=count, default=1, metavar="N", help="so many processes send (default: 1)")
    parser.add_argument("--receivers", type=count, default=1, metavar="N", help="so many receive (default: 1)")
    parser.add_argument(
        "--async", action="store_true", dest="is_async", help="AsyncNode, and zmq.asyncio, instead of threads"
    )
    parser.add_argument(
        "--transport", type=transports, metavar="NAMES", help="ipc (default), tcp, or ipc,tcp: for both sides"
    )
    parser.add_argument("--secure", action="store_true", help="with a secret, made for each run: MeshMQ encrypts")
    parser.add_argument(
        "--in-flight", type=count, default=1, metavar="N", help="requests at a time: threads, or tasks (default: 1)"
    )
    parser.add_argument("--rate", type=rate, metavar="N", help="so many requests a second, on a schedule")
    parser.add_argument("--baseline", action="store_true", help="do the same with bare pyzmq and msgpack, in turn")
    parser.add_argument("--rounds", type=count, default=5, metavar="N", help="so many (default: 5)")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw a picture, too (the extra plot)")
    parser.add_argument("--serve", action="store_true", help="be the receivers for another machine")
    parser.add_argument("--to", type=where, metavar="HOST:PORT", help="send to the machine that serves there")
    add_shared(parser, place="after")
    parser.set_defaults(run=run)


def sizes(text: str) -> tuple[int, ...]:
    """Return ``text`` as sizes in bytes."""
    return tuple(map(_size, text.split(",")))


def transports(text: str) -> tuple[Transport, ...]:
    """Return ``text`` as names of transports."""
    known: tuple[Transport, ...] = get_args(Transport)
    found = tuple(one for name in text.split(",") for one in known if name == one)
    if len(found) != text.count(",") + 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not ipc, tcp or ipc,tcp")
    return found


def where(text: str) -> tuple[str, int]:
    """Return ``text`` as a host and a port."""
    host, _, port = text.rpartition(":")
    if not (host and port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16):
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, as --serve prints it")
    return host, int(port)


def run(arguments: argparse.Namespace) -> int:
    """Measure, or be the other end.

    Raises:
        UsageError: what was typed does not fit together.
        MeshError: a process has ended, or the other machine does not answer.
    """
    _check(arguments)
    if arguments.serve:
        return _serve(arguments)
    all_compared = works(arguments)
    if arguments.to is None:
        return _measure(arguments, all_compared, Scene(Troupe(), Troupe()))
    host, port = arguments.to
    arguments.peers = (*arguments.peers, f"{host}:{port}")
    with joined(arguments) as node:
        scene = Scene(
            Troupe(), meet(node, host, port, _MEET), os.environ.get("MESHMQ_INTERFACES", ""), _secret(arguments)
        )
        return _measure(arguments, all_compared, scene)


def _count(arguments: argparse.Namespace, size: int | None) -> int:
    if arguments.kind == "large" and size is not None:
        return max(1, _BYTES // size)
    return _COUNTS[arguments.kind] // (_ASYNC_SHARE if arguments.is_async else 1)


def works(arguments: argparse.Namespace) -> list[Compared]:
    """Return what is to be compared, as the options say."""
    face: Any = "async" if arguments.is_async else "sync"
    far = arguments.to is not None
    usual: tuple[Transport, ...] = ("tcp",) if far else ("ipc",)
    sides = [side(arguments.kind, face) for side in (mesh, plain)[: 1 + arguments.baseline]]
    return [
        Compared(
            Work(
                kind=arguments.kind,
                count=arguments.count or _count(arguments, size),
                size=size,
                array=arguments.array,
                senders=arguments.senders,
                receivers=arguments.receivers,
                face=face,
                transport=transport,
                secure=_secret(arguments) is not None if far else arguments.secure,
                in_flight=arguments.in_flight,
                rate=arguments.rate,
            ),
            sides,
        )
        for size in arguments.size or _SIZES.get(arguments.kind, (None,))
        for transport in arguments.transport or usual
    ]


def _measure(arguments: argparse.Namespace, all_compared: list[Compared], scene: Scene) -> int:
    watched = sys.stderr is not None and sys.stderr.isatty()

    def progress(number: int, compared: Compared, side: Side, run: Run) -> None:
        done = [one for one in compared.sides if len(compared.runs.get(one.name, ())) == number]
        if watched or len(done) == len(compared.sides):
            told = [(side, run)] if watched else [(one, compared.runs[one.name][-1]) for one in compared.sides]
            figures = ", ".join(run_line(compared.work, *each) for each in told)
            words(f"round {number} of {arguments.rounds}: {headline(compared.work)}: {figures}")

    code = 0
    try:
        compare(all_compared, scene, arguments.rounds, progress)
    except KeyboardInterrupt:
        words("ended early; this is what there is")
        code = 130
    finally:
        scene.close()
    done = [compared for compared in all_compared if compared.runs]
    if arguments.json:
        line(to_line(document(done)))
    else:
        line("\n\n".join([machine_line(), *map(text, done)]))
    if arguments.plot and done:
        draw(done, arguments.plot)
    return code


def _serve(arguments: argparse.Namespace) -> int:
    host = Host(
        arguments.kind,
        baseline=arguments.baseline,
        interfaces=os.environ.get("MESHMQ_INTERFACES", ""),
        secret=_secret(arguments),
    )
    try:
        with joined(arguments, takes_port=True) as node:
            reached = [address.removeprefix("tcp://") for address in node.addresses if address.startswith("tcp://")]
            node.reply(service(int(reached[0].rpartition(":")[2])), concurrency=1)(host.answer)
            more = "".join(
                f" {option}"
                for option, given in (
                    ("--baseline", arguments.baseline),
                    ("--insecure", arguments.insecure),
                    (f"--mesh {arguments.mesh}", arguments.mesh),
                    (f"--secret-file {arguments.secret_file}", arguments.secret_file),
                )
                if given
            )
            words("on the other machine type (the first address that it reaches); Ctrl-C ends this")
            for address in reached:
                line(f"meshmq bench {arguments.kind} --to {address}{more}")
            node.run()
    finally:
        host.close()
    return 0


def _secret(arguments: argparse.Namespace) -> str | None:
    return load_secret(secret_of(arguments), os.environ)


def _check(arguments: argparse.Namespace) -> None:
    kind = arguments.kind
    far = arguments.serve or arguments.to is not None
    for given, wrong in (
        (arguments.serve and arguments.to, "--serve is for one machine and --to for the other"),
        (far and is_alone(arguments), "other machines are met with a secret ('meshmq keys new') or with --insecure"),
        (far and arguments.secure, "between machines the secret is that of --secret-file or MESHMQ_SECRET"),
        (far and arguments.transport not in (None, ("tcp",)), "between machines all goes over tcp"),
        (arguments.insecure and not far, "--insecure is for --serve and --to; here only --transport tcp is in clear"),
        (arguments.peers and not arguments.to, "--peer is for --to; the nodes of a bench meet each other alone"),
        (kind != "request" and arguments.in_flight > 1, f"--in-flight is for 'request', not for {kind!r}"),
        (kind != "request" and arguments.rate, f"--rate is for 'request', not for {kind!r}"),
        (kind == "discover" and arguments.senders > 1, "of 'discover' one sender comes; --receivers are there"),
        (kind in ("large", "discover") and arguments.is_async, f"{kind!r} is measured without --async"),
        (kind == "discover" and (arguments.size or arguments.array), "'discover' has one small job"),
        (arguments.array and kind != "large", f"--array is for 'large', not for {kind!r}"),
        (arguments.senders * arguments.in_flight > (arguments.count or 1 << 62), "--count is less than who sends"),
    ):
        if given:
            raise UsageError(wrong)
    try:
        if arguments.plot:
            check_plot(arguments.plot)
        if arguments.array:
            check_arrays()
    except ConfigError as error:
        raise UsageError(str(error)) from error


def _size(text: str) -> int:
    letters = text.strip().lower()
    for unit, one in _UNITS.items():
        if letters.endswith(unit):
            return count(letters.removesuffix(unit).strip()) * one
    return count(letters.removesuffix("b").strip())
