"""What a node holds for its user: receivers and handlers, remembered until it opens, then at work."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final
from weakref import WeakSet

from meshmq.core.participant import Participant
from meshmq.errands import DEAD, DRAIN, STATS, TOPICS, Errand
from meshmq.errors import ClosedError, ConfigError
from meshmq.handling import Crew
from meshmq.incarnation import Closable, Incarnation
from meshmq.links.engine import Engine
from meshmq.names import check_name, check_pattern, check_service
from meshmq.request import Request
from meshmq.seeing import topic_names
from meshmq.supply import ItemT, Supply, Taker
from meshmq.watchdog import Watchdog
from meshmq.wire.card import Forwards

_logger: Final = logging.getLogger("meshmq.node")


class Holder(Incarnation):
    """A node that receives; see ``BaseNode``.

    Receivers are known weakly, so that one that is dropped can go; what they take from is not: a queue
    that was pulled is pulled until its last receiver is closed, or the node.
    """

    def device(self, *, queues: Sequence[str] = (), topics: Sequence[str] = (), services: Sequence[str] = ()) -> None:
        """Stand between many and many for these names, from now on (or from when the node opens) until it closes.

        Peers that see it route through it, and return to direct links when it goes; no program changes.
        Several devices for one name share the load. It owns nothing: whoever pushes keeps each job until a
        worker has confirmed it, and whoever publishes numbers and keeps its messages: gaps are told as without
        it. ``topics`` are patterns; who subscribes to what one of them covers hears it through this node. What it
        forwards it does not push, pull and serve itself; it may publish and subscribe, and does so directly.
        Requests with ``key=`` or ``to=``, surveys, jobs with ``to=``, and what subscribers fetch (large values,
        history, the latest, groups) go directly. Never waits.

        Raises:
            ConfigError: no name is given, or one is none; this node pushes, pulls or serves one itself.
            ClosedError: the node is closed.
        """
        names = _checked(queues, topics, services)
        with self._opening:
            if self._engine is None and not self._closed:
                self._forwards.append(names)
                return
        engine, participant = self._opened()
        with engine.gate:
            engine.check()
            participant.relay.forward(names, engine.now())
            engine.flush()

    def _hold(self, receiver: Closable, supply: Supply[Any]) -> None:
        """Have a receiver's supply take effect: now, or when the node opens."""
        if self._remember(receiver, supply):
            return
        engine, participant = self._opened()
        with engine.gate:
            engine.check()
            if self._leaving or self._draining:
                raise ClosedError(f"node {self.name!r} is being closed: it takes nothing more")
            supply.open(engine, participant)
            self._receivers.setdefault(supply.key, WeakSet()).add(receiver)
            engine.flush()

    def _remember(self, receiver: Closable, supply: Supply[Any]) -> bool:
        with self._opening:  # another thread may be opening it
            if self._engine is not None or self._closed:
                return False
            self._remembered.append(supply)
            self._receivers.setdefault(supply.key, WeakSet()).add(receiver)
            return True

    def _take_effect(self, engine: Engine, participant: Participant) -> None:
        with engine.gate:
            for pattern, history, durable in self._histories:
                participant.feed.retain(pattern, history, engine.now(), durable=durable)
            for supply in self._remembered:
                supply.open(engine, participant)
            for names in self._forwards:
                participant.relay.forward(names, engine.now())
            for service, function in (
                (STATS, self._tell_statistics),
                (TOPICS, self._tell_topics),
                (DRAIN, self._drain_from_afar),
                (DEAD, self._tell_dead),
            ):
                Errand(self._codec, service, function).open(engine, participant)
            engine.flush()

    def _new_taker(self, supply: Supply[ItemT], owner: Closable | None = None) -> Taker[ItemT]:
        """Return a new user of a supply; opens the node if need be."""
        if self._engine is None:
            self._opened()
        taker = supply.taker(owner)
        self._takers.add(taker)
        return taker

    def _man(self, crew: Crew[Any, Any], receiver: Closable) -> None:
        """Have a crew handle what a receiver takes: now, or when the node opens. It is held until that is closed."""
        if self._closed:
            raise ClosedError(f"node {self.name!r} is closed")
        self._crews[receiver] = crew
        if self._engine is not None:
            self._start(crew)

    def _let_go(self, receiver: Closable, supply: Supply[Any]) -> None:
        """Take a receiver away whose takers have left; with the last of its key its supply is closed."""
        with self._opening:
            if self._engine is None:
                self._forget(receiver, supply)
                return
        engine, participant = self._engine, self._participant
        assert participant is not None
        if engine.closed:
            return

        def close() -> None:
            if self._forget(receiver, supply):
                supply.close()
            participant.woken.append((supply.key, 1_000_000))  # each finds out that it is over

        engine.post(close)  # after what the takers have posted

    def _forget(self, receiver: Closable, supply: Supply[Any]) -> bool:
        """Whether that was the last receiver of its key."""
        self._crews.pop(receiver, None)
        others = self._receivers.get(supply.key, WeakSet())
        others.discard(receiver)
        if not others:
            self._receivers.pop(supply.key, None)
            self._remembered = [other for other in self._remembered if other.key != supply.key]
        return not others

    def _end_handlers(self) -> None:
        """Have handlers take nothing new and finish what they run."""
        for receiver in list(self._crews):
            receiver._end()

    def _end_receivers(self) -> None:
        """Have handlers and loops take nothing new, and tell peers so."""
        engine, participant = self._opened()
        with engine.gate:
            engine.check()
            self._draining = True
            receivers = [receiver for receivers in self._receivers.values() for receiver in receivers]
            participant.drain(engine.now())
            participant.woken.append((("drain",), 1_000_000))
            engine.flush()
        for receiver in receivers:
            receiver._end()

    def _drain_from_afar(self, request: Request) -> None:
        request.reply("draining")  # before: it may be all that the node still waits for
        _logger.info("node %r drains: %s asked for it", self.name, request.sender)
        self._end_receivers()

    def _tell_dead(self, request: Request) -> None:
        """Say which dead letters are here, or do with them what is asked."""
        raise NotImplementedError

    def _tell_statistics(self, request: Request) -> None:
        """Answer with ``node.stats()``."""
        raise NotImplementedError

    def _tell_topics(self, request: Request) -> None:
        """Answer with the names of topics; see ``seeing.topic_names``."""
        engine, participant = self._opened()
        with engine.gate:
            names = topic_names(participant.feed)
        request.reply(names)

    def _crews_at_work(self) -> list[Crew[Any, Any]]:
        """Return whose places are not all given up, but for that of who asks."""
        return [crew for crew in list(self._crews.values()) if crew.at_work]

    def _start_crews(self) -> None:
        for crew in list(self._crews.values()):
            self._start(crew)

    def _start(self, crew: Crew[Any, Any]) -> None:
        if self._watchdog is None:
            self._watchdog = Watchdog(self.settings.slow_handler, lambda: list(self._crews.values()), self._tell_stuck)
        self._watchdog.start()
        crew.start()

    def _tell_stuck(self, crews: list[Crew[Any, Any]]) -> None:
        """Say on the card whether work waits for handlers that make no progress."""
        engine, participant = self._engine, self._participant
        if engine is not None and participant is not None and not engine.closed:
            with engine.gate:
                if not engine.closed:
                    stalled = any(crew.supply.waits() for crew in crews)
                    participant.stall(engine.now(), stalled=stalled)
                    engine.flush()

    def _tell_quick(self) -> None:
        """Look at the handlers at once: one that was slow is done."""
        if self._watchdog is not None:
            self._watchdog.ring()

    def _tell_progress(self) -> None:
        """Wake who waits for handlers to be done."""
        engine, participant = self._engine, self._participant
        if engine is not None and participant is not None:
            engine.post(lambda: participant.woken.append((("progress",), 1_000_000)))

    def _close_receivers(self) -> None:
        engine, _ = self._opened()
        with engine.gate:  # others may pull meanwhile
            receivers = [receiver for receivers in self._receivers.values() for receiver in receivers]
        for receiver in receivers:
            receiver.close()


def _checked(queues: Sequence[str], topics: Sequence[str], services: Sequence[str]) -> Forwards:
    for given in (queues, topics, services):
        if isinstance(given, str):
            raise ConfigError(f"device(...): give a list of names, not {given!r}")
    names = Forwards(
        tuple(check_name("queue", queue) for queue in queues),
        tuple(check_pattern(pattern) for pattern in topics),
        tuple(check_service(service) for service in services),
    )
    if not len(names):
        raise ConfigError("device(): say what for by queues=, topics= or services=")
    return names
