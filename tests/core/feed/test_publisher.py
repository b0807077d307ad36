"""A publisher: numbers, batches, what is kept for whom, heads told once, and what it remembers."""

from __future__ import annotations

from typing import Any

import pytest

from meshmq.core.feed import known as module
from meshmq.core.feed.follower import Follower
from meshmq.core.feed.publisher import BATCH_WAIT, OPEN_MESSAGES, TOPICS_BYTES, YOUNG, YOUNG_MOST, Publisher
from meshmq.history import History
from meshmq.wire.frames import Kind
from meshmq.wire.news import News, unpack_news
from meshmq.wire.subscribing import Heads, Wanted, unpack_heads
from tests.core.feed.earth import Earth

PEER = b"s" * 16


def nobody() -> bool:
    """Whether a subscriber is awaited: none is."""
    return False


class Press:
    """A publisher with one peer's subscriptions, in the test's time."""

    def __init__(self) -> None:
        self.earth = Earth()
        ground: Any = self.earth
        self.publisher = Publisher(ground)
        self.publisher.tuned = 1
        self.now = 0.0

    def publish(self, topic: str, *bodies: bytes) -> None:
        for body in bodies:
            self.publisher.publish(topic, body, (), None, self.now)

    def follow(self, number: int, *patterns: str, peer: bytes = PEER, **options: Any) -> list[Heads]:
        """Take a subscription and return what it is answered."""
        wanted = Wanted(number, patterns, **options)
        follower = self.publisher.followers[peer, number] = Follower(peer, wanted, self.now)
        follower.add(patterns)
        self.publisher.follow(follower)
        self.publisher.answer(follower, self.now)
        return self.heads()

    def heads(self) -> list[Heads]:
        return [unpack_heads(body) for body in self.earth.bodies(Kind.HEADS)]

    def news(self) -> list[News]:
        return [unpack_news(frames) for frames in self.earth.spread()]

    def wait(self, seconds: float) -> None:
        """Tick at each deadline until then."""
        end = self.now + seconds
        for _ in range(10_000):
            deadline = self.publisher.deadline
            if deadline is None or deadline > end:
                break
            self.now = max(self.now, deadline)
            self.publisher.tick(self.now, nobody)
        else:
            raise AssertionError("it ticks without end")
        self.now = end


def told(heads: list[Heads]) -> dict[str, int]:
    """Return how far each topic is said to be."""
    return {head.topic: head.head for each in heads for head in each.heads}


def test_the_first_leaves_at_once_and_those_that_follow_in_a_batch() -> None:
    press = Press()
    press.publish("a", *(b"%d" % number for number in range(10)))
    assert [(news.first, news.last) for news in press.news()] == [(1, 1)]
    press.wait(BATCH_WAIT)
    assert [(news.first, news.last) for news in press.news()] == [(2, 10)]


def test_topics_have_batches_of_their_own_that_leave_together() -> None:
    press = Press()
    press.publish("a", b"1", b"2")
    press.publish("b", b"1")
    press.publish("a", b"3")
    press.wait(1)
    news = press.news()
    assert [(one.topic, one.first, one.count) for one in news] == [("a", 1, 1), ("a", 2, 2), ("b", 1, 1)]
    assert [one.turn for one in news] == [1, 2, 3]


def test_before_a_large_one_is_announced_all_batches_leave() -> None:
    press = Press()
    press.publish("a", b"1", b"2")
    press.publish("b", b"1")
    press.publish("b", b"x" * (TOPICS_BYTES + 1))
    press.publish("a", b"3")
    press.wait(1)
    assert [(one.topic, one.first, one.elsewhere) for one in press.news()] == [
        ("a", 1, False), ("a", 2, False), ("b", 1, False), ("b", 2, True), ("a", 3, False),
    ]  # fmt: skip


