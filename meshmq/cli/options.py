"""How the commands are parsed: options that all of them take, and a parser that takes them anywhere."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from meshmq.errors import ConfigError, MeshError
from meshmq.names import TAP, check_name, check_pattern, check_service, check_topic

_N = TypeVar("_N")


class Parser(argparse.ArgumentParser):
    """Takes options between positionals, too: ``push jobs --timeout 5 1 2``."""

    def __init__(self, *, mixed: bool = True, **options: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **options)
        self._mixed = mixed

    # argparse overloads it for namespaces of other types, and one signature serves them all.
    def parse_known_args(  # type: ignore[override]  # see above
        self, args: Iterable[str] | None = None, namespace: _N | None = None
    ) -> tuple[_N | argparse.Namespace, list[str]]:
        """Parse what it knows; the positionals after the options."""
        # The mixed way calls this again, for its two passes; "--" ends the options and mixes nothing.
        words = list(args) if args is not None else None
        if not self._mixed or (words is not None and "--" in words):
            return cast("tuple[_N | argparse.Namespace, list[str]]", super().parse_known_args(words, namespace))
        self._mixed = False
        try:
            return cast(
                "tuple[_N | argparse.Namespace, list[str]]", super().parse_known_intermixed_args(words, namespace)
            )
        finally:
            self._mixed = True


class UsageError(MeshError):
    """What was typed or read is not what the command takes: exit code 2."""


def add_shared(parser: argparse.ArgumentParser, *, place: str) -> None:
    """Add the options of all commands; ``place`` is ``before`` or ``after`` the command.

    What was given before the command stays unless it is given again after it; peers add up.
    """
    group = parser.add_argument_group("options of every command")
    unset: Any = argparse.SUPPRESS
    group.add_argument("--mesh", type=mesh, default=unset, metavar="NAME", help="the mesh to join (MESHMQ_MESH)")
    group.add_argument(
        "--peer",
        action="append",
        default=unset,
        dest=f"peers_{place}",
        metavar="HOST:PORT",
        help="the control port of a node that leads to the others; may be given again (MESHMQ_PEERS)",
    )
    group.add_argument(
        "--secret-file", type=Path, default=unset, metavar="FILE", help="holds the secret (MESHMQ_SECRET_FILE)"
    )
    group.add_argument(
        "--insecure", action="store_true", default=unset, help="meet other machines without a secret, in clear"
    )
    group.add_argument("--name", type=node, default=unset, help="what this node is called (MESHMQ_NAME)")
    group.add_argument(
        "-v", action="count", default=unset, dest=f"loud_{place}", help="say more on stderr; -vv says everything"
    )


def complete(arguments: argparse.Namespace) -> argparse.Namespace:
    """Fill in what was not given, and join what was given before and after the command."""
    given = vars(arguments)
    for name, default in (("mesh", None), ("secret_file", None), ("insecure", False), ("name", None)):
        given.setdefault(name, default)
    given["peers"] = tuple(given.pop("peers_before", ())) + tuple(given.pop("peers_after", ()))
    given["loud"] = given.pop("loud_before", 0) + given.pop("loud_after", 0)
    return arguments


def mesh(text: str) -> str:
    """Return ``text`` if it can name a mesh."""
    return _name("mesh", text)


def node(text: str) -> str:
    """Return ``text`` if it can name a node."""
    return _name("node", text)


def queue(text: str) -> str:
    """Return ``text`` if it can name a queue."""
    return _name("queue", text)


def topic(text: str) -> str:
    """Return ``text`` if a program may publish to it."""
    return _checked(lambda: check_topic(text))


def group(text: str) -> str:
    """Return ``text`` if it can name a group of subscribers."""
    return _name("group", text)


def service(text: str) -> str:
    """Return ``text`` if it can name a service."""
    return _name("service", text)


def served(text: str) -> str:
    """Return ``text`` if a program may serve it."""
    return _checked(lambda: check_service(text))


def pattern(text: str) -> str:
    """Return ``text`` if topics can be subscribed to by it."""
    return _checked(lambda: check_pattern(text))


def tapped(text: str) -> str:
    """Return ``text`` if it can name what is tapped: a queue, a service or a topic, or a pattern of some."""
    _checked(lambda: check_pattern(TAP + pattern(text)))
    return text


def seconds(text: str) -> float:
    """Return ``text`` as a number of seconds above 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return number


def hz(text: str) -> float:
    """Return ``text`` as a span; what stands behind ``--hz`` may be meant as something else."""
    try:
        return seconds(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}; write --hz after the patterns, or --hz 1") from None


def rate(text: str) -> float:
    """Return ``text`` as a number a second above 0."""
    try:
        return seconds(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number a second above 0") from None


def since(text: str) -> Literal["first", "last"] | int | float:
    """Return ``text`` as ``node.subscribe`` takes it: a number of a message, or seconds where an ``s`` ends it."""
    if text == "first":
        return "first"
    if text == "last":
        return "last"
    if text.endswith("s"):
        return seconds(text.removesuffix("s"))
    try:
        return count(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not first, last, a number from 1, or seconds as in 30s"
        ) from None


def count(text: str) -> int:
    """Return ``text`` as a whole number from 1."""
    if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)


def target(text: str) -> str:
    """Return ``text`` if it is ``MODULE:NODE``."""
    split_target(text)
    return text


def split_target(text: str) -> tuple[str, str]:
    """Return the name of a module and the name of a node in it."""
    module, colon, attribute = text.partition(":")
    if not (colon and attribute.isidentifier() and all(part.isidentifier() for part in module.split("."))):
        raise argparse.ArgumentTypeError(f"{text!r} is not MODULE:NODE, as in package.module:node")
    return module, attribute


def _name(kind: str, text: str) -> str:
    return _checked(lambda: check_name(kind, text))


def _checked(check: Callable[[], str]) -> str:
    try:
        return check()
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
