"""The ordered streams of a session: numbers, lanes, what is kept, chunks."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshmq.core.stream import (
    COVER_AFTER,
    COVER_BYTES,
    COVER_FRAMES,
    PLACES,
    SMALL_FRAMES,
    WHOLE_FRAMES,
    Stream,
)
from meshmq.core.throughput import WINDOW
from meshmq.wire.chunks import CHUNK_BYTES
from meshmq.wire.frames import HEAD_BYTES, Kind, unpack_head

LIMIT = 10 * CHUNK_BYTES
Message = tuple[Kind, Sequence[bytes]]


class Source:
    """Messages that wait to be sent."""

    def __init__(self, *sizes: int) -> None:
        self.waiting: deque[Message] = deque((Kind.JOBS, [bytes([n]) + bytes(size)]) for n, size in enumerate(sizes))

    def __call__(self) -> Message | None:
        return self.waiting.popleft() if self.waiting else None


def nothing() -> None:
    return None


def sent(stream: Stream, source: Source, *, covered: bool = True) -> list[Message]:
    """Send everything there is; the peer covers each frame at once, or none."""
    frames: list[Message] = []
    while (message := stream.next(source)) is not None:
        number = stream.keep(*message, now=0.0)
        frames.append(message)
        if covered:
            stream.cover(number, 0.0)
    return frames


def received(frames: Sequence[Message]) -> list[Message]:
    """Return the messages that these frames are."""
    stream = Stream()
    whole: list[Message] = []
    for kind, parts in frames:
        if kind is Kind.CHUNK:
            message = stream.arriving.add(memoryview(b"".join(parts)), LIMIT, 0.0)
            whole += [message[:2]] if message is not None else []
        else:
            whole.append((kind, list(parts)))
    return whole


def test_small_frames_go_before_everything() -> None:
    stream = Stream()
    stream.put(Kind.GRANT, b"a")
    stream.put(Kind.ACKS, b"b")
    assert [kind for kind, _ in sent(stream, Source(10))] == [Kind.GRANT, Kind.ACKS, Kind.JOBS]


def test_a_message_of_a_chunk_goes_whole_and_a_larger_one_in_chunks() -> None:
    stream = Stream()
    assert [kind for kind, _ in sent(stream, Source(CHUNK_BYTES - 1))] == [Kind.JOBS]
    pieces = sent(stream, Source(CHUNK_BYTES))
    assert [kind for kind, _ in pieces] == [Kind.CHUNK, Kind.CHUNK]
    assert received(pieces) == [(Kind.JOBS, [bytes(CHUNK_BYTES + 1)])]


def test_chunks_and_batches_take_turns() -> None:
    stream = Stream()
    kinds = [kind for kind, _ in sent(stream, Source(3 * CHUNK_BYTES, 1, 1, 1))]
    assert kinds == [*[Kind.CHUNK, Kind.JOBS] * 3, Kind.CHUNK]


def test_two_large_messages_go_side_by_side_and_a_third_waits() -> None:
    stream = Stream()
    most = PLACES["jobs"]
    source = Source(*[2 * CHUNK_BYTES] * (most + 1))
    seen = 0
    while (message := stream.next(source)) is not None:
        stream.cover(stream.keep(*message, now=0.0), 0.0)
        seen = max(seen, most + 1 - len(source.waiting))
        assert stream.room() == (len(stream.transfers) < most)
        assert stream.room("news")
        assert len(stream.transfers) <= most
    assert seen == most + 1
    assert stream.settled


@given(st.lists(st.sampled_from([0, 5, 1_000, CHUNK_BYTES - 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 7]), max_size=8))
def test_whatever_is_sent_arrives_whole(sizes: list[int]) -> None:
    frames = sent(Stream(), Source(*sizes))
    wanted = [(Kind.JOBS, [bytes([n]) + bytes(size)]) for n, size in enumerate(sizes)]
    assert sorted(received(frames)) == sorted(wanted)
    assert all(sum(map(len, parts)) <= CHUNK_BYTES + HEAD_BYTES + 4 for _, parts in frames)


def test_no_more_than_the_window_is_handed_over_beyond_what_is_covered() -> None:
    stream = Stream()
    frames = sent(stream, Source(*[50_000] * 20), covered=False)
    assert sum(len(part) for _, parts in frames for part in parts) < WINDOW + 60_000
    assert not stream.room()
    assert stream.next(nothing) is None
    stream.put(Kind.ACKS, b"")
    assert stream.pending
    assert stream.next(nothing) is None  # small frames, too
    assert stream.cover(1, 0.0)
    assert stream.next(nothing) == (Kind.ACKS, (b"",))


def test_what_is_not_covered_is_kept_in_order() -> None:
    stream = Stream()
    sent(stream, Source(1, 2, 3), covered=False)
    assert [number for number, *_ in stream.kept] == [1, 2, 3]
    assert stream.uncovered_since == 0.0
    assert stream.cover(2, 5.0)
    assert [number for number, *_ in stream.kept] == [3]
    assert stream.uncovered_since == 5.0  # there was progress
    assert not stream.cover(2, 6.0)
    assert not stream.settled
    assert stream.cover(3, 7.0)
    assert stream.uncovered_since is None
    assert stream.settled


def test_only_the_next_number_is_new() -> None:
    stream = Stream()
    assert [stream.take(number, 10, 0.0) for number in (1, 1, 3, 2, 2**63, 3)] == [
        "new", "repeat", "hole", "new", "hole", "new",
    ]  # fmt: skip
    assert stream.received == 3


def test_a_repeat_is_covered_at_once_and_a_new_frame_soon() -> None:
    stream = Stream()
    stream.take(1, 10, 1.0)
    assert stream.cover_at == 1.0 + COVER_AFTER
    stream.take(1, 10, 1.01)
    assert stream.cover_at == 1.01
    head = stream.head(Kind.COVER, 0)  # every head covers
    assert unpack_head(head) == (Kind.COVER, 0, 1)
    assert stream.cover_at is None


@pytest.mark.parametrize(("count", "size"), [(COVER_FRAMES, 1), (1, COVER_BYTES)])
def test_many_frames_or_bytes_are_covered_at_once(count: int, size: int) -> None:
    stream = Stream()
    for number in range(1, count + 1):
        stream.take(number, size, 2.0)
    assert stream.cover_at == 2.0


def test_more_answers_than_anybody_takes_are_a_crowd() -> None:
    stream = Stream()
    for _ in range(SMALL_FRAMES):
        stream.put(Kind.ACKS, b"")
    assert not stream.crowded
    stream.put(Kind.ACKS, b"")
    assert stream.crowded


def test_a_large_message_that_is_given_up_frees_its_place_and_is_forgotten_by_the_peer() -> None:
    stream, source = Stream(), Source(3 * CHUNK_BYTES, 2 * CHUNK_BYTES)
    first = stream.next(source, lane="news")
    assert first is not None
    assert stream.under_way("news") == pytest.approx(1 / 3, abs=0.01)
    assert stream.under_way("jobs") is None
    stream.abandon("jobs")
    stream.abandon("news")
    rest = sent(stream, source)
    assert stream.under_way("news") is None
    assert [len(body) for body in rest[0][1]] == [24]
    ((kind, parts),) = received([first, *rest])
    assert (kind, parts[0][0], len(parts[0])) == (Kind.JOBS, 1, 1 + 2 * CHUNK_BYTES)


def fast(stream: Stream) -> Stream:
    """Have a stream see that its line carries 1 GB/s."""
    for number in range(30):
        moment = number * 0.001
        stream.cover(stream.keep(Kind.JOBS, [bytes(1_000_000)], moment), moment + 0.001)
    return stream


def test_a_large_message_goes_whole_on_a_fast_line() -> None:
    assert [kind for kind, _ in sent(fast(Stream()), Source(20 * CHUNK_BYTES))] == [Kind.JOBS]


def test_news_can_be_abandoned_on_a_fast_line_too() -> None:
    stream, large = fast(Stream()), [b"x" * 20_000_000]
    found = stream.next(lambda: (Kind.NEWS, large), lane="news", whole=len(large[0]) - 1)
    assert found is not None
    assert found[0] is Kind.CHUNK
    stream.keep(*found, now=1.0)
    stream.abandon("news")
    assert gc.get_referrers(large[0]) == [large]


def test_news_that_may_go_whole_go_one_at_a_time() -> None:
    stream, source = fast(Stream()), Source(1_000_000, 1_000_000)
    source.waiting = deque((Kind.NEWS, frames) for _, frames in source.waiting)
    found = stream.next(source, lane="news", whole=2_000_000)
    assert found is not None
    assert found[0] is Kind.NEWS
    number = stream.keep(*found, now=1.0)
    assert stream.under_way("news") == 1.0
    assert not stream.room("news")
    assert stream.room("jobs")
    assert stream.next(source, lane="news", whole=2_000_000) is None
    stream.abandon("news")
    assert stream.under_way("news") == 1.0, "it has left"
    stream.cover(number, 1.1)
    assert stream.under_way("news") is None
    assert stream.next(source, lane="news", whole=2_000_000) is not None


def test_news_that_left_whole_hold_nobody_up_when_they_go_again() -> None:
    stream, source = fast(Stream()), Source(1_000_000)
    source.waiting = deque((Kind.NEWS, frames) for _, frames in source.waiting)
    found = stream.next(source, lane="news")
    assert found is not None
    before = stream.keep(*found, now=1.0)
    assert len(stream.again(before - 1, 2.0)) > 1
    stream.cover(stream.sent, 2.1)
    assert stream.room("news")


def test_a_message_of_many_frames_goes_in_chunks_on_any_line() -> None:
    frames = [b"x" * 60_000] * (WHOLE_FRAMES + 1)
    stream = fast(Stream())
    stream.post(Kind.REQUEST, frames, b"a")
    went = sent(stream, Source())
    assert {kind for kind, _ in went} == {Kind.CHUNK}
    assert received(went) == [(Kind.REQUEST, frames)]


def test_what_went_whole_goes_again_in_chunks_and_in_order() -> None:
    stream, source = fast(Stream()), Source(10, 10, 5 * CHUNK_BYTES, 10)
    had = stream.sent
    source.waiting = deque((Kind.NEWS, frames) for _, frames in source.waiting)
    messages = [stream.next(source) for _ in range(4)]
    for message in messages:
        assert message is not None
        stream.keep(*message, 1.0)
    again = stream.again(had + 1, 2.0)  # the first of them has arrived
    assert [number for number, _, _ in again] == list(range(had + 2, stream.sent + 1))
    assert [kind for _, kind, _ in again] == [Kind.NEWS, *[Kind.CHUNK] * 6, Kind.NEWS]
    assert received([(kind, frames) for _, kind, frames in again]) == messages[1:]
    assert sum(item[3] for item in stream.kept) == stream.kept_bytes
    assert stream.again(had + 1, 3.0) == again  # and a second time
    assert stream.cover(stream.sent, 3.0)
    assert stream.settled


def test_of_a_fresh_connection_nothing_is_known() -> None:
    stream = fast(Stream())
    stream.again(stream.sent, 1.0)
    assert [kind for kind, _ in sent(stream, Source(CHUNK_BYTES))] == [Kind.CHUNK] * 2