def test_a_full_batch_takes_all_others_with_it_and_so_do_too_many_messages_of_several_topics() -> None:
    press = Press()
    press.publish("a", b"1", b"2")
    press.publish("b", *[b"x"] * 600)
    assert [(one.topic, one.first, one.count) for one in press.news()] == [("a", 1, 1), ("a", 2, 1), ("b", 1, 512)]
    press = Press()
    for number in range(2_000):
        press.publish(f"t.{number}", b"x")
    assert len(press.news()) == 1 + OPEN_MESSAGES


def test_batches_are_bounded_in_messages_and_bytes() -> None:
    press = Press()
    press.publish("a", *[b"x"] * 2_000)
    press.publish("b", *[b"x" * 10_000] * 20)
    press.wait(1)
    news = press.news()
    assert max(one.count for one in news) == 512
    assert max(len(one.payload) for one in news) <= 32 * 1024 + 10_000
    for topic, count in (("a", 2_000), ("b", 20)):
        numbers = [seq for one in news if one.topic == topic for seq in range(one.first, one.last + 1)]
        assert numbers == list(range(1, count + 1))


def test_a_row_leaves_whole_though_the_history_has_no_room_for_all_of_it() -> None:
    press = Press()
    press.publisher.retain("**", History(messages=2), 0.0)
    press.publisher.publish_row("a", [b"%d" % number for number in range(1, 6)], None, 0.0)
    (news,) = press.news()
    assert [bytes(news.body(index)) for index in range(news.count)] == [b"1", b"2", b"3", b"4", b"5"]
    assert [(item.seq, item.body) for item in press.publisher.series["a"].kept.items()] == [(4, b"4"), (5, b"5")]


def test_where_nobody_listens_nothing_is_put_on_the_line() -> None:
    press = Press()
    press.publisher.tuned = 0
    press.publish("a", *[b"x"] * 10)
    press.wait(1)
    assert press.news() == []
    assert press.publisher.series["a"].head == 10


def test_heads_are_told_once_after_a_topic_has_gone_quiet() -> None:
    press = Press()
    press.follow(1, "a.*")
    press.follow(2, "**")
    press.publish("a.x", b"1")
    press.publish("other", b"1")
    press.wait(0.15)
    press.publish("a.x", b"2")
    press.wait(0.15)
    assert told(press.heads()) == {"other": 1}
    press.wait(0.1)
    (heads,) = press.heads()  # once for both subscriptions of the peer
    assert ([head.topic for head in heads.heads], heads.heads[0].head, heads.number) == (["a.x"], 2, 0)
    press.wait(10)
    assert press.heads() == []


def test_a_subscription_is_answered_with_where_its_topics_stand() -> None:
    press = Press()
    press.publish("a", *[b"x"] * 3)
    press.publish("b", b"x")
    press.now = 60.0
    press.publisher.tick(press.now, nobody)
    press.publisher.tick(press.now + 60, nobody)
    assert told(press.follow(1, "a")) == {"a": 3}
    assert told(press.follow(2, "*")) == {"a": 3, "b": 1}
    assert told(press.follow(3, "c")) == {}
    (heads,) = press.follow(4, "b", "a")
    assert [(head.topic, head.base, head.oldest) for head in heads.heads] == [("b", 1, 0), ("a", 3, 0)]


def test_everything_is_kept_while_it_is_young_and_nothing_after() -> None:
    press = Press()
    press.publish("a", *[b"x"] * 3)
    (heads,) = press.follow(1, "a", span=5.0)
    assert (heads.heads[0].base, heads.heads[0].oldest) == (0, 1)
    press.wait(YOUNG + 1.5)
    assert press.publisher.young_until is None
    assert press.publisher.series["a"].oldest == 0
    press.publish("a", b"x")
    assert press.publisher.series["a"].oldest == 0


def test_it_stays_young_until_discovery_is_over_but_not_for_ever() -> None:
    press = Press()
    press.earth.looked = False
    press.publish("a", b"x")
    press.wait(YOUNG + 5)
    assert press.publisher.young_until is not None
    press.earth.looked = True
    press.wait(5)
    assert press.publisher.young_until is None
    other = Press()
    other.earth.looked = False
    other.publish("a", b"x")
    other.wait(YOUNG + YOUNG_MOST + 5)
    assert other.publisher.young_until is None


