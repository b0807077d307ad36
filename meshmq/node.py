"""What both faces share: leaving, and every call that does not wait."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from threading import get_ident
from typing import Any, Final

from meshmq import wishes
from meshmq.calling import Timeout, check_asking
from meshmq.codecs.base import Codec
from meshmq.core.calls.call import Asking
from meshmq.core.participant import Participant
from meshmq.core.tray import TRAY_BYTES
from meshmq.errors import ConfigError, Undelivered
from meshmq.history import History
from meshmq.letters import answer
from meshmq.links.engine import Engine
from meshmq.links.interrupts import release_signals, shield
from meshmq.names import check_name, check_topic
from meshmq.pushing import Pusher
from meshmq.request import Request
from meshmq.seeing import PeerView, peer_views, statistics
from meshmq.waiting import Wish
from meshmq.wire.calls import Value
from meshmq.wire.headers import Headers

#: The most seconds that closing takes once nothing is waited for any more.
CLOSING: Final = 5.0


class BaseNode(Pusher):
    """One participant of a mesh: what ``Node`` and ``AsyncNode`` have in common.

    Every argument is optional; what is not given comes from the environment (``MESHMQ_NAME``,
    ``MESHMQ_MESH``, ``MESHMQ_SECRET`` or ``MESHMQ_SECRET_FILE``, ``MESHMQ_PEERS``, ``MESHMQ_PORT``),
    then from the default.

    Raises:
        ConfigError: an argument or a variable cannot be used.
    """

    def _may_leave(self) -> bool:
        """Whether there is something to close, and it is ours."""
        with self._opening:
            if self._engine is None or self._engine.forked:
                self._closed = True
            return not self._closed

    def _steps_to_leave(self, hard: float | None) -> Iterator[Wish[None]]:
        """Leave, as far as that needs no waiting; what is to be waited for before the next step is yielded."""
        engine, participant = self._opened()
        began, drain = engine.now(), self.settings.drain
        if self._crews:
            with engine.gate:
                engine.check()
                participant.drain(engine.now())
                engine.flush()
            self._end_handlers()  # before pushes raise: what runs may push still
            yield wishes.handled(self._crews_at_work, hard, drain)
            for crew in self._crews_at_work():
                crew.tell_unfinished()
        self._begin_to_leave()
        yield wishes.left(participant, None if hard is None else max(0.0, began + hard - engine.now()), drain)

    def _drain_wish(self) -> Wish[None]:
        """Wish that somebody has the node drained."""
        return wishes.drain_begun(lambda: self._draining)

    def _handled_wish(self) -> Wish[None]:
        """Wish that handlers, which take nothing new, are done with what they run, however long that takes."""
        return wishes.handled(self._crews_at_work, None, inf)

    def _begin_to_leave(self) -> None:
        """Take nothing more: receivers are closed, pushes raise, peers are told."""
        self._close_receivers()
        engine, participant = self._opened()
        with engine.gate:
            if not engine.closed:
                self._leaving = True
                engine.catch_up()  # what receivers give back goes before the goodbye
                participant.clear_trays(engine.now(), close=True)
                participant.drain(engine.now())
                participant.woken.extend((("outbox", queue), 1_000_000) for queue in participant.outboxes)
                engine.flush()

    def _withdraw(self) -> None:
        """End discovery; may take a second."""
        self._closed, self._closer = True, get_ident()
        for discovery in self._opened_with.discoveries if self._opened_with is not None else ():
            discovery.close()

    def _shut(self, linger: float) -> Undelivered | None:
        """Say goodbye and close everything, after leaving or instead of it; returns what is left."""
        engine, participant = self._engine, self._participant
        assert engine is not None
        assert participant is not None

        def last() -> None:
            self._leaving = True
            engine.catch_up()
            participant.clear_trays(engine.now(), close=True)
            self._left = _left_behind(participant)  # before the goodbye, which ends what is in flight
            participant.farewell(engine.now())

        with shield:
            engine.close(linger, last)
            if self._driver is not None:
                self._driver.detach()
        if self._left is None:  # of one that broke there was no last
            participant.clear_trays(engine.now(), close=True)
            self._left = _left_behind(participant)
        if self._watchdog is not None:
            self._watchdog.stop()
        release_signals(self._id)
        self._take_back()
        self._over.set()
        return self._left

    def _let_it_close(self) -> None:
        """Wait while another thread closes the node: who ends the process now would take the sockets from it."""
        if self._engine is None or self._engine.forked or self._closer == get_ident():
            return
        if not self._over.wait(CLOSING):
            self._shut(0.0)

    # -- calls that do not wait ------------------------------------------------------------------

    def peers(self) -> list[PeerView]:
        """Return the peers that are here now, by name. Never waits; opens the node if need be."""
        engine, participant = self._opened()
        with engine.gate:
            engine.check()
            return peer_views(participant, engine.now())

    def stats(self) -> dict[str, Any]:
        """Return the node's counters. Never waits; opens the node if need be.

        ``queues`` has for each queue what this node pushed (``pushed``, ``acked``, ``depth``,
        ``bytes``, ``in_flight``, ``redelivered``, ``returned``, ``refused``, ``dropped``) and what it
        pulled (``received``, ``done``, ``waiting``, ``in_custody``, ``repeats``, ...), each with what was
        measured since the node opened: λ (arrivals per second), μ (how many one second of work does), ρ (utilisation:
        the share of the time at work), L (how many are in the system, mean) and W (seconds one spends
        there, mean). L and W are of jobs that are done. At work is, for what was pulled, when a consumer
        here had a job in hand: from when it got it until it asked for the next. For what was pushed it
        is when any worker had a job of this node, on its way and waiting there included: what else
        those workers do is not known here. So λ/μ is ρ where all that came is done. A queue that is pulled
        no more keeps its numbers, and goes on with them when it is pulled again.

        ``topics`` has for each topic what this node published (``publish``: ``published``, ``bytes``,
        ``subscribers``) and for the patterns of each subscription what came (``subscribe``: ``received``,
        ``in_hand`` of loops, ``waiting``, and ``missed`` by reason: ``lost`` on the way, ``overflowed`` or
        ``superseded`` here, ``unreadable``). The 1,000 busiest are listed, all others are summed up as
        ``other topics``. ``groups`` has, by the name of its queue, each group that gets what this node publishes:
        its ``topics``, ``members``, ``depth``, and ``dropped``, what its queue had no room for.

        ``services`` has for each service what this node asked (``request``: ``asked``, ``outstanding``, and how
        they ended: ``answered``, ``failed``, ``timed_out``, ``cancelled``; ``retried`` and ``moved`` to another
        server, ``refused`` by one, and answers that were ``dropped`` because they came too late) and what it
        served (``reply``: ``received``, which is the sum of ``waiting``, ``running``, ``done``, ``failed``,
        ``cancelled``, ``expired`` and ``refused``; ``repeats`` are counted apart). Of requests that were
        answered W is the seconds until then, of those that ran here from their arrival to their end. ``forwards``
        has what passed through this node as a device, by ``queues``, ``topics`` (patterns) and ``services``. ``tap``
        has each name that may be tapped here, and how many of it were ``copied`` for who does, and ``dropped``: more
        than are copied.
        """
        engine, participant = self._opened()
        with engine.gate:
            engine.check()
            participant.clear_trays(engine.now())
            return statistics(participant, engine.now(), self._dropped_by_links)

    def _tell_statistics(self, request: Request) -> None:
        request.reply(self.stats())

    def _tell_dead(self, request: Request) -> None:
        request.reply(answer(self, request.data))

    def _asking(
        self,
        service: str,
        data: object,
        headers: Headers | None,
        timeout: Timeout,
        *,
        copy: bool = True,
        **options: Any,
    ) -> tuple[Engine, Participant, Codec, Asking]:
        """Check and encode what is asked of a service; returns what ``calling`` makes calls of."""
        service = check_name("service", service)
        body, buffers, headers = self._encode(data, headers, copy=copy)
        asking = check_asking(self.settings, service, Value(body, buffers), headers, timeout=timeout, **options)
        return *self._opened(), self._codec, asking

    def _settled_wish(self) -> Wish[None]:
        return wishes.settled(self._participating())

    def _takers_wish(
        self, count: int, *, pull: str | None, subscribe: str | None, reply: str | None
    ) -> Wish[list[PeerView]]:
        if type(count) is not int or count < 1:
            raise ConfigError(f"wait_for(count={count!r}): it is a whole number from 1")
        if sum(given is not None for given in (pull, subscribe, reply)) != 1:
            raise ConfigError("wait_for(): say whom to wait for by one of pull=, subscribe=, reply=")
        if subscribe is not None:
            topic = check_name("topic", subscribe)
            return wishes.subscribers(self._participating(), topic, count)
        if pull is not None:
            queue = check_name("queue", pull)
            return wishes.pullers(self._participating(), queue, count)
        service = check_name("service", reply)
        return wishes.servers(self._participating(), service, count)

    def _publish_nowait(self, topic: object, data: object, headers: Headers | None, *, copy: bool = True) -> None:
        engine, participant = self._engine, self._participant
        if (
            engine is not None
            and participant is not None
            and headers is None
            and type(topic) is str
            and topic in (intake := participant.feed.intake).known
        ):
            name = topic  # what else it is the check below tells
            body, buffers = self._codec.encode(data, copy=copy)
            tray = intake.tray
            if len(tray.jobs) < tray.room and len(body) <= TRAY_BYTES and not (buffers or engine.closed):
                laid = (topic, body)
                tray.jobs.append(laid)
                if not tray.room:
                    self._look_for(tray, laid)
                return
        else:
            name = check_topic(topic)
            body, buffers, headers = self._encode(data, headers, copy=copy)
        if engine is None or participant is None:
            engine, participant = self._opened()
        with engine.gate:
            if engine.closed or self._leaving:
                self._refuse_push(engine)
            participant.feed.publish(name, body, buffers, headers, engine.now())
            engine.flush()

    def _retain(self, pattern: str, history: History | None, *, durable: bool) -> None:
        if durable and self._journal is None:
            raise ConfigError(
                "topic(durable=True): this node has no journal: give it one, Node(NAME, journal=FILE), "
                "or set MESHMQ_JOURNAL"
            )
        if durable and history is None:
            raise ConfigError("topic(durable=True): say how much of it is kept, as history=1_000")
        with self._opening:
            if self._engine is None and not self._closed:
                self._histories.append((pattern, history, durable))
                return
        engine, participant = self._opened()
        with engine.gate:
            engine.check()
            participant.feed.retain(pattern, history, engine.now(), durable=durable)
            engine.flush()

    def _depth(self, queue: str) -> int:
        self._check_fork()
        outbox = self._participant.outboxes.get(queue) if self._participant is not None else None
        return outbox.depth + len(outbox.tray.jobs) if outbox is not None else 0


def _left_behind(participant: Participant) -> Undelivered | None:
    """Return what is lost with this node; what is durable stays in its journal."""
    queues: dict[str, tuple[int, int]] = {}
    for outbox in participant.outboxes.values():
        if lost := outbox.depth - outbox.durable:
            unsent = outbox.backlog.untouched
            queues[outbox.queue] = (unsent, lost - unsent)
    return Undelivered(queues) if queues else None
