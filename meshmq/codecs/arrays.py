"""numpy arrays and scalars as a dtype, a shape and bytes; numpy is imported when the first one comes by.

A dtype is written as numpy's own string (``<f8``, ``<M8[ns]``) or, for a structured one, as a list of
[name, string]. Only numbers, booleans, times and fixed-size text and bytes travel: never objects.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from meshmq.codecs.base import Refused
from meshmq.errors import DecodeError
from meshmq.names import counted

if TYPE_CHECKING:
    import numpy as np

_DTYPE: Final = re.compile(r"[<>|][biufcmMSUV][0-9]{1,9}(\[([1-9][0-9]{0,8})?[a-zA-Z]{1,7}\])?")
_SIZES: Final = {"b": (1,), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "f": (2, 4, 8), "c": (8, 16), "m": (8,), "M": (8,)}
_TEXT: Final = "SUV"  # of any size
_FIELDS: Final = 1000
_DIMENSIONS: Final = 64  # numpy has no more
_LAST_CHARACTER: Final = 0x10FFFF


def is_numpy(kind: type) -> bool:
    """Tell, without importing it, whether ``kind`` is one of numpy's own classes."""
    return kind.__module__ == "numpy"


def is_array(kind: type) -> bool:
    """Tell whether ``kind`` is an array of numpy's, or a kind of one."""
    return any(base.__name__ == "ndarray" and is_numpy(base) for base in kind.__mro__)


def pack_array(value: Any) -> tuple[object, list[int], int]:
    """Return the dtype, shape and number of bytes of an array; its bytes are ``value.tobytes()``.

    Raises:
        Refused: it would not come back equal.
    """
    import numpy as np

    if type(value) is not np.ndarray:
        raise Refused(f"is a {type(value).__name__}, a kind of array that would arrive as another: send np.asarray(it)")
    return _pack_dtype(value.dtype), list(value.shape), value.nbytes


def bytes_of(value: Any) -> memoryview:
    """Return the bytes of an array in C order; a view of its own, where it has them so."""
    import numpy as np

    flat: Any = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
    return memoryview(flat)


def unpack_array(dtype: object, shape: object, data: bytes | memoryview) -> object:
    """Return a read-only array on ``data``; only where that is not aligned, on a copy.

    Raises:
        DecodeError: the three do not make an array.
    """
    try:
        import numpy as np
    except ImportError as error:
        raise DecodeError("the data holds an array and numpy is not installed here: pip install numpy") from error
    try:
        kind = _unpack_dtype(dtype)
        if isinstance(shape, list) and len(shape) > _DIMENSIONS:  # multiplying them all takes the square of their time
            raise DecodeError(f"an array of {len(shape):,} dimensions: it may have {_DIMENSIONS}")
        if not isinstance(shape, list) or not {*map(type, shape)} <= {int} or (shape and min(shape) < 0):
            raise DecodeError(f"an array of the shape {str(shape)[:80]}")
        view = memoryview(data)
        size = kind.itemsize
        for length in shape:
            size *= length
        if size != view.nbytes:
            raise DecodeError(f"an array of the shape {str(shape)[:80]} in {counted(view.nbytes, 'byte')}")
        array: np.ndarray[Any, Any] = np.ndarray(shape, kind, buffer=view)
        if not array.flags.aligned:
            array = array.copy()
        array.flags.writeable = False
        _check_text(array)
    except DecodeError:
        raise
    except Exception as error:  # whatever numpy finds wrong: all of it came off the wire
        raise DecodeError(f"an array that numpy cannot make: {error}") from error
    return array


def pack_number(value: Any) -> tuple[object, bytes]:
    """Return the dtype and bytes of a numpy scalar.

    Raises:
        Refused: it would not come back equal and of the same type.
    """
    import numpy as np

    if not isinstance(value, np.generic):
        raise Refused(f"is a {type(value).__name__} of numpy: send an array, or a dict of its parts")
    dtype = value.dtype
    if not dtype.itemsize and dtype.kind in "SU":  # the only sizes without bytes: empty text
        return dtype.str, b""
    if dtype.kind == "V":
        raise Refused("is one record: send an array of one")
    described, payload = _pack_dtype(dtype), value.tobytes()
    back = unpack_number(described, payload)
    if type(back) is not type(value) or back.dtype != dtype or back.tobytes() != payload:
        raise Refused(f"is a {type(value).__name__} that would arrive as {type(back).__name__}: send that")
    return described, payload


def unpack_number(dtype: object, payload: bytes | memoryview) -> Any:
    """Return the scalar that ``pack_number`` was given.

    Raises:
        DecodeError: the two do not make a scalar.
    """
    if dtype in ("<U0", ">U0", "|S0") and not payload:
        import numpy as np

        return np.bytes_() if dtype == "|S0" else np.str_()
    array: Any = unpack_array(dtype, [], payload)
    return array[()]


def _pack_dtype(dtype: np.dtype[Any]) -> object:
    import numpy as np

    if dtype.names is None:
        if not _may_travel(dtype):
            raise Refused(f"holds {dtype} and no numbers, times or fixed-size text: send a list, or astype() it first")
        return dtype.str
    described: list[list[str]] = []
    for name in dtype.names:
        described.append([name, dtype[name].str])
        if not _may_travel(dtype[name]):
            raise Refused(f"has the field {name!r} of {dtype[name]}: fields are numbers, times or fixed-size text")
    if len(described) > _FIELDS or np.dtype([(name, text) for name, text in described]) != dtype:
        raise Refused(
            f"has {len(described)} fields with gaps, titles or in another order than in memory: "
            "use numpy.lib.recfunctions.repack_fields(array)"
        )
    return described


def _unpack_dtype(described: object) -> np.dtype[Any]:
    import numpy as np

    if isinstance(described, str):
        return _unpack_simple(described)
    if not isinstance(described, list) or not 0 < len(described) <= _FIELDS:
        raise DecodeError("an array without a dtype")
    fields = []
    for field in described:
        if not isinstance(field, list) or len(field) != 2 or not isinstance(field[0], str):
            raise DecodeError("an array with a field that has no name")
        fields.append((field[0], _unpack_simple(field[1])))
    kind: np.dtype[Any] = np.dtype(fields)
    return kind


def _unpack_simple(text: object) -> np.dtype[Any]:
    import numpy as np

    if not isinstance(text, str) or _DTYPE.fullmatch(text) is None:
        raise DecodeError(f"an array of the dtype {str(text)[:40]!r}")
    kind: np.dtype[Any] = np.dtype(text)
    if kind.str != text or not _may_travel(kind):
        raise DecodeError(f"an array of the dtype {text!r}")
    return kind


def _may_travel(dtype: np.dtype[Any]) -> bool:
    if dtype.names is not None or dtype.subdtype is not None or dtype.hasobject or not dtype.itemsize:
        return False
    if _DTYPE.fullmatch(dtype.str) is None:  # a datetime64 of [0s], say
        return False
    return dtype.kind in _TEXT or dtype.itemsize in _SIZES.get(dtype.kind, ())


def _check_text(array: np.ndarray[Any, Any]) -> None:
    """Refuse text with numbers that are no characters: numpy raises ``SystemError`` where they are read."""
    import numpy as np

    for name in array.dtype.names or ():
        _check_text(array[name])
    if array.dtype.kind == "U" and array.size:
        codes = np.frombuffer(array.tobytes(), np.dtype("u4").newbyteorder(array.dtype.byteorder))
        if codes.max() > _LAST_CHARACTER:
            raise DecodeError("an array of text with numbers that are no characters")
