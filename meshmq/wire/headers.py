"""The headers of a message: a small map of texts, and those of a whole batch in its extras."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from meshmq.codecs.msgpack import unpack_plain
from meshmq.errors import DecodeError, ProtocolError

Headers = Mapping[str, str]

#: The most characters in the headers of one message.
HEADERS_LIMIT: Final = 4_096
#: The most bytes of extras in one batch: read before anything of them is believed.
EXTRAS_LIMIT: Final = 256 * 1024


def check_headers(headers: object) -> dict[str, str] | None:
    """Return the headers of a message as they are sent: a small map of texts.

    Raises:
        DecodeError: they are none.
    """
    if headers is None:
        return None
    pairs: list[tuple[Any, Any]] = list(headers.items()) if isinstance(headers, Mapping) else [(None, None)]
    if not all(isinstance(key, str) and isinstance(value, str) for key, value in pairs):
        raise DecodeError("headers are a mapping of str to str")
    if sum(len(key) + len(value) for key, value in pairs) > HEADERS_LIMIT:
        raise DecodeError(f"headers hold at most {HEADERS_LIMIT:,} characters; put more into the data")
    # The members of a StrEnum, say, travel as the texts they are.
    texts = {str.__str__(key): str.__str__(value) for key, value in pairs}
    try:
        "".join((*texts, *texts.values())).encode()
    except UnicodeEncodeError as error:
        raise DecodeError("headers hold half a surrogate pair, which UTF-8 cannot") from error
    return texts or None


def headers_bytes(headers: Headers) -> int:
    """Return how many bytes the headers of one job may at most take among the extras of a batch."""
    return 16 + 6 * sum(len(key) + len(value) for key, value in headers.items())


def read_headers(extras: memoryview, count: int) -> dict[int, dict[str, str]]:
    """Return the headers in the extras of a batch of so many, by index.

    Raises:
        ProtocolError: they are none.
    """
    try:
        items = unpack_plain(extras, limit=EXTRAS_LIMIT)
    except DecodeError as error:
        raise ProtocolError(str(error)) from error
    if not isinstance(items, list) or len(items) % 2:
        raise ProtocolError("a batch with headers that are none")
    found: dict[int, dict[str, str]] = {}
    for index, header in zip(items[::2], items[1::2], strict=True):
        if type(index) is not int or not 0 <= index < count or not isinstance(header, dict):
            raise ProtocolError("a batch with headers that are none")
        if not all(type(key) is str and type(value) is str for key, value in header.items()):
            raise ProtocolError("a batch with headers that are none")
        found[index] = header
    return found
