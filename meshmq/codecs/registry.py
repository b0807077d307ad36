"""Which enums, dataclasses and named tuples may travel, under which names.

Nothing is looked up by a name from the wire but in this table: both ends register.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from enum import Enum, Flag
from functools import cached_property
from threading import Lock
from typing import Any, Final, TypeVar, overload

from meshmq.codecs.base import Refused
from meshmq.errors import ConfigError, DecodeError
from meshmq.names import counted

_T = TypeVar("_T")
_MISSING: Final = object()


class Adapter:
    """A registered class: a value to its parts and back."""

    def __init__(self, cls: type, name: str) -> None:
        self.cls = cls
        self.name = name

    def parts(self, value: Any) -> Iterable[tuple[str, object]]:
        """Return what travels of ``value``, each part with the step that leads to it.

        Raises:
            Refused: ``value`` would not come back equal.
        """
        raise NotImplementedError

    def build(self, parts: Sequence[object]) -> object:
        """Return the value that has these parts.

        Raises:
            DecodeError: none has.
        """
        raise NotImplementedError


class _EnumAdapter(Adapter):
    def __init__(self, cls: type, name: str) -> None:
        super().__init__(cls, name)
        # An enum keeps every combination that it was ever asked for: of bits that are nobody's there is no end.
        self._bits = 0
        for member in cls.__members__.values() if issubclass(cls, Flag) else ():
            self._bits |= member._value_

    def parts(self, value: Enum) -> Iterable[tuple[str, object]]:
        # Combined flags have no name of their own.
        if isinstance(value, Flag) and value._value_ & ~self._bits:
            raise Refused(f"is {value._value_:#x}, with bits that no member of {self.name} has: send the int")
        return ((".value", value._value_ if isinstance(value, Flag) else value._name_),)

    def build(self, parts: Sequence[object]) -> object:
        if len(parts) == 1:
            if issubclass(self.cls, Flag):
                if type(parts[0]) is int and not parts[0] & ~self._bits:
                    member = self.cls(parts[0])
                    if type(member) is self.cls and member._value_ == parts[0]:
                        return member
            elif isinstance(parts[0], str) and parts[0] in self.cls.__members__:  # type: ignore[attr-defined]  # an Enum
                return self.cls[parts[0]]  # type: ignore[index]  # an Enum
        raise DecodeError(f"{self.name!r} has no member {str(parts)[:80]}: the two ends register different classes")


class _DataclassAdapter(Adapter):
    """Fields are set as they were: neither ``__init__`` nor ``__post_init__`` runs where the value arrives.

    So what comes back is equal by construction, no code runs at the word of a peer, and what the sender
    accepted cannot fail at the receiver. Whoever needs checks on arrival makes them in the handler.
    """

    def __init__(self, cls: type, name: str) -> None:
        super().__init__(cls, name)
        try:
            object.__new__(cls)
        except TypeError as error:
            raise ConfigError(f"{cls.__qualname__} cannot be registered: {error}; send a dict of its parts") from error
        self._fields = {field.name: field for field in dataclasses.fields(cls)}
        self._may_have = self._fields.keys() | {
            key for base in cls.__mro__ for key, value in vars(base).items() if isinstance(value, cached_property)
        }

    def parts(self, value: Any) -> Iterable[tuple[str, object]]:
        extra = getattr(value, "__dict__", {}).keys() - self._may_have
        if extra:
            raise Refused(
                f"has attributes that are no fields of {self.name} and would be lost "
                f"({', '.join(sorted(map(str, extra))[:5])}): declare them as fields"
            )
        for name in self._fields:
            part = getattr(value, name, _MISSING)
            if part is _MISSING:
                raise Refused(f"lacks its field {name!r}: set it before you send")
            yield f".{name}", name
            yield f".{name}", part

    def build(self, parts: Sequence[object]) -> object:
        given = dict(zip(parts[::2], parts[1::2], strict=True))
        value: object = object.__new__(self.cls)
        for name, field in self._fields.items():
            part = given.pop(name, _MISSING)
            if part is _MISSING:
                part = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
            if part is dataclasses.MISSING:
                raise DecodeError(
                    f"a {self.name!r} without its field {name!r}: the two ends register different classes"
                )
            object.__setattr__(value, name, part)
        if given:
            raise DecodeError(
                f"a {self.name!r} with unknown fields {str(list(given))[:80]}: the sender's class is newer"
            )
        return value


class _NamedTupleAdapter(Adapter):
    def __init__(self, cls: type, name: str) -> None:
        super().__init__(cls, name)
        self._fields: tuple[str, ...] = cls._fields  # type: ignore[attr-defined]  # checked by the caller

    def parts(self, value: Any) -> Iterable[tuple[str, object]]:
        return zip((f".{name}" for name in self._fields), value, strict=True)

    def build(self, parts: Sequence[object]) -> object:
        if len(parts) != len(self._fields):
            raise DecodeError(f"a {self.name!r} of {counted(len(parts), 'part')}: here it has {len(self._fields)}")
        return tuple.__new__(self.cls, parts)


_lock = Lock()
_by_class: Final[dict[type, Adapter]] = {}
_by_name: Final[dict[str, Adapter]] = {}


@overload
def register(cls: type[_T], name: str | None = None) -> type[_T]: ...
@overload
def register(cls: None = None, name: str | None = None) -> Callable[[type[_T]], type[_T]]: ...
def register(cls: type[_T] | None = None, name: str | None = None) -> type[_T] | Callable[[type[_T]], type[_T]]:
    """Let values of an enum, dataclass or named tuple travel; also a decorator. Both ends register.

    ``name`` is what stands on the wire, by default the class's own (``__qualname__``). A dataclass travels
    as its fields, which are set where it arrives without ``__init__`` and ``__post_init__``; a field that
    the sender's class does not have takes its default. Registering a class again, also a reloaded one, is fine.

    Raises:
        ConfigError: ``cls`` is none of the three, or another class has the name.
    """
    if cls is None:
        return lambda decorated: register(decorated, name)
    wire_name = getattr(cls, "__qualname__", "") if name is None else name
    if not isinstance(wire_name, str) or not 0 < len(wire_name) <= 200 or not wire_name.isprintable():
        raise ConfigError(f"register(name={wire_name!r}): a name is a printable str of 1 to 200 characters")
    adapter = _adapter(cls, wire_name)
    with _lock:
        other = _by_name.get(wire_name)
        if other is not None and other.cls is not cls:
            if (other.cls.__module__, other.cls.__qualname__) != (cls.__module__, cls.__qualname__):
                raise ConfigError(
                    f"the name {wire_name!r} belongs to {other.cls.__module__}.{other.cls.__qualname__}: "
                    f"register {cls.__module__}.{cls.__qualname__} with a name= of its own"
                )
            _by_class.pop(other.cls, None)  # a reloaded module: the new class takes its place
        before = _by_class.get(cls)
        if before is not None and before.name != wire_name:
            raise ConfigError(f"{cls.__qualname__} is registered as {before.name!r}: it has one name")
        _by_class[cls] = _by_name[wire_name] = adapter
    return cls


def _adapter(cls: object, name: str) -> Adapter:
    if isinstance(cls, type):
        if issubclass(cls, Enum):
            return _EnumAdapter(cls, name)
        if dataclasses.is_dataclass(cls):
            return _DataclassAdapter(cls, name)
        if issubclass(cls, tuple) and hasattr(cls, "_fields"):
            return _NamedTupleAdapter(cls, name)
    raise ConfigError(
        f"register({cls!r}): enums, dataclasses and named tuples can be registered; send a dict of its parts"
    )


def adapter_of(cls: type) -> Adapter | None:
    """Return how values of ``cls`` travel, or None where it is not registered."""
    return _by_class.get(cls)


def adapter_named(name: object) -> Adapter:
    """Return the adapter registered under ``name``.

    Raises:
        DecodeError: none is.
    """
    adapter = _by_name.get(name) if isinstance(name, str) else None
    if adapter is None:
        shown = repr(name)[:80] if isinstance(name, str) else "something without a name"
        raise DecodeError(f"the data holds {shown}, which is not registered here: meshmq.register(...) it on both ends")
    return adapter
