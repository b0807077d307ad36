"""What goes back undone goes in one frame for each thing to say, however it lay here."""

from __future__ import annotations

from meshmq.core.returns import Returns
from meshmq.wire.fields import RANGES_LIMIT
from meshmq.wire.frames import Kind, pack_grant
from meshmq.wire.verdicts import Verdict, pack_settle, unpack_settle
from tests.core.jobs import Puller
from tests.core.stranger import pushing

RETURNED, REJECTED = Verdict.RETURNED, Verdict.REJECTED


def test_what_goes_back_to_one_pusher_goes_in_one_frame() -> None:
    puller = Puller()
    puller.ask("pq")
    for first in (1, 3, 8):
        puller.receive("p", first, 2)
        puller.receive("q", first)
    puller.box.leave("me")
    back = [answer for answer in puller.answers() if isinstance(answer[1][0], Verdict)]
    assert back == [("p", (RETURNED, ((1, 4), (8, 9)))), ("q", (RETURNED, ((1, 1), (3, 3), (8, 8))))]


def test_what_differs_goes_in_frames_of_its_own() -> None:
    returns = Returns("jobs")
    for peer, verdict, origin, delay in (
        (b"p", RETURNED, b"o", None),
        (b"q", RETURNED, b"o", None),
        (b"p", Verdict.LEFT, b"o", None),
        (b"p", RETURNED, b"n", None),
        (b"p", RETURNED, b"o", 0.5),
        (b"p", RETURNED, b"o", None),
    ):
        returns.add(peer, verdict, origin * 16, 7, 7, delay)
    assert len(returns.take()) == 5


def test_who_gives_back_very_much_does_so_in_several_frames() -> None:
    returns = Returns("jobs")
    for number in range(0, 5_000, 2):
        returns.add(b"p", RETURNED, bytes(16), number, number)
    ranges = [unpack_settle(body).ranges for _, _, body in returns.take()]
    assert [len(part) for part in ranges] == [RANGES_LIMIT, RANGES_LIMIT, 500]
    assert returns.take() == []


def test_to_who_is_gone_nothing_goes_back() -> None:
    returns = Returns("jobs")
    for peer in (b"p", b"q"):
        returns.add(peer, RETURNED, bytes(16), 1, 1)
    returns.forget(b"p")
    assert [peer for peer, _, _ in returns.take()] == [b"q"]


def test_the_pusher_says_how_many_jobs_cannot_be_decoded() -> None:
    node, stranger = pushing(4)
    stranger.say(Kind.GRANT, pack_grant("jobs", 4, 1_000))
    origin = node.outboxes["jobs"].origin
    for ranges in ([(1, 1)], [(1, 1)], [(2, 4)]):
        stranger.say(Kind.SETTLE, pack_settle("jobs", REJECTED, origin, ranges))
    assert [sentence for _, logger, sentence in node.words if logger == "meshmq.jobs"] == [
        "a job of 'jobs' is a dead letter now: it was rejected",
        "3 jobs of 'jobs' are dead letters now; the last: it was rejected",
    ]
