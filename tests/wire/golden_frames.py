"""Every frame of the protocol twice: as we pack it, and by hand, as PROTOCOL.md says it is packed.

The third, ``golden/<name>.hex``, is what was once sent: changing one means a new protocol version.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from struct import pack
from typing import Final

from meshmq.wire.card import Card, Forwards, Word, own_string, pack_beat, pack_card, pack_peers, pack_word
from meshmq.wire.chunks import join_message, pack_chunk
from meshmq.wire.frames import (
    Hello,
    Kind,
    pack_acks,
    pack_bye,
    pack_grant,
    pack_head,
    pack_hello,
    pack_offer,
    pack_receipt,
)
from meshmq.wire.news import pack_direct, pack_news, pack_notice
from meshmq.wire.relaying import TO_DEVICE, Echo, pack_echo, pack_relayed, probe, tag
from meshmq.wire.subscribing import (
    Fetch,
    Head,
    Wanted,
    marker,
    pack_fetch,
    pack_fetched,
    pack_heads,
    pack_number,
    pack_subscribe,
)
from meshmq.wire.verdicts import Verdict, pack_settle
from tests.wire.golden_calls import CALLS
from tests.wire.golden_jobs import BODIES, JOBS, ORIGIN, OTHER, msgpack

GOLDEN: Final = Path(__file__).parent / "golden"
NODE: Final = bytes(range(16))
SESSION: Final = b"session1"
HELLO: Final = Hello(NODE, "camera", "default", SESSION, 3, True)
CARD: Final = Card(
    NODE,
    "camera",
    "default",
    7,
    "up",
    ("ipc:///run/c", "tcp://10.0.0.1:5555"),
    ("tcp://10.0.0.1:5557",),
    ("jobs", "done"),
    ("tcp://10.0.0.1:5556",),
    ("add",),
    publishes=True,
    forwards=Forwards(("jobs",), ("weather.**",), ("add",)),
)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: as ours and by hand."""

    ours: bytes
    by_hand: bytes


def head(kind: int, number: int, received: int) -> bytes:
    return pack("!2sBBQQ", b"MQ", 2, kind, number, received)


def control(kind: int, fields: dict[str, object]) -> bytes:
    return b"MQ" + bytes([2, kind]) + msgpack(fields)


def news(turn: int, flags: int, extras: bytes, bodies: list[bytes]) -> bytes:
    return b"".join(
        (
            b"weather.kitchen\0MQ",
            pack("!BB16sQIQIBf", 2, 28, NODE, turn, 3, 41, len(bodies), flags, 0.25),
            pack("!I", len(extras)) + extras if flags & 1 else b"",
            *(pack("!I", len(body)) for body in bodies),
            *bodies,
        )
    )


TOPIC: Final = "weather.kitchen"
WANTED: Final = Wanted(5, ("weather.*", "a.**"), "first", 2.5, "latest", 7, "billing")
HEAD: Final = Head(TOPIC, 3, 40, 57, 12)
FETCH: Final = Fetch(5, TOPIC, 3, 41, 57, 100, 65_536)

