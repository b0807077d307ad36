"""What lies on the tray is published in order, before all that comes after, and whatever ends the room."""

from __future__ import annotations

from meshmq.core.feed.intake import Intake
from meshmq.core.tray import BATCH_WAIT, TRAY_JOBS
from meshmq.wire.frames import Kind
from meshmq.wire.subscribing import Wanted, pack_subscribe
from tests.core.feed.square import Square


def opened(*topics: str) -> tuple[Square, Intake]:
    """Return a square of which the first publishes, each topic twice at once: messages follow each other."""
    square = Square(2)
    square.look()
    for topic in topics:
        square.publish(0, topic, b"1", b"2")
    return square, square[0].feed.intake


def test_while_messages_follow_each_other_small_ones_may_be_laid_there() -> None:
    square = Square(2)
    square.publish(0, "a", b"1")
    assert square[0].feed.intake.tray.room == 0
    square.publish(0, "a", b"2")
    assert square[0].feed.intake.tray.room == TRAY_JOBS


def test_what_lies_there_is_numbered_before_what_comes_after() -> None:
    square, intake = opened("a", "b")
    intake.tray.jobs.extend([("a", b"3"), ("b", b"3"), ("a", b"4")])
    square.publish(0, "a", b"5")
    series = square[0].feed.publisher.series
    assert [item.body for item in series["a"].kept.items()] == [b"1", b"2", b"3", b"4", b"5"]
    assert [item.body for item in series["b"].kept.items()] == [b"1", b"2", b"3"]
    assert square[0].feed.publisher.published == 8


def test_what_lies_there_is_history_to_who_subscribes_after_it() -> None:
    square, intake = opened("a")
    square.subscribe(1, "other")
    square.run(1.0)
    intake.tray.jobs.append(("a", b"3"))
    wanted = pack_subscribe(Wanted(9, ("a",)))
    square.do(0, lambda node, now: node.feed.read(square[1].node_id, Kind.SUBSCRIBE, wanted, now))
    series = square[0].feed.publisher.series
    assert [item.body for item in series["a"].kept.items()] == [b"1", b"2", b"3"]


def test_topics_that_take_turns_there_leave_in_a_batch_each() -> None:
    square, intake = opened("a", "b")
    subscription = square.subscribe(1, "*", since="first")
    square.run(1.0)
    before = square[0].feed.publisher.turn
    intake.tray.jobs.extend([("ab"[number % 2], b"%d" % number) for number in range(400)])
    square.do(0, lambda node, now: node.clear_trays(now))
    square.run(1.0)
    assert square[0].feed.publisher.turn == before + 2
    assert (subscription.waiting, subscription.missed) == (4 + 400, 0)


def test_jobs_of_a_group_come_in_the_order_of_publishing_whatever_their_topics() -> None:
    square, intake = opened("a", "b")
    given: list[bytes] = []
    intake._groups.join("group", ["*"], (b"p" * 16, 1), 0.0, 0.0)
    intake._groups._push = lambda queue, body, *_: given.append(body)
    intake.tray.jobs.extend([("a", b"3"), ("b", b"4"), ("a", b"5"), ("b", b"6")])
    square.do(0, lambda node, now: node.clear_trays(now))
    assert given == [b"3", b"4", b"5", b"6"]


def test_a_row_longer_than_a_batch_leaves_in_several() -> None:
    square, intake = opened("a")
    subscription = square.subscribe(1, "a", since="first")
    square.run(1.0)
    intake.tray.jobs.extend([("a", b"%d" % number) for number in range(3, 3 + 3 * TRAY_JOBS)])
    square.do(0, lambda node, now: node.clear_trays(now))
    square.run(1.0)
    assert (subscription.waiting, subscription.missed) == (2 + 3 * TRAY_JOBS, 0)


def test_where_nobody_lays_more_there_is_no_room_any_more() -> None:
    _, intake = opened("a")
    intake.tick(intake.tray.due)
    assert intake.tray.room == 0


def test_where_more_is_laid_the_room_stays() -> None:
    _, intake = opened("a")
    due = intake.tray.due
    intake.tray.jobs.append(("a", b"3"))
    intake.tick(due)
    assert (intake.tray.room, intake.tray.due) == (TRAY_JOBS, due + BATCH_WAIT)


def test_a_closed_tray_takes_nothing_more_and_gives_what_lies_there() -> None:
    square, intake = opened("a")
    intake.tray.jobs.append(("a", b"3"))
    square.do(0, lambda node, now: node.clear_trays(now, close=True))
    square.publish(0, "a", b"4", b"5", b"6")
    assert (intake.tray.room, square[0].feed.publisher.series["a"].head) == (0, 6)
