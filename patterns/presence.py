"""Know who is here, and hear of it when somebody comes, leaves or dies.

*Problem*: a program shows which cameras are on, or waits until its printer is there. It must not
poll, must tell a goodbye from a crash, and must not show ghosts.

*How it works*: nodes see each other by their connections, not by what somebody announced long ago.
``Presence`` turns the events of the roster into changes, and keeps who is here after each::

    joined          -->  came    here = {camera}
    left (goodbye)  -->  left    here = {}
    lost (killed)   -->  lost    here = {}

*Limits*: a killed process is missed in milliseconds, a stopped machine or a cut cable after some
seconds (``Settings.silence``). Names need not be unique: two nodes called "camera" are two entries,
and it has left when the last of them has. The last 1,000 events are kept: iterate all the time.

*Run*::

    $ meshmq recipe run presence
    camera came; here: camera
    printer came; here: camera, printer
    camera left; here: printer
    printer lost; here: nobody
"""

from __future__ import annotations

import multiprocessing
import secrets
import threading
from collections.abc import Iterator
from typing import Literal

import meshmq

Change = Literal["came", "left", "lost"]


class Presence:
    """Who is here, by name, as far as it has been iterated.

    ::

        presence = Presence(node)
        for change, name in presence:
            print(change, name, presence.here)
    """

    def __init__(self, node: meshmq.Node, *, idle: float | None = None) -> None:
        self._events = node.events(idle)
        self._names: dict[str, str] = {}

    @property
    def here(self) -> list[str]:
        """The names of all who are here, sorted, each once."""
        return sorted(set(self._names.values()))

    def __iter__(self) -> Iterator[tuple[Change, str]]:
        """Yield each change, from the oldest; ends when the node closes, or after ``idle`` seconds without one."""
        for event in self._events:
            known = event.name in self._names.values()
            if event.kind == "joined":
                self._names[event.id] = event.name
                if not known:
                    yield "came", event.name
            elif event.kind in ("left", "lost"):
                self._names.pop(event.id, None)
                if known and event.name not in self._names.values():
                    yield "left" if event.kind == "left" else "lost", event.name

    def wait_for(self, name: str) -> bool:
        """Wait until a node of this name is here; ``False`` where ``idle`` or the node's end came first."""
        return name in self._names.values() or any(name in self._names.values() for _ in self)


def demo() -> None:
    """Watch a camera leave and a printer die."""
    mesh = f"presence-{secrets.token_hex(4)}"
    process = multiprocessing.get_context("spawn").Process
    camera, printer = (process(target=_stay, args=(mesh, name), daemon=True) for name in ("camera", "printer"))
    with meshmq.Node("watcher", mesh=mesh) as node:
        presence = Presence(node, idle=20)
        camera.start()
        for change, name in presence:
            print(f"{name} {change}; here: {', '.join(presence.here) or 'nobody'}", flush=True)
            match change, name:
                case "came", "camera":
                    printer.start()
                case "came", "printer":
                    camera.terminate()  # SIGTERM: it says goodbye
                case "left", "camera":
                    printer.kill()  # SIGKILL: it cannot
                case _:
                    break
    for child in (camera, printer):
        child.join()


def _stay(mesh: str, name: str) -> None:
    with meshmq.Node(name, mesh=mesh):
        threading.Event().wait()


if __name__ == "__main__":
    demo()