FRAMES: Final[dict[str, Frame]] = {
    "hello": Frame(
        pack_head(Kind.HELLO, 0, 5) + pack_hello(HELLO),
        head(1, 0, 5) + msgpack([NODE, "camera", "default", SESSION, 3, True]),
    ),
    "hello_dialled": Frame(
        pack_head(Kind.HELLO, 0, 5) + pack_hello(replace(HELLO, dial=4)),
        head(1, 0, 5) + msgpack([NODE, "camera", "default", SESSION, 3, True, 4]),
    ),
    "bye": Frame(pack_head(Kind.BYE, 0, 5) + pack_bye("left", 3), head(2, 0, 5) + msgpack(["left", 3])),
    "ping": Frame(pack_head(Kind.PING, 0, 12), head(3, 0, 12)),
    "cover": Frame(pack_head(Kind.COVER, 0, 13), head(4, 0, 13)),
    "session_card": Frame(
        pack_head(Kind.CARD, 1, 0) + pack_card(CARD),
        head(16, 1, 0)
        + control(
            1,
            {
                "id": NODE,
                "name": "camera",
                "mesh": "default",
                "number": 7,
                "state": "up",
                "versions": [2, 2],
                "control": ["ipc:///run/c", "tcp://10.0.0.1:5555"],
                "direct": ["tcp://10.0.0.1:5557"],
                "pulls": ["jobs", "done"],
                "topics": ["tcp://10.0.0.1:5556"],
                "serves": ["add"],
                "publishes": True,
                "subscribes": False,
                "stalled": False,
                "forwards": [["jobs"], ["weather.**"], ["add"]],
            },
        ),
    ),
    "offer": Frame(pack_head(Kind.OFFER, 2, 1) + pack_offer("jobs", 1000), head(17, 2, 1) + msgpack(["jobs", 1000])),
    "grant": Frame(
        pack_head(Kind.GRANT, 3, 1) + pack_grant("jobs", 200, 16_777_216),
        head(18, 3, 1) + msgpack(["jobs", 200, 16_777_216]),
    ),
    "acks": Frame(
        pack_head(Kind.ACKS, 7, 4) + pack_acks("jobs", 250, 16_777_300, [(ORIGIN, 45, [(41, 43), (45, 45)])])[0],
        head(20, 7, 4) + msgpack(["jobs", 250, 16_777_300, [[ORIGIN, 45, [41, 43, 45, 45]]]]),
    ),
    "acks_of_nothing_begun": Frame(
        pack_head(Kind.ACKS, 7, 4) + pack_acks("jobs", 250, 16_777_300, [(ORIGIN, -1, [(41, 41)])])[0],
        head(20, 7, 4) + msgpack(["jobs", 250, 16_777_300, [[ORIGIN, -1, [41, 41]]]]),
    ),
    "settle": Frame(
        pack_head(Kind.SETTLE, 8, 4) + pack_settle("jobs", Verdict.REFUSED, ORIGIN, [(44, 44)], 1.5),
        head(21, 8, 4) + msgpack(["jobs", 2, ORIGIN, [44, 44], 1.5]),
    ),
    "settle_with_reason": Frame(
        pack_head(Kind.SETTLE, 8, 4) + pack_settle("jobs", Verdict.OVERDUE, ORIGIN, [(44, 44)], None, "too slow"),
        head(21, 8, 4) + msgpack(["jobs", 8, ORIGIN, [44, 44], None, "too slow"]),
    ),
    "settle_returned": Frame(
        pack_head(Kind.SETTLE, 9, 4) + pack_settle("jobs", Verdict.RETURNED, ORIGIN, [(46, 50)]),
        head(21, 9, 4) + msgpack(["jobs", 0, ORIGIN, [46, 50], None]),
    ),
    "settle_blamed": Frame(
        pack_head(Kind.SETTLE, 9, 4) + pack_settle("jobs", Verdict.BLAMED, ORIGIN, [(46, 46)]),
        head(21, 9, 4) + msgpack(["jobs", 6, ORIGIN, [46, 46], None]),
    ),
    "receipt": Frame(
        pack_head(Kind.RECEIPT, 9, 4) + pack_receipt("jobs", NODE, ORIGIN, [(41, 43), (45, 45)]),
        head(34, 9, 4) + msgpack(["jobs", NODE, ORIGIN, [41, 43, 45, 45]]),
    ),
    "chunk": Frame(
        pack_head(Kind.CHUNK, 10, 4) + pack_chunk(1, 4, 23) + join_message(Kind.JOBS, [b"first frame", b"two"])[4:10],
        head(22, 10, 4)
        + pack("!QQQ", 1, 4, 23)
        + (bytes([19]) + pack("!I", 11) + b"first frame" + pack("!I", 3) + b"two")[4:10],
    ),
    "chunk_given_up": Frame(
        pack_head(Kind.CHUNK, 10, 4) + pack_chunk(1, 0, 0),
        head(22, 10, 4) + pack("!QQQ", 1, 0, 0),
    ),
    "subscribe": Frame(
        pack_head(Kind.SUBSCRIBE, 11, 4) + pack_subscribe(WANTED)[0],
        head(23, 11, 4) + msgpack([5, ["weather.*", "a.**"], "first", 2.5, "latest", 7, "billing", False]),
    ),
    "subscribe_plainly": Frame(
        pack_head(Kind.SUBSCRIBE, 11, 4) + pack_subscribe(Wanted(6, ("a",)))[0],
        head(23, 11, 4) + msgpack([6, ["a"], None, 0.0, "topics", 0, None, False]),
    ),
    "subscribe_early": Frame(
        pack_head(Kind.SUBSCRIBE, 11, 4) + pack_subscribe(Wanted(6, ("a",), early=True))[0],
        head(23, 11, 4) + msgpack([6, ["a"], None, 0.0, "topics", 0, None, False, True]),
    ),
    "unsubscribe": Frame(pack_head(Kind.UNSUBSCRIBE, 12, 4) + pack_number(5), head(24, 12, 4) + msgpack([5])),
    "heads": Frame(
        pack_head(Kind.HEADS, 13, 4) + pack_heads(5, [HEAD], turn=99, stamp=9)[0],
        head(25, 13, 4) + msgpack([5, True, 9, 99, [[TOPIC, 3, 40, 57, 12]]]),
    ),
    "seen": Frame(pack_head(Kind.SEEN, 14, 4) + pack_number(9), head(26, 14, 4) + msgpack([9])),
    "fetch": Frame(
        pack_head(Kind.FETCH, 15, 4) + pack_fetch(FETCH), head(27, 15, 4) + msgpack([5, TOPIC, 3, 41, 57, 100, 65_536])
    ),
    "news_fetched": Frame(
        pack_head(Kind.NEWS, 16, 4) + pack_direct(5) + pack_news(TOPIC, NODE, 3, 41, BODIES, kept=True, held=0.25)[0],
        head(28, 16, 4) + pack("!Q", 5) + news(0, 4, b"", BODIES),
    ),
    "fetched": Frame(
        pack_head(Kind.FETCHED, 17, 4) + pack_fetched(5, TOPIC, 3, 57), head(29, 17, 4) + msgpack([5, TOPIC, 3, 57])
    ),
    "news_apart": Frame(
        pack_head(Kind.NEWS, 18, 4)
        + pack_direct(5)
        + pack_news(TOPIC, NODE, 3, 41, BODIES[1:2], kept=True, held=0.25, apart=True)[0],
        head(28, 18, 4) + pack("!Q", 5) + news(0, 20, b"", BODIES[1:2])[: -len(BODIES[1])],
    ),
    "topics_news": Frame(
        pack_news(TOPIC, NODE, 3, 41, BODIES, turn=99, kept=False, held=0.25, headers={1: {"a": "b"}})[0],
        news(99, 1, msgpack([1, {"a": "b"}]), BODIES),
    ),
    "topics_notice": Frame(
        pack_notice(TOPIC, NODE, 3, 41, 2, turn=100),
        b"weather.kitchen\0MQ" + pack("!BB16sQIQIBf", 2, 28, NODE, 100, 3, 41, 2, 12, 0.0),
    ),
    "topics_marker": Frame(marker(NODE, 7), b"\xff" + NODE + pack("!Q", 7)),
    "topics_wanted": Frame(tag(NODE) + b"weather.", b"\xfe" + NODE + b"weather."),
    "topics_relayed": Frame(
        pack_relayed(NODE, news(99, 1, msgpack([1, {"a": "b"}]), BODIES), len(TOPIC), 0.0),
        b"\xfe" + NODE + news(99, 1, msgpack([1, {"a": "b"}]), BODIES),
    ),
    "topics_probe": Frame(probe(NODE, 7, TO_DEVICE), b"\xff" + NODE + pack("!QB", 7, 3)),
    "topics_echo": Frame(
        pack_echo(probe(NODE, 7, TO_DEVICE), [Echo(OTHER, 99, 6), Echo(NODE, 0, 0)])[0],
        b"\xff" + NODE + pack("!QB", 7, 3) + b"MQ\x02" + OTHER + pack("!QQ", 99, 6) + NODE + pack("!QQ", 0, 0),
    ),
    "own_string": Frame(
        own_string(NODE, ["ipc:///run/c", "tcp://10.0.0.1:5555"]), b"\xff" + NODE + b"ipc:///run/c,tcp://10.0.0.1:5555"
    ),
    "beat": Frame(pack_beat(7), control(2, {"number": 7})),
    "peers": Frame(
        pack_peers([(OTHER, ["tcp://10.0.0.2:5555"])]), control(3, {"peers": [[OTHER, ["tcp://10.0.0.2:5555"]]]})
    ),
    "ask": Frame(pack_word(Word.ASK), control(4, {"stamp": 0})),
    "control_ping": Frame(pack_word(Word.PING, 123_456), control(5, {"stamp": 123_456})),
    "control_pong": Frame(pack_word(Word.PONG, 123_456), control(6, {"stamp": 123_456})),
}
FRAMES.update((name, Frame(*pair)) for name, pair in {**CALLS, **JOBS}.items())
