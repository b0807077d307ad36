"""Any value that may travel <-> a tree of what MessagePack has types for.

A leaf of another type becomes an extension (``scalars.py``). A container of another type becomes an array
whose first element is an extension without bytes; its code says what the rest is:

=====  ==========================  ==============================================
code   value                       the rest of the array
=====  ==========================  ==============================================
1      tuple                       its elements
2      set                         its elements
3      frozenset                   its elements
4      dict with other keys        key, value, key, value ...
       than nil, bool, int,
       float, str and bin
5      registered class            its name; then the member of an enum, the
                                   elements of a named tuple, or name, value,
                                   name, value ... of a dataclass's fields
6      numpy array                 dtype, shape and, below 64 KiB, its bytes (C
                                   order); larger ones are the next buffer
7      numpy scalar                dtype, bytes
8      extension of the user's     code, bytes
9-11   large bytes                 see ``large``
=====  ==========================  ==============================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from meshmq.codecs import arrays, large, registry, scalars
from meshmq.codecs.advice import advice_on
from meshmq.codecs.base import DEPTH, LARGE_BYTES, PLAIN, Buffer, Refused, check_hashes
from meshmq.errors import DecodeError, MessageTooLarge

TUPLE: Final = 1
SET: Final = 2
FROZENSET: Final = 3
MAPPING: Final = 4
REGISTERED: Final = 5
ARRAY: Final = 6
NUMBER: Final = 7
EXTENSION: Final = 8


#: An extension as the codec's library represents it: (code, payload) and a class of its own.
Extension = Callable[[int, bytes], Any]


class Writer:
    """One value on its way to a tree; ``buffers`` fills with the bytes of large arrays.

    A hasty writer passes on lists and dicts that hold plain types only as they are; the values among them
    that MessagePack does not take (an int beyond 64 bits, a str with half a surrogate pair) make the packer
    fail, and a second, careful writer finds them.
    """

    def __init__(self, extension: Extension, copied: Callable[[Buffer], Buffer], *, careful: bool, limit: int) -> None:
        self._copied = copied
        self.buffers: list[Buffer] = []
        #: Large ones.
        self.arrays: list[Any] = []
        self._extension = extension
        self._careful = careful
        self._limit = limit

    def write(self, value: Any, room: int = DEPTH) -> object:
        """Return the tree of ``value``, which may hold ``room`` more levels of containers.

        Raises:
            Refused: it would not come back equal.
            MessageTooLarge: an array in it is over the limit.
        """
        kind = type(value)
        if kind is str:
            return self._text(value) if self._careful else value
        if kind is int:
            return value if -(2**63) <= value < 2**64 else self._scalar(value)
        if kind is bytes and len(value) >= LARGE_BYTES:
            return self._large(large.BYTES, value)
        if kind in PLAIN:
            return value
        if kind is list:
            return self._items(value, _inner(room))
        if kind is dict:
            return self._dict(value, _inner(room))
        if kind is tuple:
            return [self._extension(TUPLE, b""), *self._items(value, _inner(room))]
        if kind is set or kind is frozenset:
            return [self._extension(SET if kind is set else FROZENSET, b""), *self._members(value, _inner(room))]
        return self._other(value, room)

    def _text(self, value: str) -> str:
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise Refused(
                f"is a str with half a surrogate pair at {error.start}, which UTF-8 cannot hold: "
                "send bytes, as from value.encode('utf-8', 'surrogatepass')"
            ) from error
        return value

    def _scalar(self, value: object) -> object:
        packed = scalars.pack_scalar(value)
        return None if packed is None else self._extension(*packed)

    def _items(self, values: list[Any] | tuple[Any, ...], room: int) -> Sequence[object]:
        if not self._careful and PLAIN.issuperset(map(type, values)) and not large.holds_large(values):
            return values
        return [self._step(value, room, _index, index) for index, value in enumerate(values)]

    def _step(self, value: object, room: int, show: Callable[[Any], str], key: object) -> object:
        try:
            return self.write(value, room)
        except Refused as refused:
            refused.within(show(key))
            raise

    def _members(self, values: Iterable[Any], room: int) -> list[object]:
        members = list(values)
        check_hashes(members, Refused)
        try:
            return [self.write(member, room) for member in members]
        except Refused as refused:
            refused.member("holds an element")
            raise

    def _dict(self, value: dict[Any, Any], room: int) -> object:
        if not PLAIN.issuperset(map(type, value)) or (self._careful and any(map(_is_big, value))):
            return self._mapping(value, room)
        if not self._careful and PLAIN.issuperset(map(type, value.values())) and not large.holds_large(value.values()):
            return value
        if self._careful:
            self._keys(value, room)
        return {key: self._step(item, room, _shown, key) for key, item in value.items()}

    def _mapping(self, value: dict[Any, Any], room: int) -> object:
        check_hashes(list(value), Refused)
        tree: list[object] = [self._extension(MAPPING, b"")]
        for key, packed in zip(value, self._keys(value, room), strict=True):
            tree.append(packed)
            tree.append(self._step(value[key], room, _shown, key))
        return tree

    def _keys(self, keys: Iterable[Any], room: int) -> list[object]:
        try:
            return [self.write(key, room) for key in keys]
        except Refused as refused:
            refused.member("has a key")
            raise

    def _large(self, code: int, data: Buffer) -> object:
        if len(data) > self._limit:
            raise MessageTooLarge(len(data), self._limit)
        self.buffers.append(self._copied(data))
        return [self._extension(code, b"")]

    def _other(self, value: Any, room: int) -> object:
        if type(value) is memoryview:
            view = large.bytes_of_view(value)
            small = len(view) < LARGE_BYTES
            return [self._extension(large.VIEW, b""), bytes(view)] if small else self._large(large.VIEW, view)
        if type(value) is bytearray and len(value) >= LARGE_BYTES:
            return self._large(large.BYTEARRAY, memoryview(value))
        packed = self._scalar(value)
        if packed is not None:
            return packed
        kind = type(value)
        adapter = registry.adapter_of(kind)
        if adapter is not None:
            room = _inner(room)
            parts = [self._step(part, room, str, step) for step, part in adapter.parts(value)]
            return [self._extension(REGISTERED, b""), adapter.name, *parts]
        if kind is self._extension:
            return [self._extension(EXTENSION, b""), *value]
        if arrays.is_array(kind):
            return self._array(value)
        if arrays.is_numpy(kind):
            return [self._extension(NUMBER, b""), *arrays.pack_number(value)]
        raise Refused(advice_on(value))

    def _array(self, value: Any) -> object:
        dtype, shape, size = arrays.pack_array(value)
        if size > self._limit:
            raise MessageTooLarge(size, self._limit)
        if size < LARGE_BYTES:
            return [self._extension(ARRAY, b""), dtype, shape, value.tobytes()]
        self.arrays.append(value)
        self.buffers.append(self._copied(arrays.bytes_of(value)))
        return [self._extension(ARRAY, b""), dtype, shape]


class Reader:
    """One tree on its way to a value; takes ``buffers`` in the order in which the tree refers to them."""

    def __init__(self, extension: Extension, buffers: Iterator[Buffer]) -> None:
        self._extension = extension
        self._buffers = buffers

    def read(self, tree: Any, room: int = DEPTH) -> object:
        """Return the value of ``tree``, whose lists and dicts it may change and keep.

        Raises:
            DecodeError: no writer makes such a tree.
        """
        kind = type(tree)
        if kind is list:
            if not room:
                raise DecodeError(f"data nested more than {DEPTH} levels deep")
            if tree and type(tree[0]) is self._extension:
                return self._container(tree[0], tree[1:], room - 1)
            return self._items(tree, room - 1)
        if kind is dict:
            if not room:
                raise DecodeError(f"data nested more than {DEPTH} levels deep")
            if not PLAIN.issuperset(map(type, tree)):
                raise DecodeError("a map with keys that no map of ours has")
            if not PLAIN.issuperset(map(type, tree.values())):
                for key, item in tree.items():
                    tree[key] = self.read(item, room - 1)
            return tree
        if kind is self._extension:
            return scalars.unpack_scalar(tree.code, tree.data)
        return tree

    def _items(self, trees: list[Any], room: int) -> list[Any]:
        if not PLAIN.issuperset(map(type, trees)):
            trees[:] = [self.read(tree, room) for tree in trees]
        return trees

    def _container(self, head: Any, rest: list[Any], room: int) -> object:
        code = 0 if head.data else head.code
        if code == TUPLE:
            return tuple(self._items(rest, room))
        if code in (SET, FROZENSET):
            members = self._items(rest, room)
            check_hashes(members, DecodeError)
            return set(members) if code == SET else frozenset(members)
        if code == MAPPING:
            parts = self._items(rest, room)
            keys = parts[::2]
            check_hashes(keys, DecodeError)
            return dict(zip(keys, parts[1::2], strict=True))
        if code == REGISTERED and rest:
            return registry.adapter_named(rest[0]).build(self._items(rest[1:], room))
        if code == ARRAY and len(rest) == 3 and type(rest[2]) is bytes:
            return arrays.unpack_array(*rest)
        if code == ARRAY and len(rest) == 2:
            buffer = next(self._buffers, None)
            if buffer is None:
                raise DecodeError("an array without its frame")
            return arrays.unpack_array(rest[0], rest[1], buffer)
        if code in large.CODES.values():
            return large.unpack_bytes(code, rest, self._buffers)
        if code == NUMBER and len(rest) == 2 and type(rest[1]) is bytes:
            return arrays.unpack_number(*rest)
        if code == EXTENSION and len(rest) == 2:
            return self._extension(*rest)
        # A list that begins with a scalar of ours, a Decimal say.
        return self._items([head, *rest], room)


def _inner(room: int) -> int:
    if not room:
        raise Refused(f"is nested more than {DEPTH} levels deep, or holds itself: send it in parts, by id")
    return room - 1


def _is_big(key: object) -> bool:
    return type(key) is int and not -(2**63) <= key < 2**64


def _index(number: int) -> str:
    return f"[{number}]"


def _shown(key: object) -> str:
    """Return the step to the value of ``key``, without running anybody's ``__repr__``."""
    if type(key) is str and len(key) <= 40 and key.isprintable() and '"' not in key and "\\" not in key:
        return f'["{key}"]'
    if type(key) in PLAIN:
        shown = repr(key) if type(key) is not int or not _is_big(key) else "a large int"
        return f"[{shown if len(shown) <= 60 else shown[:57] + '...'}]"
    return f"[a {type(key).__name__}]"
