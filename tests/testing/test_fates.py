"""Jobs of every fate, for hundreds of seeds; and the bugs that are found within 200."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from meshmq.core.backlog import Backlog
from meshmq.core.claims import Claims
from meshmq.core.durable import Durable
from meshmq.core.endings import Endings
from meshmq.core.exchange import Exchange
from meshmq.core.feed.durables import Durables
from meshmq.core.fetched import Piece
from meshmq.core.hands import Hand
from meshmq.core.inbox import Inbox
from meshmq.core.leases import Leases
from meshmq.core.ledger import Ledger, Store
from meshmq.core.records import Bury, Recovered, StoredJob
from meshmq.core.runs import Run
from meshmq.core.wants import Outcome
from meshmq.testing import Fates, Faults, SimulationFailed, simulate
from meshmq.testing.fates import kind_of
from meshmq.wire.verdicts import Verdict
from tests.scale import scale

#: Of these one finds each bug.
SEEDS_OF_A_BUG = range(200)
#: Bugs that show only where a journal, a crash and what they are about meet: in some seconds, and not at once.
SELDOM = pytest.mark.stress


@pytest.mark.timeout(600)
def test_every_job_ends_once_and_as_its_receipt_says() -> None:
    counts: Counter[str] = Counter()
    for seed in range(scale(test=8, stress=300)):
        counts.update(simulate(seed, scenario=Fates()).counts)
    assert counts["crash"]
    assert counts["wall clock"]


@pytest.mark.timeout(600)
def test_every_job_ends_so_in_a_storm() -> None:
    for seed in range(scale(test=0, stress=100)):
        simulate(5_000 + seed, scenario=Fates(), faults=Faults.few(12, until=10))
    simulate(5106, scenario=Fates(), faults=Faults.few(12, until=10))  # a reader got messages of a publisher's twice


def test_without_faults_receipts_say_what_the_pusher_asked_for() -> None:
    fates = Fates()
    simulate(1, scenario=fates, faults=Faults.none(until=5))
    ended = Counter((kind_of(number), outcome) for number, outcome in fates.receipts.items() if number != fates.killer)
    late = ended.pop(("late", "expired"), 0) + ended.pop(("late", "done"), 0)
    assert late == 10
    expected = dict.fromkeys(("plain", "leased", "delayed", "at", "unique", "keyed"), "done")
    assert ended == dict.fromkeys((*expected.items(), ("poison", "dead"), ("hopeless", "expired")), 10)


def let_leases_last_for_ever(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Leases, "over", lambda self, now: [])


def believe_who_is_overdue(patch: pytest.MonkeyPatch) -> None:
    def take_away(self: Inbox, hand: Hand) -> None:
        self._give_back(hand, [(hand.start, hand.start + 1)], Verdict.OVERDUE)

    patch.setattr(Inbox, "_take_away", take_away)


def keep_no_failure(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Durable, "_note_failure", lambda self, run, due: None)


def forgive_who_comes_again(patch: pytest.MonkeyPatch) -> None:
    whole = Durable._revive

    def revive(self: Durable, number: int, job: StoredJob, since: float, failures: int = 0) -> Run:
        return whole(self, number, job, since)

    patch.setattr(Durable, "_revive", revive)


def lose_the_dead(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Durable, "restore_letter", lambda self, letter: None)


def keep_no_letter(patch: pytest.MonkeyPatch) -> None:
    whole = Ledger.enter

    def enter(self: Ledger, change: object, told: object = None) -> None:
        if not isinstance(change, Bury):
            whole(self, change, told)  # type: ignore[arg-type]  # handed on as it is

    patch.setattr(Ledger, "enter", enter)


def hurry(patch: pytest.MonkeyPatch) -> None:
    whole = Durable._let_go
    patch.setattr(Durable, "_let_go", lambda self, run, key, due: whole(self, run, key, None))


def hurry_after_a_restart(patch: pytest.MonkeyPatch) -> None:
    whole = Durable.restore
    patch.setattr(Durable, "restore", lambda self, job, now: whole(self, replace(job, due=None), now))


def begin_to_count_again(patch: pytest.MonkeyPatch) -> None:
    whole = Durables.recover
    patch.setattr(Durables, "recover", lambda self, found, ledger: whole(self, replace(found, heads={}), ledger))


def forget_claims(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Claims, "left", lambda self, unique, now: 0.0)


def try_all(seeds: range) -> None:
    for seed in seeds:
        simulate(seed, scenario=Fates(), faults=Faults.few(8, until=10))


def forget_claims_at_a_crash(patch: pytest.MonkeyPatch) -> None:
    whole = Exchange.recover

    def recover(self: Exchange, recovered: Recovered, store: Store, now: float) -> None:
        whole(self, replace(recovered, claims={}), store, now)

    patch.setattr(Exchange, "recover", recover)


def let_nothing_expire(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Backlog, "expired", lambda self, now: [])
    patch.setattr(Piece, "expired", lambda self, now: False)


def lie_to_receipts(patch: pytest.MonkeyPatch) -> None:
    whole = Endings._forget

    def forget(self: Endings, run: Run, outcome: Outcome, reason: str = "") -> None:
        whole(self, run, "done", reason)

    patch.setattr(Endings, "_forget", forget)


@pytest.mark.parametrize(
    ("mutate", "sentence"),
    [
        (let_leases_last_for_ever, "is acked, and was not done"),
        (believe_who_is_overdue, "are not answered and|is acked, and was not done"),
        pytest.param(keep_no_failure, "a job that has failed . times? comes back with 0", marks=SELDOM),
        pytest.param(forgive_who_comes_again, "goes out after 3 failures, which are all", marks=SELDOM),
        pytest.param(lose_the_dead, "a dead letter is lost that was in the journal", marks=SELDOM),
        pytest.param(keep_no_letter, "a dead letter comes back as a job", marks=SELDOM),
        (hurry, "before its time"),
        (hurry_after_a_restart, "before its time"),
        pytest.param(begin_to_count_again, r"reads 1 of 'told.n.' after|and it was", marks=SELDOM),
        (forget_claims, "a second job with the id of"),
        (forget_claims_at_a_crash, "a second job with the id of"),
        (let_nothing_expire, "which was over before its time came"),
        (lie_to_receipts, "the receipt of .* says"),
    ],
)
@pytest.mark.timeout(300)
def test_a_bug_is_found(
    mutate: Callable[[pytest.MonkeyPatch], None], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutate(monkeypatch)
    with pytest.raises(SimulationFailed, match=sentence) as caught:
        try_all(SEEDS_OF_A_BUG)
    print(f"{mutate.__name__} was found by seed {caught.value.seed}")
