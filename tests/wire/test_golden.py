"""What is on the wire is what PROTOCOL.md says, and what it was when this version was fixed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest
import zmq
from msgpack import ExtType  # type: ignore[import-untyped]  # msgpack ships no types

from meshmq.codecs.msgpack import MsgpackCodec
from meshmq.links.security import derive
from meshmq.wire.batches import unpack_batch
from meshmq.wire.card import Word, read_card, read_own_string, read_peers, read_stamp, unpack_body
from meshmq.wire.chunks import join_message, split_message, unpack_chunk
from meshmq.wire.frames import (
    HEAD_BYTES,
    Kind,
    unpack_acks,
    unpack_bye,
    unpack_grant,
    unpack_head,
    unpack_hello,
    unpack_offer,
    unpack_receipt,
)
from meshmq.wire.news import News, unpack_direct, unpack_news
from meshmq.wire.subscribing import (
    Heads,
    Wanted,
    read_marker,
    unpack_fetch,
    unpack_fetched,
    unpack_heads,
    unpack_number,
    unpack_subscribe,
)
from meshmq.wire.verdicts import Settle, Verdict, unpack_settle
from tests.wire.golden_frames import CARD, FETCH, FRAMES, GOLDEN, HEAD, HELLO, NODE, TOPIC, WANTED
from tests.wire.golden_jobs import BODIES, ORIGIN, OTHER, msgpack
from tests.wire.golden_values import VALUES, tree

BIG = 16_777_216


def golden(name: str) -> bytes:
    return bytes.fromhex((GOLDEN / f"{name}.hex").read_text())


def body(name: str) -> bytes:
    return golden(name)[HEAD_BYTES:]


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_is_what_the_specification_says_and_what_it_was(name: str) -> None:
    frame = FRAMES[name]
    assert frame.ours == frame.by_hand
    assert frame.ours == golden(name), "the wire has changed: that takes a new protocol version"


def test_every_golden_frame_has_its_specification_and_every_kind_a_golden_frame() -> None:
    assert {path.stem for path in GOLDEN.glob("*.hex")} == set(FRAMES)
    heads = {
        unpack_head(frame.ours)[0]
        for frame in FRAMES.values()
        if len(frame.ours) >= HEAD_BYTES and is_direct(frame.ours)
    }
    assert heads == set(Kind)
    words = {unpack_body(frame.ours)[0] for name, frame in FRAMES.items() if name in WORDS}
    assert words | {Word.CARD} == set(Word)


WORDS = {"beat", "peers", "ask", "control_ping", "control_pong"}


def is_direct(frame: bytes) -> bool:
    return frame[:2] == b"MQ" and frame not in {FRAMES[name].ours for name in WORDS}


READINGS: dict[str, tuple[Callable[[bytes], object], object]] = {
    "hello": (unpack_hello, HELLO),
    "hello_dialled": (unpack_hello, replace(HELLO, dial=4)),
    "bye": (unpack_bye, ("left", 3)),
    "offer": (unpack_offer, ("jobs", 1000)),
    "grant": (unpack_grant, ("jobs", 200, BIG)),
    "subscribe": (unpack_subscribe, WANTED),
    "subscribe_plainly": (unpack_subscribe, Wanted(6, ("a",))),
    "unsubscribe": (unpack_number, 5),
    "heads": (unpack_heads, Heads(5, True, 9, 99, [HEAD])),
    "seen": (unpack_number, 9),
    "fetch": (unpack_fetch, FETCH),
    "fetched": (unpack_fetched, (5, TOPIC, 3, 57)),
    "settle": (unpack_settle, Settle("jobs", Verdict.REFUSED, ORIGIN, ((44, 44),), 1.5)),
    "settle_with_reason": (unpack_settle, Settle("jobs", Verdict.OVERDUE, ORIGIN, ((44, 44),), None, "too slow")),
    "settle_returned": (unpack_settle, Settle("jobs", Verdict.RETURNED, ORIGIN, ((46, 50),))),
    "receipt": (unpack_receipt, ("jobs", NODE, ORIGIN, ((41, 43), (45, 45)))),
    "session_card": (lambda frame: read_card(unpack_body(frame)[1]), CARD),
}


@pytest.mark.parametrize("name", READINGS)
def test_a_golden_frame_is_read_as_what_was_sent(name: str) -> None:
    read, value = READINGS[name]
    assert read(body(name)) == value


def test_golden_acks_are_read() -> None:
    acks = unpack_acks(body("acks"))
    assert (acks.queue, acks.jobs, acks.size) == ("jobs", 250, 16_777_300)
    assert acks.done == ((ORIGIN, 45, ((41, 43), (45, 45))),)
    assert unpack_acks(body("acks_of_nothing_begun")).done == ((ORIGIN, -1, ((41, 41),)),)


def test_golden_batches_are_read() -> None:
    batch = unpack_batch([body("jobs")])
    assert (batch.queue, batch.origin, batch.first, batch.count) == ("jobs", ORIGIN, 41, 3)
    assert (batch.attempt, batch.backlog, batch.held, batch.headers, batch.size) == (1, 9, 0.25, {}, 8)
    assert [bytes(batch.body(index)) for index in range(3)] == BODIES
    batch = unpack_batch([body("jobs_with_headers")])
    assert (batch.attempt, batch.headers) == (2, {1: {"a": "b"}})
    assert [bytes(batch.body(index)) for index in range(3)] == BODIES
    several = unpack_batch([body("jobs_with_a_buffer_each"), b"a", b"b", b"c"])
    assert [several.buffers_of(index, index + 1) for index in range(3)] == [(b"a",), (b"b",), (b"c",)]
    batch = unpack_batch([body("jobs_with_a_buffer"), b"large"])
    assert (batch.buffers, batch.size) == ((b"large",), 6)


def test_a_golden_chunk_is_read() -> None:
    transfer, offset, total, data = unpack_chunk(memoryview(body("chunk")))
    whole = join_message(Kind.JOBS, [b"first frame", b"two"])
    assert (transfer, offset, total, bytes(data)) == (1, 4, 23, whole[4:10])
    assert (len(whole), split_message(whole)) == (23, (Kind.JOBS, [b"first frame", b"two"]))
    assert unpack_chunk(memoryview(body("chunk_given_up")))[:3] == (1, 0, 0)


def test_golden_words_are_read() -> None:
    assert read_own_string(golden("own_string")) == (NODE, CARD.control)
    assert read_stamp(unpack_body(golden("beat"))[1], "number") == 7
    assert read_peers(unpack_body(golden("peers"))[1]) == [(OTHER, ("tcp://10.0.0.2:5555",))]
    assert read_stamp(unpack_body(golden("control_ping"))[1]) == 123_456


@pytest.mark.parametrize("name", VALUES)
def test_a_value_is_encoded_as_the_specification_says(name: str) -> None:
    value, by_hand = VALUES[name]
    assert MsgpackCodec().encode(value) == (by_hand, ())
    back = MsgpackCodec().decode(by_hand)
    assert (back, type(back)) == (value, type(value))


def test_arrays_are_encoded_as_the_specification_says() -> None:
    numpy = pytest.importorskip("numpy")
    small = numpy.arange(3, dtype="<i4")
    by_hand = tree([ExtType(6, b""), "<i4", [3], small.tobytes()])
    assert MsgpackCodec().encode(small) == (by_hand, ())
    large = numpy.zeros((100, 100), dtype="<f8")
    assert MsgpackCodec().encode(large) == (tree([ExtType(6, b""), "<f8", [100, 100]]), (large.tobytes(),))
    assert MsgpackCodec().encode(numpy.float32(0.5)) == (tree([ExtType(7, b""), "<f4", b"\x00\x00\x00?"]), ())


@pytest.mark.parametrize(("kind", "code"), [(bytes, 9), (bytearray, 10), (memoryview, 11)])
def test_large_bytes_are_encoded_as_the_specification_says(kind: type, code: int) -> None:
    first, second = bytes(65_536), b"x" * 65_536
    by_hand = tree([{"a": [ExtType(code, b"")]}, [ExtType(code, b"")]])
    value = [{"a": kind(first)}, kind(second)]
    assert MsgpackCodec().encode(value) == (by_hand, (first, second))
    back = MsgpackCodec().decode(by_hand, (first, second))
    assert back == value
    assert (type(back[0]["a"]), type(back[1])) == (kind, kind)


def test_small_bytes_stand_in_the_body_as_the_specification_says() -> None:
    small = bytes(65_535)
    assert MsgpackCodec().encode(small) == (msgpack(small), ())
    by_hand = tree([ExtType(11, b""), small])
    assert MsgpackCodec().encode(memoryview(small)) == (by_hand, ())
    assert MsgpackCodec().decode(by_hand) == memoryview(small)


def test_unknown_fields_and_keys_are_ignored() -> None:
    assert unpack_offer(msgpack(["jobs", 5, "later", {"more": 1}])) == ("jobs", 5)
    word, fields = unpack_body(golden("beat")[:4] + msgpack({"number": 7, "later": [1, 2]}))
    assert (word, read_stamp(fields, "number")) == (Word.BEAT, 7)
    assert read_card({**unpack_body(body("session_card"))[1], "state": "asleep", "later": 1}).state == "draining"


def test_the_keys_come_out_of_the_secret_as_the_specification_says() -> None:
    secret = "correct horse battery staple"
    master = hashlib.scrypt(secret.encode(), salt=b"meshmq secret 1", n=16_384, r=8, p=1, dklen=32)
    keys = derive(secret)
    for person, ours, public in (
        (b"meshmq server", keys.server_secret, keys.server_public),
        (b"meshmq client", keys.client_secret, keys.client_public),
    ):
        seed = bytearray(hashlib.blake2b(master, digest_size=32, person=person).digest())
        seed[0] &= 0b11111000
        seed[31] = seed[31] & 0b01111111 | 0b01000000
        assert zmq.utils.z85.encode(bytes(seed)) == ours
        assert zmq.curve_public(ours) == public
    assert keys.tag == hashlib.blake2b(master, digest_size=4, person=b"meshmq tag").digest()
    assert keys.tag.hex() == "16077fb1"


def told(news: News) -> tuple[object, ...]:
    bodies = [bytes(news.body(index)) for index in range(news.count)] if not news.elsewhere else []
    return (news.topic, news.publisher, news.epoch, news.first, news.count, news.kept, news.held, bodies, news.headers)


def test_news_are_read_as_they_were_sent() -> None:
    number, news = unpack_direct([body("news_fetched")])
    assert number == 5
    assert told(news) == (TOPIC, NODE, 3, 41, 3, True, 0.25, BODIES, {})
    _, news = unpack_direct([body("news_apart"), BODIES[1]])
    assert told(news) == (TOPIC, NODE, 3, 41, 1, True, 0.25, BODIES[1:2], {})
    news = unpack_news([golden("topics_news")])
    assert told(news) == (TOPIC, NODE, 3, 41, 3, False, 0.25, BODIES, {1: {"a": "b"}})
    assert news.turn == 99
    assert read_marker(golden("topics_marker")) == (NODE, 7)
    assert read_marker(golden("own_string")) is None
    notice = unpack_news([golden("topics_notice")])
    assert notice.elsewhere
    assert told(notice) == (TOPIC, NODE, 3, 41, 2, True, 0.0, [], {})
