"""Everything publishers and subscribers do, under everything networks do to them; and mutants that are caught."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from meshmq.core.feed.flow import Flow
from meshmq.core.feed.publisher import Publisher
from meshmq.core.feed.sorter import Sorter
from meshmq.core.feed.subscriber import Subscriber
from meshmq.core.feed.subscription import Subscription
from meshmq.core.feed.tap import Tap
from meshmq.testing import Faults, SimulationFailed, simulate
from tests.core.feed.market import Market
from tests.replays import hold, hold_halves, same_everywhere
from tests.scale import scale

SCENARIO = "tests.core.feed.market:Market"
UNTIL = ["--fault", "until=15.0"]


def hold_both(first: int, count: int, *more: str) -> None:
    """Simulate publishers that keep everything beside those who keep nothing."""
    options = [*UNTIL, *more]
    hold(SCENARIO, (first, count, options), (first + 10_000, count, [*options, "--set", "kept=False"]))


@pytest.mark.timeout(scale(test=120, stress=1_800))
def test_every_message_is_heard_or_told_as_missed_in_order_once() -> None:
    hold_both(0, scale(test=2, stress=40))


@pytest.mark.stress
@pytest.mark.timeout(1_800)
def test_large_values_keep_their_place_among_small_ones() -> None:
    hold_both(20_000, 20, "--set", "large=0.3")


@pytest.mark.stress
@pytest.mark.timeout(1_800)
def test_nodes_that_die_and_stop_often_harm_nobody_else() -> None:
    hold_both(40_000, 20, "--fault", "crashes=0.5", "--fault", "stalls=0.6")


@pytest.mark.timeout(scale(test=120, stress=1_800))
def test_large_values_that_are_given_up_under_way_are_told_as_missed() -> None:
    tight = [*UNTIL, "--set", "kept=False", "--set", "large=0.4", "--set", "tight=500000"]
    hold_halves(SCENARIO, scale(test=2, stress=20), *tight, first=80_000)


@pytest.mark.stress
@pytest.mark.timeout(scale(test=120, stress=1_800))
def test_one_that_nobody_can_dial_hears_and_is_heard() -> None:
    hold_both(60_000, scale(test=1, stress=20), "--set", "hidden=4")


@pytest.mark.parametrize("kept", [True, False])
def test_where_nothing_is_lost_on_the_way_nothing_is_told_as_missed(*, kept: bool) -> None:
    for seed in range(scale(test=1, stress=20)):
        market = Market(kept=kept)
        simulate(seed, scenario=market, faults=Faults.none(until=15))
        for listener in market.listeners:
            enough = listener.subscription.capacity >= 10_000
            assert not (enough and listener.subscription.lost), f"seed {seed}: {listener.subscription!r}"


@pytest.mark.stress
def test_the_same_seed_is_the_same_run_in_every_process() -> None:
    same_everywhere(SCENARIO, 3, scale(test=1, stress=4), *UNTIL)


def tell_no_heads(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Publisher, "tell_heads", lambda self, told, now, peers=None, *, stamp=0: None)


def fetch_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Sorter, "fetched", lambda self, tap, subscription, flow, upto: None)


def keep_credit_of_a_session_that_ended(patch: pytest.MonkeyPatch) -> None:
    def cut(self: Subscriber, publisher: bytes) -> None:
        tap = self.taps.get(publisher)
        if tap is not None:
            before = tap.connection
            tap.hang_up()
            self._connect(tap, before)
            tap.restart(self.subscriptions.values())

    patch.setattr(Subscriber, "cut", cut)


def ask_only_once(patch: pytest.MonkeyPatch) -> None:
    whole = Tap.restart

    def restart(self: Tap, subscriptions: Iterable[Subscription]) -> None:
        whole(self, () if self.answered else subscriptions)

    patch.setattr(Tap, "restart", restart)


def skip_the_hungry(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Sorter, "look_again", lambda self: self.hungry.clear())


def lose_the_count(patch: pytest.MonkeyPatch) -> None:
    whole = Flow.rebase
    patch.setattr(Flow, "rebase", lambda self, base: whole(self, base + 1))


def simulate_many(seeds: range) -> None:
    for seed in seeds:
        for kept in (True, False):
            simulate(seed, scenario=Market(kept=kept), faults=Faults(until=15))


@pytest.mark.stress
@pytest.mark.parametrize(
    "mutate",
    [
        tell_no_heads,
        fetch_nothing,
        keep_credit_of_a_session_that_ended,
        ask_only_once,
        skip_the_hungry,
        lose_the_count,
    ],
)
def test_a_mutant_is_caught(mutate: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    mutate(monkeypatch)
    with pytest.raises(SimulationFailed, match=r"replay it with: python -m meshmq.testing --seed"):
        simulate_many(range(8))
