"""Tells what belongs to the parent process that it is in a child now."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from contextlib import ExitStack

_told: set[weakref.WeakMethod[Callable[[], None]]] = set()


def tell_in_child(method: Callable[[], None]) -> None:
    """Have a bound method called in every child process, as long as its object lives."""
    _told.add(weakref.WeakMethod(method, _told.discard))


def _after_fork() -> None:
    with ExitStack() as all_of_them:  # one that fails keeps no other from learning it
        for reference in list(_told):
            method = reference()
            if method is not None:
                all_of_them.callback(method)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
