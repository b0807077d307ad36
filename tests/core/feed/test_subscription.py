"""A subscription: what is put into it is received or told as missed, whatever its users do and its room is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meshmq.core.feed.flow import Flow
from meshmq.core.feed.subscription import Leaf, Overflow, Span, Subscription
from meshmq.wire.news import pack_news, unpack_news

PUBLISHER = b"p" * 16


class Reader:
    """One flow of a subscription, and what its consumers were given."""

    def __init__(self, overflow: Overflow = "drop_oldest", *, latest: bool = False, capacity: int = 10) -> None:
        self.subscription = Subscription(
            1, ["a"], since=None, latest=latest, overflow=overflow, capacity=capacity, capacity_bytes=1_000, now=0.0
        )
        self.flow = Flow(PUBLISHER, "a", 1, based=True)
        self.put = 0
        self.told = 0
        self.leaves: dict[str, Leaf] = {}
        #: The numbers begun, each with the gap told before it.
        self.begun: list[tuple[int, int]] = []

    def add(self, count: int, size: int) -> None:
        frames = pack_news("a", PUBLISHER, 1, self.put + 1, [b"x" * size] * count, kept=False, held=0.0)
        self.put += count
        self.flow.next = self.put + 1
        self.subscription.put(Span(unpack_news(frames), self.flow, 0, count, 0.0))

    def lose(self, count: int) -> None:
        """Tell some as lost on the way, as the sorter does."""
        self.put += count
        self.flow.missed += count
        self.subscription.lost += count

    def take(self, consumer: str, limit: int | None = None) -> None:
        self.finish(consumer)
        leaf = self.subscription.take(consumer, limit)
        if leaf is not None:
            self.leaves[consumer] = leaf
            self.told += leaf.gap
            first = leaf.span.news.first
            numbers = range(leaf.span.start, leaf.span.end if limit is not None else leaf.span.start + 1)
            self.begun += [(first + place, leaf.gap if place == leaf.span.start else 0) for place in numbers]

    def advance(self, consumer: str, count: int) -> None:
        leaf = self.leaves.get(consumer)
        for _ in range(count if leaf is not None else 0):
            assert leaf is not None
            place = next(leaf.ahead, None)
            if place is not None:
                self.begun.append((leaf.span.news.first + place, 0))

    def finish(self, consumer: str) -> None:
        leaf = self.leaves.pop(consumer, None)
        if leaf is not None:
            self.subscription.finish(leaf)

    def audit(self) -> None:
        one = self.subscription
        assert one.received + one.waiting + one.in_hand + one.missed == self.put
        assert one.waiting <= one.capacity + one.in_hand or len(self.leaves) > 0
        spans = [*one._queue, *one._slots.values()]
        assert one.waiting == sum(span.end - span.start for span in spans)
        assert one.size == sum(span.size for span in spans)
        untold = self.flow.missed + self.flow.dropped + sum(span.gap for span in spans)
        assert self.told + untold == one.missed


changes = st.lists(
    st.tuples(st.just("add"), st.integers(1, 12), st.sampled_from([0, 10, 90, 400]))
    | st.tuples(st.just("lose"), st.integers(1, 5), st.just(0))
    | st.tuples(st.just("take"), st.sampled_from(["x", "y"]), st.none() | st.integers(1, 5))
    | st.tuples(st.just("advance"), st.sampled_from(["x", "y"]), st.integers(1, 6))
    | st.tuples(st.just("finish"), st.sampled_from(["x", "y"]), st.just(0)),
    max_size=40,
)
policies = st.sampled_from(["drop_oldest", "drop_newest", "disconnect"])


def work_through(reader: Reader, given: list[tuple[str, int | str, int | None]], consumers: str) -> None:
    for what, argument, more in given:
        if isinstance(argument, str) and argument not in consumers:
            continue
        getattr(reader, what)(*((argument,) if what in ("lose", "finish") else (argument, more)))
        reader.audit()
    for consumer in consumers:
        reader.finish(consumer)
        reader.audit()


@given(changes, policies, st.booleans())
def test_all_that_is_put_is_received_or_counted(
    given: list[tuple[str, int | str, int | None]], overflow: Overflow, latest: bool
) -> None:
    work_through(Reader(overflow, latest=latest), given, "xy")


@given(changes, policies, st.booleans())
def test_one_consumer_hears_in_order_and_is_told_every_gap(
    given: list[tuple[str, int | str, int | None]], overflow: Overflow, latest: bool
) -> None:
    reader = Reader(overflow, latest=latest)
    work_through(reader, given, "x")
    while reader.subscription.waiting:
        reader.take("x", 3)
    last = 0
    for number, gap in reader.begun:
        assert number == last + 1 + gap
        last = number


def test_what_is_not_begun_waits_again_and_is_the_first_to_go() -> None:
    reader = Reader(capacity=10)
    reader.add(6, 0)
    reader.take("x")
    reader.advance("x", 1)
    reader.add(8, 0)  # 4 of the first batch were not begun: two of them make room
    reader.audit()
    assert reader.subscription.overflowed == 2
    reader.take("x", 100)
    assert reader.begun == [(1, 0), (2, 0), (5, 2), (6, 0)]


def test_two_consumers_share_and_nothing_is_told_twice() -> None:
    reader = Reader(capacity=100)
    reader.add(10, 0)
    reader.lose(3)
    reader.add(10, 0)
    reader.take("x")
    reader.advance("x", 2)
    reader.take("y")
    reader.finish("x")  # leaves with 7 not begun
    for _ in range(4):
        reader.take("y", 100)
    assert sorted(number for number, _ in reader.begun) == [*range(1, 11), *range(14, 24)]
    assert reader.told == 3


def test_one_large_value_has_room_and_no_second_one() -> None:
    reader = Reader(capacity=10)
    reader.add(1, 5_000)
    assert (reader.subscription.waiting, reader.subscription.overflowed) == (1, 0)
    reader.add(1, 5_000)
    assert (reader.subscription.waiting, reader.subscription.overflowed) == (1, 1)


def test_who_has_overflowed_and_is_disconnected_keeps_what_is_here() -> None:
    reader = Reader("disconnect")
    reader.add(8, 0)
    reader.add(8, 0)
    assert reader.subscription.disconnected
    assert (reader.subscription.waiting, reader.subscription.missed) == (10, 6)
    reader.take("x", 100)
    reader.take("x", 100)
    reader.add(1, 0)
    assert (reader.subscription.waiting, reader.subscription.missed) == (0, 7)
    assert [number for number, _ in reader.begun] == list(range(1, 11))


def test_of_the_latest_one_of_each_topic_waits_and_it_says_how_many_it_replaced() -> None:
    reader = Reader(latest=True)
    reader.add(5, 10)
    reader.add(3, 10)
    assert (reader.subscription.waiting, reader.subscription.superseded) == (1, 7)
    reader.take("x")
    assert reader.begun == [(8, 7)]
    assert reader.subscription.newest["a"].news.last == 8


def test_a_closed_subscription_counts_what_still_comes() -> None:
    reader = Reader()
    reader.add(4, 0)
    reader.subscription.close()
    reader.add(3, 0)
    assert (reader.subscription.waiting, reader.subscription.overflowed) == (0, 3)