def test_the_latest_is_sent_to_who_asks_for_it_and_to_who_was_there() -> None:
    press = Press()
    press.publisher.retain("**", History(messages=3), 0.0)
    press.publish("a", b"1", b"2")
    press.now = 10.0
    press.follow(1, "a", way="latest")
    assert not press.publisher.errands.get(PEER)
    press.follow(2, "a", way="latest", since="last")
    assert press.publisher.errands[PEER]
    kind, frames = press.publisher.errands[PEER].next(press.now) or (Kind.HEADS, [b""])
    assert (kind, frames[0][:8]) == (Kind.NEWS, (2).to_bytes(8, "big"))
    press.publish("a", b"3")
    sent = [press.publisher.errands[PEER].next(press.now) for _ in range(3)]
    assert [frame is not None for frame in sent] == [True, True, False]


def test_totals_are_of_messages_and_bytes() -> None:
    press = Press()
    press.publish("a", b"123", b"45")
    press.publisher.publish("b", b"1", (b"x" * 100_000, b"yy"), None, 0.0)
    assert (press.publisher.published, press.publisher.bytes) == (3, 3 + 2 + 1 + 100_000 + 2)


def test_of_rules_for_history_the_last_that_matches_counts() -> None:
    press = Press()
    press.publisher.retain("**", History(messages=5), 0.0)
    press.publisher.retain("a.*", History(messages=2), 0.0)
    press.publish("a.x", *[b"x"] * 9)
    press.publish("b", *[b"x"] * 9)
    assert [len(press.publisher.series[topic].kept) for topic in ("a.x", "b")] == [2, 5]
    press.publisher.retain("**", History(messages=1), 0.0)
    assert [len(press.publisher.series[topic].kept) for topic in ("a.x", "b")] == [1, 1]


def test_many_topics_are_remembered_and_those_quiet_for_longest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SERIES_MOST", 1_000)
    press = Press()
    for number in range(1_000):
        press.now = number * 0.001
        press.publish(f"t.{number}", b"x")
    press.publish("t.0", b"x")  # not quiet any more
    assert (len(press.publisher.series), press.publisher.series.forgotten) == (1_000, 0)
    press.publish("new", b"x")
    assert (len(press.publisher.series), press.publisher.series.forgotten) == (991, 10)
    assert "t.0" in press.publisher.series
    assert "t.1" not in press.publisher.series
    press.publish("t.1", b"x")
    again, old = press.publisher.series["t.1"], press.publisher.series["t.0"]
    assert (again.head, again.epoch) == (1, old.epoch + 1)
    press.wait(1)
    assert press.publisher.deadline is None or press.publisher.deadline > press.now


def test_a_peer_that_is_lost_leaves_nothing() -> None:
    press = Press()
    press.publisher.retain("**", History(messages=5), 0.0)
    press.publish("a", b"x")
    press.follow(1, "a", "b.*")
    press.follow(2, "**", way="latest", since="last")
    press.follow(1, "a", peer=b"o" * 16)
    assert len(press.publisher.lose(PEER)) == 2
    assert list(press.publisher.followers) == [(b"o" * 16, 1)]
    assert press.publisher.errands == {}
    assert len(press.publisher.index.matching("a")) == 1


def test_a_hundred_thousand_topics_are_remembered_and_one_more_is_taken() -> None:
    press = Press()
    press.publisher.tuned = 0
    press.publisher.young_until = None
    press.publisher.published = 1  # it is young no more
    for number in range(module.SERIES_MOST + 10):
        press.now += 1e-6
        press.publish(f"t.{number}", b"x")
    assert len(press.publisher.series) == module.SERIES_MOST - module.SERIES_MOST // 100 + 10
    assert told(press.follow(1, f"t.{module.SERIES_MOST - 1}")) == {f"t.{module.SERIES_MOST - 1}": 1}
    press.now += 1
    press.publisher.tick(press.now, nobody)
    assert told(press.heads()) == {f"t.{module.SERIES_MOST - 1}": 1}
