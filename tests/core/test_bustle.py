"""Everything users do with queues, under everything networks do to them; and mutants that are caught."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Sequence

import pytest

from meshmq.core.hands import Hand
from meshmq.core.inbox import Inbox
from meshmq.core.outbox import Outbox
from meshmq.core.presence import Presence
from meshmq.core.pulse import Pulse
from meshmq.core.routes import Route
from meshmq.core.session import Session
from meshmq.core.stream import Stream
from meshmq.testing import Faults, SimulationFailed, simulate
from meshmq.wire.frames import Kind
from tests.core.bustle import Bustle
from tests.replays import hold, hold_halves, same_everywhere
from tests.scale import scale

SCENARIO = "tests.core.bustle:Bustle"


@pytest.mark.timeout(scale(test=240, stress=1_800))
def test_no_job_is_lost_and_all_books_balance() -> None:
    hold_halves(SCENARIO, scale(test=8, stress=500))


def test_the_same_seed_is_the_same_run_in_every_process() -> None:
    same_everywhere(SCENARIO, 10, scale(test=2, stress=5))


@pytest.mark.stress
@pytest.mark.timeout(900)
def test_what_comes_twice_and_clocks_that_jump_do_no_harm() -> None:
    odd = ["--fault", "doubles=2", "--fault", "jumps=0.5", "--fault", "drift=0.05"]
    count = 100
    hold(SCENARIO, (9_000, count, odd), (10_000, count, [*odd, "--set", "thrift=1"]))


@pytest.mark.stress
@pytest.mark.timeout(900)
def test_who_was_parted_meets_again_without_discovery() -> None:
    parted = ["--set", "refresh=0"]
    hold(SCENARIO, (5_000, 40, parted), (6_000, 40, [*parted, "--set", "thrift=1"]))


def test_jobs_of_one_pusher_come_to_one_worker_in_order() -> None:
    for seed in range(scale(test=2, stress=100)):
        bustle = Bustle(trouble=0, leaves=0, large=0.2, seconds=2)
        simulate(seed, scenario=bustle, faults=Faults.none(until=13))
        for worker in bustle.workers.values():
            for pusher in {origin for origin, _ in worker.begun}:
                numbers = [number for origin, number in worker.begun if origin == pusher]
                assert numbers == sorted(numbers), f"seed {seed}: {worker.node.name} {worker.queue}"


@pytest.mark.stress
@pytest.mark.timeout(900)
def test_one_that_nobody_can_dial_is_one_of_them() -> None:
    count = scale(test=3, stress=50)
    hold(SCENARIO, (7_000, count, ["--set", "hidden=4"]), (8_000, count, ["--set", "hidden=1"]))


def skip_the_replay(patch: pytest.MonkeyPatch) -> None:
    whole = Session._attach

    def attach(self: Session, connection: int, received: int, now: float, *, answer: bool = False) -> None:
        self._stream.kept.clear()
        self._stream.kept_bytes = 0
        whole(self, connection, received, now, answer=answer)

    patch.setattr(Session, "_attach", attach)


def keep_nothing(patch: pytest.MonkeyPatch) -> None:
    def keep(self: Stream, kind: Kind, frames: Sequence[bytes], now: float) -> int:
        self.sent += 1
        return self.sent

    patch.setattr(Stream, "keep", keep)


def ack_what_is_begun(patch: pytest.MonkeyPatch) -> None:
    whole = Inbox._begin

    def begin(self: Inbox, hand: Hand) -> None:
        whole(self, hand)
        if not hand.said:
            self._confirm(hand, hand.position + 1)

    patch.setattr(Inbox, "_begin", begin)


def flag_no_repeat(patch: pytest.MonkeyPatch) -> None:
    whole = Outbox.lose

    def lose(self: Outbox, peer: bytes, now: float, *, clean: bool) -> int:
        for run in self.routes[peer].flights if peer in self.routes else ():
            run.attempts -= 1
        return whole(self, peer, now, clean=clean)

    patch.setattr(Outbox, "lose", lose)


def forget_what_was_lost(patch: pytest.MonkeyPatch) -> None:
    whole = Outbox.lose

    def lose(self: Outbox, peer: bytes, now: float, *, clean: bool) -> int:
        if peer in self.routes:
            self.routes[peer].flights = deque()
        return whole(self, peer, now, clean=clean)

    patch.setattr(Outbox, "lose", lose)


def send_beyond_the_grant(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Route, "free", property(lambda route: 3))


def hold_what_was_refused(patch: pytest.MonkeyPatch) -> None:
    def holds(self: Hand, origin: bytes, number: int) -> bool:
        return self.batch.origin == origin and self.floor <= number - self.batch.first < self.end

    patch.setattr(Hand, "holds", holds)


def doubt_nobody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Presence, "_doubt", lambda self, peer, now: None)


def ping_nobody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Pulse, "deadline", lambda self, uncovered_since: 1e18)


def take_rest_for_a_last_word(patch: pytest.MonkeyPatch) -> None:
    whole = Inbox.take

    def take(self: Inbox, consumer: Hashable, now: float, *, limit: int | None = None) -> Hand:
        until = self._askers._until.get(consumer)
        try:
            return whole(self, consumer, now, limit=limit)
        finally:
            self._askers._until[consumer] = until

    patch.setattr(Inbox, "take", take)


def simulate_many(seeds: range) -> None:
    for seed in seeds:
        simulate(seed, scenario=Bustle())


@pytest.mark.parametrize(
    "mutate",
    [
        skip_the_replay,
        keep_nothing,
        ack_what_is_begun,
        flag_no_repeat,
        forget_what_was_lost,
        send_beyond_the_grant,
        hold_what_was_refused,
        doubt_nobody,
        ping_nobody,
        take_rest_for_a_last_word,
    ],
)
def test_a_mutant_is_caught(mutate: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    mutate(monkeypatch)
    with pytest.raises(SimulationFailed, match=r"replay it with: python -m meshmq.testing --seed"):
        simulate_many(range(60))
