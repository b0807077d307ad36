"""Jobs of one key are done in order, by one worker at a time, whoever comes and goes."""

from __future__ import annotations

from collections import Counter

from meshmq.core.keys import owner_of
from meshmq.core.wants import Wants
from meshmq.fate import Fate
from meshmq.testing.books import audit_outbox
from meshmq.wire.batches import unpack_batch
from meshmq.wire.verdicts import Settle, Verdict
from tests.core.jobs import Pusher

PEERS = {name: name.encode() * 16 for name in "abcd"}


class Keyed(Pusher):
    """An outbox whose workers all pull; ``out`` takes what may go to each."""

    def __init__(self, workers: str) -> None:
        super().__init__()
        self.here(workers)

    def here(self, workers: str) -> None:
        """Learn who pulls."""
        for name in workers:
            self.box.open(PEERS[name])
            self.box.grant(PEERS[name], 1_000, 1 << 30)
        self.box.backlog.keys.seek([PEERS[name] for name in workers])
        audit_outbox(self.box)

    def push(self, *keys: str) -> None:
        for key in keys:
            self.add(1, wants=Wants(key=key))

    def out(self) -> dict[int, str]:
        """Send what may be sent; returns the worker of each number."""
        sent: dict[int, str] = {}
        for to in list(self.box.backlog.directed.targets):
            peer = bytes.fromhex(to)
            route = self.box.routes[peer]
            while self.box.may_go(route, to):
                batch = unpack_batch(self.box.next_directed(route, to, self.now))
                sent |= dict.fromkeys(range(batch.first, batch.first + batch.count), chr(peer[0]))
        audit_outbox(self.box)
        return sent

    def at(self, number: int) -> str:
        """Return the worker that has a job."""
        routes = self.box.routes.values()
        (peer,) = [route.peer for route in routes if any(run.first <= number <= run.last for run in route.flights)]
        return chr(peer[0])

    def done(self, number: int, worker: str) -> None:
        self.box.settle(PEERS[worker], -1, [(number, number)], self.now)
        audit_outbox(self.box)

    def gone(self, worker: str, staying: str) -> None:
        """Let a worker be lost."""
        self.box.lose(PEERS[worker], self.now, clean=False)
        audit_outbox(self.box)
        self.here(staying)


def test_of_a_key_one_job_is_out_and_the_next_goes_to_the_same_worker() -> None:
    pusher = Keyed("abcd")
    pusher.push("k", "k", "l", "k")
    first = pusher.out()
    assert set(first) == {1, 3}
    assert pusher.out() == {}
    pusher.done(1, first[1])
    assert pusher.out() == {2: first[1]}
    pusher.done(2, first[1])
    assert pusher.out() == {4: first[1]}
    pusher.done(4, first[1])
    pusher.done(3, first[3])
    assert (pusher.box.depth, pusher.box.backlog.keys.of) == (0, {})


def test_a_refused_job_holds_up_its_key_and_no_other() -> None:
    pusher = Keyed("a")
    pusher.push("k", "k", "l")
    assert set(pusher.out()) == {1, 3}
    pusher.box.give_back(PEERS["a"], Settle("jobs", Verdict.REFUSED, pusher.box.origin, ((1, 1),), 5.0), 0.0)
    audit_outbox(pusher.box)
    assert pusher.out() == {}
    pusher.wake(5.0)
    assert set(pusher.out()) == {1}


def test_a_key_moves_with_its_first_job_when_its_worker_is_lost() -> None:
    pusher = Keyed("abcd")
    keys = [f"key-{number}" for number in range(40)]
    pusher.push(*keys, *keys)
    first = pusher.out()
    assert set(first) == set(range(1, 41))
    assert min(Counter(first.values()).values()) >= 3
    pusher.gone("b", "acd")
    lost = {number for number, worker in first.items() if worker == "b"}
    for number in first.keys() - lost:
        pusher.done(number, first[number])
    again: dict[int, str] = {}
    while lost - again.keys():  # each is alone with its worker: one of them may have killed the other
        sent = {number: worker for number, worker in pusher.out().items() if number in lost}
        assert len(set(sent.values())) == len(sent) > 0
        again |= sent
        for number, worker in sent.items():
            pusher.done(number, worker)
    assert set(again.values()) <= set("acd")


def test_a_keyed_job_that_kills_at_once_is_found() -> None:
    pusher = Keyed("a")
    pusher.add(1, wants=Wants(Fate(max_attempts=3), key="poison"))
    for worker in "bcdb":
        assert set(pusher.out()) == {1}
        pusher.gone(pusher.at(1), worker)
    assert list(pusher.box.dead.letters) == [1]


def test_a_key_whose_job_is_out_does_not_move_to_a_worker_that_comes() -> None:
    pusher = Keyed("ab")
    keys = [key for key in map(str, range(100)) if owner_of(key, [PEERS[name] for name in "abc"]) == PEERS["c"]]
    pusher.push(*keys, *keys)
    first = pusher.out()
    pusher.here("abc")
    assert pusher.out() == {}, "they are out"
    for number, worker in first.items():
        pusher.done(number, worker)
    assert set(pusher.out().values()) == {"c"}


def test_jobs_with_a_key_wait_where_nobody_pulls_and_go_when_somebody_does() -> None:
    pusher = Keyed("")
    pusher.push("k", "k", "l")
    assert pusher.out() == {}
    assert pusher.box.backlog.idle == 3
    pusher.here("a")
    assert set(pusher.out()) == {1, 3}


def test_what_comes_back_after_its_worker_was_forgotten_goes_to_another() -> None:
    pusher = Keyed("a")
    pusher.push("k")
    pusher.out()
    pusher.here("b")  # the card of a is gone; its session is not yet
    assert pusher.out() == {}
    pusher.box.lose(PEERS["a"], 0.0, clean=True)
    assert pusher.out() == {1: "b"}
