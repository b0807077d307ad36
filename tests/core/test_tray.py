"""Small jobs pushed while the line is busy lie on a tray, and nothing of them is lost or made older."""

from __future__ import annotations

from meshmq.core.tray import BATCH_WAIT, TRAY_BYTES, TRAY_JOBS
from meshmq.settings import Settings
from meshmq.testing.books import audit_outbox
from meshmq.wire.frames import Kind, pack_acks, pack_bye, pack_grant
from tests.core.jobs import Pusher
from tests.core.stranger import Stranger, pushing


def busy(settings: Settings | None = None) -> Pusher:
    """Return an outbox with one job in flight."""
    pusher = Pusher(1, workers="a", settings=settings)
    pusher.send_all()
    return pusher


def test_while_the_line_is_idle_nothing_may_be_laid_there() -> None:
    pusher = Pusher(3)
    assert pusher.box.set_tray(0.0) is None
    assert pusher.box.tray.room == 0


def test_while_it_is_busy_jobs_lie_there_for_a_moment_and_go_in_order() -> None:
    pusher = busy()
    assert pusher.box.set_tray(5.0) == pusher.box.tray.due == 5.0 + BATCH_WAIT
    assert pusher.box.tray.room == TRAY_JOBS
    pusher.box.tray.jobs.extend((b"one", b"two"))
    assert pusher.box.clear_tray(5.0)
    assert not pusher.box.clear_tray(5.0)
    audit_outbox(pusher.box)
    assert pusher.send_all() == [("a", 2, 2, 1)]


def test_where_nobody_lays_more_there_is_no_room_any_more() -> None:
    pusher = busy()
    pusher.box.set_tray(5.0)
    assert pusher.box.set_tray(6.0, laid=True) == 6.0 + BATCH_WAIT
    assert pusher.box.set_tray(7.0, laid=False) is None
    assert pusher.box.tray.room == 0


def test_what_is_laid_in_the_moment_in_which_the_room_ends_is_taken_in() -> None:
    pusher = busy()
    pusher.box.set_tray(5.0)
    pusher.box.tray.jobs.append(b"late")
    assert pusher.box.set_tray(6.0, laid=False) == 6.0
    assert (pusher.box.tray.room, pusher.box.waiting) == (0, 1)


def test_a_closed_tray_has_no_room() -> None:
    pusher = busy()
    pusher.box.tray.closed = True
    assert pusher.box.set_tray(5.0) is None
    assert pusher.box.tray.room == 0


def test_the_room_is_what_the_outbox_has() -> None:
    pusher = busy(Settings(outbox_jobs=10))
    pusher.box.set_tray(0.0)
    assert pusher.box.tray.room == 9
    pusher = busy(Settings(outbox_bytes=TRAY_JOBS * TRAY_BYTES))
    pusher.box.set_tray(0.0)
    assert pusher.box.tray.room == 0


def test_jobs_from_the_tray_do_not_inherit_the_age_of_older_ones() -> None:
    pusher = busy()
    pusher.closed = {"a"}
    pusher.add(1)
    pusher.now = 10.0
    pusher.box.tray.jobs.append(b"young")
    pusher.box.clear_tray(pusher.now)
    pusher.closed = set()
    held = [found[1].held for found in (pusher.send(), pusher.send()) if found]
    assert held == [10.0, 0.0]


def test_more_than_a_run_holds_makes_several() -> None:
    pusher = busy()
    pusher.box.tray.jobs.extend([b"x"] * 1_200)
    pusher.box.clear_tray(0.0)
    audit_outbox(pusher.box)
    assert pusher.box.waiting == 1_200


def test_a_job_can_be_withdrawn_while_it_lies_there() -> None:
    pusher = busy()
    body = bytes(bytearray(b"mine"))
    pusher.box.tray.jobs.extend((bytes(bytearray(b"mine")), body))
    assert pusher.box.tray.withdraw(body)
    assert not pusher.box.tray.withdraw(body)
    assert len(pusher.box.tray.jobs) == 1


def test_a_job_laid_after_all_others_are_done_goes_to_who_came_meanwhile() -> None:
    node, first = pushing(1)
    first.say(Kind.GRANT, pack_grant("jobs", 10, 1_000_000))
    outbox = node.outboxes["jobs"]
    node.push("jobs", b"\xc0", (), None, 0.0)  # another is in flight: the tray has room
    for body in pack_acks("jobs", 10, 1_000_000, [(outbox.origin, 2, [(1, 2)])]):
        first.say(Kind.ACKS, body)
    first.say(Kind.BYE, pack_bye("left"))
    second = Stranger(node, connection=3, node_id=b"T" * 16)
    second.hello()
    second.card("jobs")
    assert second.kinds == [Kind.HELLO]
    assert outbox.tray.room
    outbox.tray.jobs.append(b"\xc0")
    second.wait(BATCH_WAIT)
    assert Kind.OFFER in second.kinds
