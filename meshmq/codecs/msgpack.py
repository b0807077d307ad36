"""The codec of MeshMQ: MessagePack, strict about what it sends and suspicious of what it gets.

A body is plain MessagePack where the value holds only what MessagePack gives back as it was: None, bool, int,
float, str, bytes, list, dict. Any other body is the byte 0xC1, which MessagePack never uses, and the
MessagePack of a tree (``tree.py``). So the common value is packed and unpacked by the library alone, and
what it would bend without a word is found afterwards: a bytearray or memoryview shows as a bin header in the
body, too deep nesting as many container headers; only bodies that may hold such are looked at more closely.

Naive datetimes are refused; an aware one arrives with its offset, but not with the name of its zone. MessagePack's own
timestamp, as other languages send it, arrives as an aware datetime in UTC (and is refused where it is sent), and other
extensions in a plain body as ``msgpack.ExtType``. Large bytes and arrays leave the body for frames of their own.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from msgpack import ExtType, Packer, Unpacker, unpackb  # type: ignore[import-untyped]  # msgpack ships no types

from meshmq.codecs.base import DEPTH, LARGE_BYTES, PLAIN, Buffer, Refused
from meshmq.codecs.fitting import fits
from meshmq.codecs.large import holds_large_within
from meshmq.codecs.scan import holds_few
from meshmq.codecs.tree import Reader, Writer
from meshmq.errors import DecodeError, EncodeError, MessageTooLarge
from meshmq.names import counted
from meshmq.settings import Settings

_TREE: Final = b"\xc1"
_SMALL: Final = DEPTH  # a body of so many bytes cannot be nested deeper
_MEDIUM: Final = 1024  # up to here counting headers is cheaper than looking at the values
_LONG: Final = 4096  # up to here it is cheaper than scanning the body
_KEPT: Final = 1024 * 1024  # a packer keeps the room of its largest body
_ROW: Final = struct.Struct("!BI")  # the header of an array of many
_ROW_MOST: Final = 2048
_ROW_LEAST: Final = 32  # of bodies that may be deep: below, putting ``_ABOVE`` before them costs more than it saves

#: Everything but the first bytes of arrays and maps (fixmap, fixarray, array 16 and 32, map 16 and 32).
_NO_CONTAINER: Final = bytes(set(range(256)) - set(range(0x80, 0xA0)) - set(range(0xDC, 0xE0)))

_LEAVES: Final = PLAIN | {ExtType}
_READ_LEAVES: Final = _LEAVES | {datetime}

#: Packers that nobody uses just now. Each is one thread's while it packs: a packer shared while it raises can be
#: entered again, through the collector and somebody's ``__del__``, with half a value in its buffer [F 46].
_idle: Final[list[Callable[[object], bytes]]] = []


def pack_known(value: object) -> bytes:
    """Return the MessagePack of a value without looking whether that gives it back as it was.

    Raises:
        Exception: it cannot be packed: whatever the library raises.
    """
    try:
        pack = _idle.pop()
    except IndexError:
        pack = Packer(strict_types=True).pack
    try:
        body = pack(value)
    except Exception:
        _idle.append(pack)  # it has emptied its buffer
        raise
    if len(body) <= _KEPT:
        _idle.append(pack)
    return body


def _unpack(body: bytes | memoryview) -> Any:
    """Return the tree in ``body``, having looked before that all it announces is there.

    The library makes room for an array when it meets its header: nested headers in a few kilobytes, each
    of an array as long as the body, would make it touch gigabytes.
    """
    size = len(body)
    if size > _SMALL and not (
        len(bytes(body).translate(None, _NO_CONTAINER)) <= DEPTH
        if size <= _LONG
        else size > LARGE_BYTES and holds_few(memoryview(body))
    ):
        scan = Unpacker(None, max_buffer_size=len(_ABOVE) + size)
        scan.feed(_ABOVE)
        scan.feed(body)
        scan.skip()
    return unpackb(body, strict_map_key=False, timestamp=3, ext_hook=ExtType)


def _levels() -> int:
    """Return how many levels of containers the library reads; 0 where it does not count them itself."""
    for levels in (1024, 512):
        read = []
        for more in (0, 1):
            scan = Unpacker(None)
            scan.feed(b"\x91" * (levels + more) + b"\xc0")
            try:
                scan.skip()
                read.append(True)
            except ValueError:
                read.append(False)
        if read == [True, False] and not Unpacker.__module__.endswith("fallback"):
            return levels
    return 0


#: Put before a body, so many arrays of one leave it ``DEPTH`` levels of those that the library reads.
_ABOVE: Final = b"\x91" * max(0, _levels() - DEPTH)


def _stamped(body: bytes) -> bool:
    """Whether a body may hold one of the library's own timestamps, which would come back as a datetime."""
    return 0xFF in body and (0xD6 in body or 0xD7 in body or 0xC7 in body)


