"""The sorter: whatever comes in whatever order, each number is given in its turn, once, or told as missed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from meshmq.core.feed.sorter import Sorter
from meshmq.core.feed.subscription import Subscription
from meshmq.core.feed.tap import Tap
from meshmq.wire.frames import Kind
from meshmq.wire.news import News, pack_news, pack_notice, unpack_news
from meshmq.wire.subscribing import Fetch, Head, unpack_fetch
from tests.scale import scale

ME, PUBLISHER = b"m" * 16, b"p" * 16


class Earth:
    """What a sorter stands on: it keeps what is to be sent; there is a session or there is none."""

    def __init__(self) -> None:
        self.node_id = ME
        self.woken: list[Any] = []
        self.outputs: list[Any] = []
        self.live = True
        self.fetches: list[Fetch] = []

    def put(self, peer: bytes, kind: Kind, body: bytes) -> bool:
        if self.live:
            assert (peer, kind) == (PUBLISHER, Kind.FETCH)
            self.fetches.append(unpack_fetch(body))
        return self.live


class Line:
    """One topic between a publisher, which the test plays, and a subscription."""

    def __init__(self, capacity: int, kept: int) -> None:
        self.earth = Earth()
        earth: Any = self.earth
        self.sorter = Sorter(earth, lambda publisher: None)
        self.tap = Tap(PUBLISHER, earth)
        self.tap.answers(1)
        self.subscription = Subscription(1, ["a"], capacity=capacity, capacity_bytes=1 << 20, now=0.0)
        #: How many of the last messages the publisher keeps; the numbers it gave in this epoch, and in those before.
        self.kept, self.head, self.epoch, self.before = kept, 0, 1, {1: 0}
        self.turn = 0
        self.on_their_way: list[News] = []
        self.heard: list[tuple[int, int]] = []
        self.told = 0

    # -- the publisher -----------------------------------------------------------------------------

    @property
    def oldest(self) -> int:
        return max(1, self.head - self.kept + 1) if self.kept and self.head else 0

    def publish(self, count: int, *, large: bool = False) -> None:
        first, self.head, self.turn = self.head + 1, self.head + count, self.turn + 1
        kept = 0 < self.oldest <= first
        bodies = [b"%d" % number for number in range(first, self.head + 1)]
        if large and self.kept >= count:
            frames = [pack_notice("a", PUBLISHER, self.epoch, first, count, turn=self.turn)]
        else:
            frames = pack_news("a", PUBLISHER, self.epoch, first, bodies, turn=self.turn, kept=kept, held=0.0)
        self.on_their_way.append(unpack_news(frames))

    def forget(self) -> None:
        """Begin a new epoch, as after the topic was forgotten; all of the old one was told before."""
        self.calm()
        self.before[self.epoch + 1] = self.before[self.epoch] + self.head
        self.head, self.epoch = 0, self.epoch + 1

    # -- what happens to it ------------------------------------------------------------------------

    def arrive(self, place: int, *, again: bool = False) -> None:
        if self.on_their_way:
            place %= len(self.on_their_way)
            news = self.on_their_way[place] if again else self.on_their_way.pop(place)
            self.sorter.arrive(self.tap, self.subscription, news, 0.0)

    def lose(self, place: int) -> None:
        if self.on_their_way:
            self.on_their_way.pop(place % len(self.on_their_way))

    def tell(self, *, base: bool = False) -> None:
        head = Head("a", self.epoch, 0, self.head, self.oldest)
        if self.head:
            self.sorter.head(self.tap, self.subscription, head, 0, 0.0, base=base)

    def serve(self, most: int) -> None:
        """Answer one fetch as a publisher does: what is kept, then up to where."""
        if not self.earth.fetches:
            return
        fetch = self.earth.fetches.pop(0)
        number, upto = fetch.first, min(fetch.last, fetch.first + most)
        messages = fetch.messages
        while fetch.epoch == self.epoch and number <= upto and messages:
            if self.oldest and self.oldest <= number <= self.head:
                frames = pack_news("a", PUBLISHER, self.epoch, number, [b"%d" % number], kept=True, held=0.0)
                self.sorter.arrive(self.tap, self.subscription, unpack_news(frames), 0.0)
                messages -= 1
            number += 1
        flow = self.flows.get("a")
        if flow is not None and flow.epoch == fetch.epoch and flow.fetching:
            last = number - 1 if fetch.epoch == self.epoch else fetch.last
            self.sorter.fetched(self.tap, self.subscription, flow, last)

    def cut(self) -> None:
        """Begin a new session: of what was asked for nothing comes any more."""
        self.earth.fetches.clear()
        for flow in self.flows.values():
            self.sorter.coming(flow, self.subscription, 0)
        self.tap.restart([])
        self.arrive(0)  # over the topics link, before the publisher has answered
        self.tap.answers(1)
        self.tell(base=True)
        for flow in [flow for flow in self.flows.values() if flow.behind]:
            self.sorter.go_on(flow, self.subscription, self.tap)

    def take(self, limit: int) -> None:
        leaf = self.subscription.take("me", limit)
        if leaf is not None:
            first = leaf.span.news.first
            self.told += leaf.gap
            for place in range(leaf.span.start, leaf.span.end):
                assert bytes(leaf.span.news.body(place)) == b"%d" % (first + place)
                self.heard.append((leaf.span.news.epoch, first + place))
            self.subscription.finish(leaf)
        self.sorter.look_again()

    def calm(self) -> None:
        """Let everything come that will."""
        while self.on_their_way:
            self.arrive(0)
        self.tell()
        for _ in range(2_000):
            if not self.earth.fetches and not self.subscription.waiting:
                break
            self.serve(10_000)
            self.take(1_000)
        else:
            raise AssertionError("it does not come to rest")

    # -- the books ---------------------------------------------------------------------------------

    @property
    def flows(self) -> OrderedDict[str, Any]:
        return self.subscription.flows.get(PUBLISHER, OrderedDict())

    def audit(self) -> None:
        one, flow = self.subscription, self.flows.get("a")
        assert self.heard == sorted(set(self.heard)), "out of order, or twice"
        if flow is None:
            return
        assert one.received + one.waiting + one.missed == self.before[flow.epoch] + flow.next - 1
        held = [news for news, _ in flow.held]
        assert (one.coming, one.fetches) == (flow.fetching, bool(flow.fetching))
        assert one.held == sum(news.count for news in held)
        assert one.held_size == sum(news.size(0, news.count) for news in held)
        assert held == sorted(held, key=lambda news: news.first)
        if flow.behind and flow.based:
            assert self.tap.behind.get(flow) is one
        untold = flow.missed + flow.dropped + sum(span.gap for span in one._queue)
        assert self.told + untold == one.missed


def run(line: Line, changes: Sequence[tuple[Any, ...]]) -> None:
    for what, *arguments in changes:
        if what == "large":
            line.publish(1, large=True)
        elif what == "again":
            line.arrive(*arguments, again=True)
        else:
            getattr(line, what)(*arguments)
        line.audit()


places = st.integers(0, 5)
changes = st.lists(
    st.tuples(st.just("publish"), st.integers(1, 6))
    | st.tuples(st.sampled_from(["arrive", "arrive", "again", "lose"]), places)
    | st.tuples(st.sampled_from(["large", "tell", "cut", "forget"]))
    | st.tuples(st.just("serve"), st.sampled_from([2, 10_000]))
    | st.tuples(st.just("take"), st.integers(1, 8)),
    max_size=60,
)


@settings(max_examples=scale(test=100, stress=1_000))
@given(changes, st.sampled_from([3, 20, 1_000]), st.sampled_from([0, 4, 10_000]))
def test_in_any_order_of_events_each_number_is_given_in_its_turn_or_told(
    given: list[tuple[Any, ...]], capacity: int, kept: int
) -> None:
    line = Line(capacity, kept)
    run(line, given)
    line.calm()
    line.audit()
    flow = line.flows.get("a")
    if line.head:
        assert flow is not None
        assert (flow.next, flow.behind) == (line.head + 1, False)
    assert line.subscription.received + line.subscription.missed == line.before[line.epoch] + line.head


@settings(max_examples=scale(test=50, stress=500))
@given(changes, st.sampled_from([100_000]), st.just(10_000))
def test_with_history_and_room_nothing_is_missing(given: list[tuple[Any, ...]], capacity: int, kept: int) -> None:
    line = Line(capacity, kept)
    run(line, given)
    line.calm()
    assert line.subscription.missed == 0
    assert line.subscription.received == line.before[line.epoch] + line.head


def test_a_repeat_of_what_is_held_is_held_once() -> None:
    line = Line(100, 0)
    line.publish(1)
    line.arrive(0)
    line.publish(1)
    line.publish(1)
    line.tap.answered.clear()  # a new session has not answered yet, and what is kept cannot be asked for
    line.kept = 10
    line.publish(1)
    line.arrive(2)
    line.publish(1)
    line.arrive(2, again=True)
    line.arrive(2, again=True)
    line.audit()


def test_what_a_publisher_keeps_is_not_asked_for_by_who_has_overflowed() -> None:
    line = Line(5, 1_000)
    line.subscription.overflow = "disconnect"
    line.publish(20)
    line.arrive(0)
    assert line.subscription.disconnected
    line.publish(5)
    line.lose(0)
    line.tell()
    assert line.earth.fetches == []
    line.audit()


def test_many_flows_share_the_room_in_turns() -> None:
    line = Line(20, 1_000)
    for number in range(50):
        head = Head(f"t.{number}", 1, 0, 30, 1)
        line.sorter.head(line.tap, line.subscription, head, 0, 0.0, base=True)
    asked: list[str] = []
    for _ in range(1_000):
        if not line.earth.fetches:
            break
        fetch = line.earth.fetches.pop(0)
        asked.append(fetch.topic)
        assert fetch.messages <= 20
        last = min(fetch.last, fetch.first + fetch.messages - 1)
        for seq in range(fetch.first, last + 1):
            frames = pack_news(fetch.topic, PUBLISHER, 1, seq, [b"x"], kept=True, held=0.0)
            line.sorter.arrive(line.tap, line.subscription, unpack_news(frames), 0.0)
        line.sorter.fetched(line.tap, line.subscription, line.flows[fetch.topic], last)
        while (leaf := line.subscription.take("me", 100)) is not None:
            line.subscription.finish(leaf)
        line.sorter.look_again()
    assert (line.subscription.received, line.subscription.missed) == (50 * 30, 0)
    assert len(set(asked[:50])) == 50, "one topic goes before all others twice"


def test_no_more_bytes_are_asked_for_than_there_is_room() -> None:
    line = Line(100, 1_000)
    for topic in "abc":
        head = Head(topic, 1, 0, 3, 1)
        line.sorter.head(line.tap, line.subscription, head, 0, 0.0, base=True)
    (fetch,) = line.earth.fetches
    assert fetch.size == line.subscription.capacity_bytes
    assert line.subscription.room[1] == 0
