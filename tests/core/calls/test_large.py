"""Large requests and answers: small ones of others do not wait for them, their own do."""

from __future__ import annotations

from meshmq.core.stream import Stream
from meshmq.wire.chunks import CHUNK_BYTES
from meshmq.wire.frames import Kind
from tests.core.calls.hamlet import Hamlet, text

LARGE = b"x" * (4 * CHUNK_BYTES)


def drain(stream: Stream) -> list[tuple[Kind, int]]:
    """Return kinds and sizes of all that goes, with a peer that takes everything at once."""
    gone: list[tuple[Kind, int]] = []
    while (found := stream.next(lambda: None)) is not None:
        kind, frames = found
        gone.append((kind, sum(map(len, frames))))
        stream.cover(stream.keep(kind, frames, 0.0), 0.0)
    return gone


def test_small_calls_pass_large_ones_of_others() -> None:
    stream = Stream()
    for name in (b"a", b"b", b"c"):
        stream.post(Kind.REQUEST, [LARGE], name)
    stream.post(Kind.REQUEST, [b"small"], b"d")
    assert drain(stream)[0] == (Kind.REQUEST, 5)
    assert stream.settled
    assert stream.unread == 0


def test_what_belongs_to_one_call_keeps_its_order() -> None:
    stream = Stream()
    stream.post(Kind.REQUEST, [LARGE], b"a")
    stream.post(Kind.CANCEL, [b"first"], b"a")
    stream.post(Kind.CANCEL, [b"other"], b"b")
    assert stream.next(lambda: None) == (Kind.CANCEL, [b"other"])
    found = stream.next(lambda: None)
    assert found is not None
    assert found[0] is Kind.CHUNK
    stream.post(Kind.CANCEL, [b"second!"], b"a")  # while its request is under way
    rest = drain(stream)
    assert rest[-2:] == [(Kind.CANCEL, 5), (Kind.CANCEL, 7)]
    assert all(kind is Kind.CHUNK for kind, _ in rest[:-2])
    assert stream.settled


def test_small_answers_come_while_large_ones_are_under_way() -> None:
    hamlet = Hamlet()
    hamlet.ask()
    hamlet.run(0.2)
    large = [hamlet.ask() for _ in range(3)]
    small = hamlet.ask()
    hamlet.run(0.2)
    hamlet.answer(1, hamlet.take(1))
    for _ in large:
        hamlet.answer(1, hamlet.take(1), "x" * 20_000_000)
    hamlet.answer(1, hamlet.take(1), "quick")
    while small.outcome is None:
        hamlet.run(0.005)
    assert text(small) == "quick"
    assert not [call for call in large if call.outcome is not None]
    hamlet.run(5.0)
    assert [len(text(call)) for call in large] == [20_000_000] * 3
