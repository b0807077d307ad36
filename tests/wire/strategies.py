"""Everything that the wire may carry, for hypothesis; and what a bad line makes of bytes."""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

from meshmq.wire.card import STRING_LIMIT, Card, Forwards
from meshmq.wire.fields import NUMBERS
from meshmq.wire.frames import EPOCHS, Hello
from meshmq.wire.verdicts import Verdict

whole = st.integers(0, NUMBERS - 1)
ids = st.binary(min_size=16, max_size=16)
#: 50 characters of at most 4 bytes: 200 bytes.
names = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]),
    min_size=1,
    max_size=50,
)
addresses = st.lists(st.text("abc:/.[]0123456789%", min_size=1, max_size=40), max_size=8).map(tuple)
pairs = st.tuples(whole, whole).map(lambda pair: (min(pair), max(pair)))
ranges = st.lists(pairs, max_size=20).map(tuple)
delays = st.none() | st.floats(0, 1e6)
bodies = st.lists(st.binary(max_size=20), min_size=1, max_size=20)
headers = st.dictionaries(st.integers(0, 19), st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3))
hellos = st.builds(
    Hello,
    node_id=ids,
    name=names,
    mesh=names,
    session=st.binary(min_size=8, max_size=8),
    epoch=st.integers(0, EPOCHS - 1),
    resumed=st.booleans(),
)
verdicts = st.sampled_from(Verdict)
groups = st.lists(st.tuples(ids, st.integers(-1, NUMBERS - 1), ranges), min_size=1, max_size=5)
cards = st.builds(
    Card,
    node_id=ids,
    name=names,
    mesh=names,
    number=whole,
    state=st.sampled_from(["up", "draining", "left"]),
    control=addresses,
    direct=addresses,
    pulls=st.lists(names, max_size=8).map(tuple),
    forwards=st.builds(Forwards, *[st.lists(names, max_size=3).map(tuple)] * 3),
)
#: What any MessagePack of plain values may be.
fields = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=9) | ids,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=9), inner, max_size=6),
)
own_addresses = addresses.filter(lambda texts: sum(map(len, texts)) < STRING_LIMIT // 2)
told_peers = st.lists(st.tuples(ids, addresses), max_size=8)


#: Bytes that mean much to MessagePack or to us: heads of maps, arrays, extensions, the largest numbers.
_TELLING = (
    0,
    1,
    2,
    16,
    19,
    22,
    0x7F,
    0x80,
    0x8F,
    0x90,
    0x9F,
    0xC0,
    0xC1,
    0xC4,
    0xC7,
    0xCB,
    0xCF,
    0xD4,
    0xDC,
    0xDD,
    0xDF,
    0xFF,
)


def mutated(good: bytes, random: Random) -> bytes:
    """Return bytes as they should not be: turned, cut, doubled, filled, or somebody else's altogether."""
    frame = bytearray(good)
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        at = random.randrange(len(frame) + 1)
        way = random.randrange(8)
        if way < 3 and at < len(frame):
            frame[at] = random.choice(_TELLING) if way else random.randrange(256)
        elif way == 3:
            del frame[at:]
        elif way == 4:
            del frame[at : at + random.randrange(9)]
        elif way == 5:
            frame[at:at] = bytes(random.choices(_TELLING, k=random.randrange(9)))
        elif way == 6:
            frame[at : at + 8] = random.choice((b"\xff" * 8, b"\x7f" + b"\xff" * 7, bytes(8), b"\x80" + bytes(7)))
        else:
            frame[at:at] = frame[random.randrange(len(frame) + 1) :][:64]
    return bytes(frame)