class MsgpackCodec:
    """The codec of MeshMQ; ``limit`` is the most bytes that body and buffers of one value may have.

    ``copied`` makes the copy of a large buffer that is sent.
    """

    name: Final = "msgpack"

    def __init__(self, *, limit: int = Settings().message_bytes, copied: Callable[[Buffer], Buffer] = bytes) -> None:
        self._limit, self._copied = limit, copied

    def encode(self, data: object, *, copy: bool = True) -> tuple[bytes, tuple[Buffer, ...]]:
        """Return the body and the large buffers of ``data``, all of it copied, or the last ones given away.

        Raises:
            EncodeError: ``data`` would not come back equal and of the same types; ``.path`` says where.
            MessageTooLarge: body and buffers together are over the limit.
        """
        body = self.encode_plain(data)
        return self._encode_tree(data, copy) if body is None else (body, ())

    def encode_plain(self, data: object) -> bytes | None:
        """Return the body of ``data``; ``None`` where it is not as plain as most, and ``encode`` says what it is.

        Raises:
            MessageTooLarge: the body is over the limit.
        """
        if type(data) is bytes and len(data) >= LARGE_BYTES:  # not packed in vain
            return None
        # What pack_known does, once more: this is the hot path.
        try:
            pack = _idle.pop()
        except IndexError:
            pack = Packer(strict_types=True).pack
        try:
            body = pack(data)
        except Exception:
            _idle.append(pack)
            return None
        size = len(body)
        if size <= _SMALL and 0xC4 not in body and (0xFF not in body or not _stamped(body)):
            _idle.append(pack)
            return body
        if size <= _KEPT:
            _idle.append(pack)
        if size <= _MEDIUM and 0xC4 not in body and 0xC5 not in body:
            deep = len(body.translate(None, _NO_CONTAINER)) > DEPTH
            if (deep or _stamped(body)) and not fits(data, _LEAVES):
                return None
        elif not fits(data, _LEAVES) or (size >= LARGE_BYTES and holds_large_within(data)):
            return None
        if size > self._limit:
            raise MessageTooLarge(size, self._limit)
        return body

    def decode(self, body: bytes | memoryview, buffers: Sequence[Buffer] = ()) -> object:
        """Return the value; arrays are read-only views on ``buffers``.

        Raises:
            DecodeError: these bytes are none that ``encode`` returns.
        """
        if not buffers and len(body) <= _SMALL:
            try:
                return unpackb(body, strict_map_key=False, timestamp=3, ext_hook=ExtType)
            except Exception as error:
                if body[:1] != _TREE:
                    raise DecodeError(f"data of {counted(len(body), 'byte')} that cannot be read: {error}") from error
        try:
            return self._decode(body, buffers)
        except DecodeError:
            raise
        except Exception as error:  # whatever it is, the bytes are to blame
            raise DecodeError(f"data of {counted(len(body), 'byte')} that cannot be read: {error}") from error

    def decode_row(self, row: bytes | memoryview, count: int, longest: int) -> list[object] | None:
        """Return the values of ``count`` bodies that stand one after another, at once; ``None`` where that cannot be.

        One call of the library for all of them: 0.26 us for each small dict, where one call each takes 0.38.
        """
        if count > _ROW_MOST or longest > (_MEDIUM if _ABOVE and count >= _ROW_LEAST else _SMALL):
            return None
        above = _ABOVE[1:] if longest > _SMALL else b""
        body = b"".join((above, _ROW.pack(0xDD, count), row))
        most = max(count, longest)
        try:
            value: Any = unpackb(
                body, strict_map_key=False, timestamp=3, ext_hook=ExtType, max_array_len=most, max_map_len=longest
            )
        except Exception:  # one of them is not plain, or none of ours
            return None
        for _ in above:
            value = value[0]
        values: list[object] = value
        return values

    def _encode_tree(self, data: object, copy: bool) -> tuple[bytes, tuple[Buffer, ...]]:
        copied = self._copied if copy else memoryview
        try:
            try:
                writer = Writer(ExtType, copied, careful=False, limit=self._limit)
                body = _TREE + pack_known(writer.write(data))
            except (ValueError, OverflowError, TypeError) as error:
                if isinstance(error, EncodeError):
                    raise
                writer = Writer(ExtType, copied, careful=True, limit=self._limit)
                body = _TREE + pack_known(writer.write(data))
        except Refused as refused:
            raise refused.error() from refused.__cause__
        except EncodeError:
            raise
        except Exception as error:
            raise EncodeError(f"data cannot be packed: {error!r}; is another thread changing it?") from error
        size = len(body) + sum(map(len, writer.buffers))
        if size > self._limit:
            raise MessageTooLarge(size, self._limit)
        if not copy:
            for array in writer.arrays:
                array.flags.writeable = False
        return body, tuple(writer.buffers)

    def _decode(self, body: bytes | memoryview, buffers: Sequence[Buffer]) -> object:
        size = len(body) + (sum(memoryview(buffer).nbytes for buffer in buffers) if buffers else 0)
        if size > self._limit:
            raise DecodeError(f"data of {size:,} bytes: one message may have {self._limit:,}")
        if body[:1] == _TREE:
            frames = iter(buffers)
            value = Reader(ExtType, frames).read(_unpack(memoryview(body)[1:]))
            if next(frames, None) is not None:
                raise DecodeError("more frames than arrays")
            return value
        if buffers:
            raise DecodeError("frames without arrays")
        value = _unpack(body)
        if not _ABOVE and not fits(value, _READ_LEAVES):
            raise DecodeError(f"data nested more than {DEPTH} levels deep")
        return value


def pack_plain(value: object) -> bytes:
    """Return the MessagePack of None, bool, int, float, str, bytes, list and dict, nothing else.

    Raises:
        EncodeError: ``value`` holds something else, or is nested too deeply.
    """
    try:
        body = pack_known(value)
    except Exception as error:
        raise EncodeError(f"data cannot be packed: {error}") from error
    if not fits(value, PLAIN):
        raise EncodeError(f"data holds more than plain values, or is nested more than {DEPTH} levels deep")
    return body


def unpack_plain(body: bytes | memoryview, *, limit: int = 65536) -> object:
    """Return what ``pack_plain`` was given.

    Raises:
        DecodeError: these bytes are none that it returns, or more than ``limit``.
    """
    if len(body) > limit:
        raise DecodeError(f"a map of {len(body):,} bytes: it may have {limit:,}")
    try:
        value: object = _unpack(body)
        plain = fits(value, PLAIN)
    except Exception as error:  # whatever it is, the bytes are to blame
        raise DecodeError(f"a map of {counted(len(body), 'byte')} that cannot be read: {error}") from error
    if not plain:
        raise DecodeError(f"a map with more than plain values, or nested more than {DEPTH} levels deep")
    return value
