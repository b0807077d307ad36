"""What an exception of the user's says in a few words, whatever its class does when it is asked."""

from __future__ import annotations

from typing import Final

#: The most characters of a reason.
REASON_LENGTH: Final = 500


def speakable(text: str) -> str:
    """Return a text that can be encoded: half a surrogate pair, as of a file's name, is written out."""
    return text.encode("utf-8", "backslashreplace").decode()


def kind_of(error: BaseException) -> str:
    """Return the name of an exception's class; never raises."""
    try:
        return str(type(error).__name__)
    except BaseException:  # a metaclass of the program's
        return "Exception"


def text_of(error: BaseException) -> str:
    """Return what an exception says; never raises."""
    try:
        return speakable(str(error))
    except BaseException as failure:
        return f"(its text cannot be made: {kind_of(failure)})"


def reason_of(error: BaseException) -> str:
    """Return what is told of a failed job's exception: kind and text, cut at the end; never raises."""
    return f"{kind_of(error)}: {text_of(error)}"[:REASON_LENGTH]
