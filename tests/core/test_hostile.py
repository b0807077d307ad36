"""What a careless or hostile peer does to a participant with jobs and frames: only its own session suffers."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest

from meshmq.core import stream, throughput
from meshmq.core.calls.call import Asking
from meshmq.core.stream import TRANSFERS
from meshmq.errors import ConfigError, WouldBlock
from meshmq.settings import Settings
from meshmq.wire.calls import Status, Value, pack_answer
from meshmq.wire.card import NAMES_LIMIT, Card, pack_card, read_card, unpack_body
from meshmq.wire.chunks import CHUNK_BYTES, CHUNK_MOST, join_message, pack_chunk
from meshmq.wire.frames import Kind, pack_acks, pack_bye, pack_grant, pack_head, pack_offer, unpack_grant
from meshmq.wire.verdicts import Verdict, pack_settle, unpack_settle
from tests.core.stranger import ORIGIN, Stranger, byes, jobs, participant, pulling, pushing

LAST = 2**63 - 1


def test_credit_goes_on_where_it_was_when_a_queue_is_pulled_again() -> None:
    node, stranger = pulling(prefetch=10)
    stranger.say(Kind.JOBS, jobs(1, 10))
    hand = node.take("jobs", "me", stranger.now, limit=10)
    hand.floor = 10
    node.finish("jobs", hand, stranger.now)
    node.leave("jobs", "me", stranger.now)
    node.close_queue("jobs", stranger.now)
    stranger.wait(1)
    stranger.heard.clear()
    node.open_queue("jobs", 5, stranger.now)
    with suppress(WouldBlock):
        node.take("jobs", "me", stranger.now)
    stranger.settle()
    # Limits count from the beginning of the session, and this session has gone on all the while.
    assert [unpack_grant(body)[1] for body in stranger.bodies(Kind.GRANT)] == [15]


def test_more_jobs_than_were_granted_end_the_session() -> None:
    node, stranger = pulling(prefetch=100)
    stranger.say(Kind.JOBS, jobs(1, 100))
    assert node.inboxes["jobs"].waiting == 100
    assert not byes(stranger)
    stranger.say(Kind.JOBS, jobs(101, 1))
    assert byes(stranger) == ["protocol"]
    assert stranger.hung_up
    assert node.inboxes["jobs"].waiting == 0  # the pusher has them still
    assert node.counts["foreign frames"] == 1
    assert any("than it was granted (100)" in sentence for _, _, sentence in node.words)


def test_more_bytes_than_were_granted_end_the_session() -> None:
    node, stranger = pulling(prefetch=100, settings=Settings(prefetch_bytes=1_000))
    stranger.say(Kind.JOBS, jobs(1, 1, body=b"\xc4" + b"x" * 999))  # up to the limit; one may go beyond
    stranger.say(Kind.JOBS, jobs(2, 1))
    assert byes(stranger) == ["protocol"]
    assert node.inboxes["jobs"].waiting == 0


def test_jobs_that_nobody_asked_for_end_the_session() -> None:
    _, stranger = pulling()
    stranger.say(Kind.JOBS, jobs(1, 1, queue="other"))
    assert byes(stranger) == ["protocol"]


def test_jobs_on_their_way_to_a_queue_that_was_closed_go_back() -> None:
    node, stranger = pulling()
    node.leave("jobs", "me", stranger.now)
    node.close_queue("jobs", stranger.now)
    stranger.say(Kind.JOBS, jobs(1, 100))
    assert [unpack_settle(body).ranges for body in stranger.bodies(Kind.SETTLE)] == [((1, 100),)]
    assert not byes(stranger)


def test_a_session_after_a_breach_begins_with_new_credit() -> None:
    node, stranger = pulling(prefetch=10)
    stranger.say(Kind.JOBS, jobs(1, 11))
    again = Stranger(node, connection=3)
    again.hello(session=b"another1", epoch=1)
    again.say(Kind.OFFER, pack_offer("jobs", 5))
    again.say(Kind.JOBS, jobs(1, 10))
    assert not byes(again)
    assert node.inboxes["jobs"].waiting == 10


def test_credit_without_end_sends_no_more_than_the_window() -> None:
    node, stranger = pushing(20_000, body=b"\xc4\x63" + b"x" * 99)
    stranger.say(Kind.GRANT, pack_grant("jobs", LAST, LAST))
    sent = sum(len(body) for body in stranger.bodies(Kind.JOBS))
    assert 0 < sent < throughput.WINDOW + CHUNK_BYTES
    assert node.outboxes["jobs"].depth == 20_000


def test_acks_and_returns_of_everything_cost_nothing() -> None:
    node, stranger = pushing(2_000)
    outbox = node.outboxes["jobs"]
    stranger.say(Kind.GRANT, pack_grant("jobs", 1_000, LAST))
    stranger.say(Kind.SETTLE, pack_settle("jobs", Verdict.REFUSED, outbox.origin, [(1, LAST)]))
    assert len(outbox.backlog.pauses) == 1_000
    odd = [(number, number) for number in range(1_001, 3_001, 2)]
    for body in pack_acks("jobs", 1_000, LAST, [(outbox.origin, LAST, odd)] * 20):
        stranger.say(Kind.ACKS, body)
    assert outbox.depth == 2_000 - 500
    for body in pack_acks("jobs", 1_000, LAST, [(outbox.origin, -1, [(0, LAST)]), (ORIGIN, 5, [(0, LAST)])]):
        stranger.say(Kind.ACKS, body)
    assert (outbox.depth, outbox.waiting, len(outbox.backlog.pauses)) == (0, 0, 0)
    assert not byes(stranger)


def test_an_ack_of_jobs_that_were_never_sent_settles_none() -> None:
    node, stranger = pushing(10)
    for body in pack_acks("jobs", 0, 0, [(node.outboxes["jobs"].origin, 3, [(1, LAST)])]):
        stranger.say(Kind.ACKS, body)
    assert node.outboxes["jobs"].depth == 10


def test_numbers_at_the_edge_are_refused_before_one_is_added_to_them() -> None:
    node, stranger = pulling()
    body = jobs(1, 2)
    at = 1 + len("jobs") + 16
    stranger.say(Kind.JOBS, body[:at] + struct.pack("!Q", 2**64 - 2) + body[at + 8 :])
    assert byes(stranger) == ["protocol"]
    again = Stranger(node, connection=3, node_id=b"T" * 16)
    again.hello(epoch=2**64 - 1)
    assert again.hung_up
    assert again.heard == []


def test_a_frame_that_was_taken_and_cannot_be_read_ends_the_session() -> None:
    # It would not come again, and what was in it is not done: both ends have to know.
    _, stranger = pulling()
    stranger.say(Kind.GRANT, b"\xc1")
    assert byes(stranger) == ["protocol"]


def test_bytes_that_are_none_of_ours_end_the_connection_and_not_the_session() -> None:
    node, stranger = pulling()
    stranger.raw([b"GET / HTTP/1.1\r\n\r\n"])
    assert stranger.hung_up
    assert not byes(stranger)
    again = Stranger(node, connection=3)
    again.sent, again.received = stranger.sent, stranger.received
    again.hello(resumed=True)
    again.say(Kind.JOBS, jobs(1, 10))
    assert node.inboxes["jobs"].waiting == 10


def test_covering_what_was_never_sent_ends_the_connection() -> None:
    _, stranger = pulling()
    stranger.raw([pack_head(Kind.COVER, 0, 1_000)])
    assert stranger.hung_up


def test_versions_are_refused_and_told_once() -> None:
    node = participant()
    for connection in range(1, 201, 2):
        stranger = Stranger(node, connection)
        stranger.raw([b"MQ\x07" + bytes(40)])
        assert stranger.hung_up
    assert [event.kind for event in node.presence.roster.events] == ["refused"]


def test_whoever_never_takes_its_answers_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "SMALL_FRAMES", 100)
    node, first = pulling()
    second = Stranger(node, connection=3, node_id=b"T" * 16)
    second.hello()
    for turn in range(60_000):
        # Whoever has no backlog beside one that has is granted less: every change of mind is an answer.
        head = pack_head(Kind.OFFER, turn + 1, 0)
        node.receive(3, [head + pack_offer("jobs", turn % 2)], 0.0)
        node.tick(0.0)
        if turn % 100 == 0:
            second.settle()
        if second.hung_up:
            break
    assert byes(second) == ["slow"]
    assert not first.hung_up


def test_who_streams_without_end_and_takes_no_demand_for_more_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "SMALL_FRAMES", 100)
    node = participant(Settings(prefetch_bytes=1))  # each item is asked for by itself
    server = Stranger(node)
    server.hello()
    server.say(Kind.CARD, pack_card(Card(server.node_id, "stranger", "m", 1, serves=("items",))))
    call = node.calls.caller.begin(Asking("items", Value(b""), stream=True), 0.0)
    server.settle()
    for number in range(1, 20_000):
        server.received = number // 300  # so few that what is sent stays on its way, and enough to seem alive
        server.now += 0.003
        server.say(Kind.ANSWER, pack_answer(call.id, Status.ITEM, Value(b""), number=number)[0])
        if server.hung_up:
            break
        node.calls.caller.next_item(call, server.now, server.now)
        server.settle()
    assert byes(server) == ["slow"]


def test_pings_are_answered_and_numbers_do_not_matter_to_them() -> None:
    _, stranger = pulling()
    stranger.heard.clear()
    for _ in range(100):
        stranger.say(Kind.PING, b"whatever stands here is ignored")
    assert stranger.kinds == [Kind.COVER] * 100


def chunk(transfer: int, offset: int, total: int, size: int) -> bytes:
    return pack_chunk(transfer, offset, total) + b"x" * size


def test_one_transfer_too_many_at_once_ends_the_session() -> None:
    _, stranger = pulling()
    for transfer in range(TRANSFERS):
        stranger.say(Kind.CHUNK, chunk(transfer, 0, 10**6, 1_000))
    assert not byes(stranger)
    stranger.say(Kind.CHUNK, chunk(TRANSFERS, 0, 10**6, 1_000))
    assert byes(stranger) == ["protocol"]


def test_a_chunk_of_who_was_granted_nothing_ends_the_session_before_it_is_kept() -> None:
    stranger = Stranger(participant())
    stranger.hello()
    stranger.say(Kind.CHUNK, chunk(1, 0, 10**6, 1_000))
    assert byes(stranger) == ["protocol"]


def test_a_large_job_that_was_on_its_way_when_its_queue_was_closed_goes_back() -> None:
    node, stranger = pulling(prefetch=1)
    whole = join_message(Kind.JOBS, [jobs(1, 1, body=b"\xc6" + struct.pack("!I", 10**6) + bytes(10**6))])
    pieces = [whole[start : start + CHUNK_BYTES] for start in range(0, len(whole), CHUNK_BYTES)]
    for index, piece in enumerate(pieces):
        stranger.say(Kind.CHUNK, pack_chunk(1, index * CHUNK_BYTES, len(whole)) + piece)
        if not index:
            node.leave("jobs", "me", stranger.now)
            node.close_queue("jobs", stranger.now)
    assert [unpack_settle(body).ranges for body in stranger.bodies(Kind.SETTLE)] == [((1, 1),)]
    assert not byes(stranger)


@pytest.mark.parametrize(
    "body",
    [
        chunk(1, 0, 2**64 - 1, 1_000),
        chunk(1, 0, Settings().message_bytes * 2, 1_000),
        chunk(1, 7, 10**6, 1_000),
        chunk(1, 0, 10, 11),
        chunk(1, 0, 10**8, CHUNK_MOST + 1),
        chunk(1, 0, 1, 0),
        b"",
    ],
    ids=["beyond all", "beyond the limit", "without a beginning", "past its end", "too long", "empty", "nothing"],
)
def test_a_chunk_that_cannot_be_ends_the_session(body: bytes) -> None:
    _, stranger = pulling()
    stranger.say(Kind.CHUNK, body)
    assert byes(stranger) == ["protocol"]


def test_a_chunked_message_of_a_million_empty_frames_is_refused() -> None:
    _, stranger = pulling()
    whole = join_message(Kind.JOBS, [b""] * 60_000)
    stranger.say(Kind.CHUNK, pack_chunk(1, 0, len(whole)) + whole)
    assert byes(stranger) == ["protocol"]


def test_no_more_queues_than_a_card_holds() -> None:
    node = participant()
    for number in range(NAMES_LIMIT):
        node.open_queue(f"q{number}", None, 0.0)
    with pytest.raises(ConfigError, match="at most 4,096 names"):
        node.open_queue("one.more", None, 0.0)
    assert len(read_card(unpack_body(pack_card(node.presence.card))[1]).pulls) == NAMES_LIMIT


def test_what_is_kept_of_a_closed_queue_goes_with_its_last_session() -> None:
    node, stranger = pulling()
    stranger.say(Kind.JOBS, jobs(1, 1))
    node.finish("jobs", node.take("jobs", "me", stranger.now, 1), stranger.now)
    node.leave("jobs", "me", stranger.now)
    inbox = node.inboxes["jobs"]
    node.close_queue("jobs", stranger.now)
    assert inbox._receipts.knows(ORIGIN, 1)
    stranger.say(Kind.BYE, pack_bye("left"))
    assert not inbox._receipts.knows(ORIGIN, 1)
    assert node.shut == {"jobs": inbox}  # for its numbers


def test_jobs_of_a_queue_that_is_pulled_no_more_end_the_session() -> None:
    node, stranger = pulling()
    node.open_queue("other", None, stranger.now)
    node.close_queue("other", stranger.now)
    stranger.say(Kind.JOBS, jobs(1, 1, queue="other"))
    assert byes(stranger) == ["protocol"]
    assert node.shut["other"].waiting == node.shut["other"].received == 0
