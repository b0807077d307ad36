"""The mesh's secret: where it is found, what a good one is, and the keys that come out of it.

Whoever knows the secret holds the same two CURVE key pairs: one that every bound socket serves
with, and one that every dialled socket proves itself with. Both ends are thus authenticated by the
same fact. The keys depend on the secret alone, not on the mesh's name, so that a neighbour of
another mesh gets as far as reading our card, and the refusal can name the mesh.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import zmq
from zmq.utils import z85

from meshmq.errors import ConfigError

_logger = logging.getLogger("meshmq.links")

SECRET_CHARACTERS: Final = 20
_FILE_BYTES: Final = 4096
_REPAIR: Final = "make one with: meshmq keys new"


@dataclass(frozen=True, slots=True)
class Keys:
    """What one secret gives: two CURVE key pairs as Z85, and the tag that discovery shows."""

    server_public: bytes
    server_secret: bytes
    client_public: bytes
    client_secret: bytes
    tag: bytes

    def __repr__(self) -> str:
        return "<Keys, hidden>"


def new_secret() -> str:
    """Return a new secret: 32 random bytes in 43 characters that need no quoting anywhere."""
    return secrets.token_urlsafe(32)


def load_secret(argument: str | None, environ: Mapping[str, str]) -> str | None:
    """Return the secret of the mesh, or ``None`` where none is given.

    The argument comes first, then ``MESHMQ_SECRET``, then the content of the file that
    ``MESHMQ_SECRET_FILE`` names. White space around it does not count.

    Raises:
        ConfigError: what is given is too short to be a secret, or the file cannot be used.
    """
    if argument is not None:
        if not isinstance(argument, str):
            raise ConfigError(f"secret= is a str, not {type(argument).__name__}; {_REPAIR}")
        return _checked(argument, "secret=")
    if "MESHMQ_SECRET" in environ:
        return _checked(environ["MESHMQ_SECRET"], "MESHMQ_SECRET")
    if "MESHMQ_SECRET_FILE" in environ:
        return _from_file(Path(environ["MESHMQ_SECRET_FILE"]))
    return None


def _checked(text: str, source: str) -> str:
    secret = text.strip()
    if len(secret) < SECRET_CHARACTERS:
        raise ConfigError(
            f"the secret in {source} has {len(secret)} characters and needs {SECRET_CHARACTERS} or more; {_REPAIR}"
        )
    return secret


def _from_file(path: Path) -> str:
    source = f"the file {str(path)!r} (MESHMQ_SECRET_FILE)"
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{source} cannot be read: {reason}; {_REPAIR}, and keep it there") from error
    if len(content) > _FILE_BYTES:
        raise ConfigError(f"{source} holds more than {_FILE_BYTES} bytes, which is no secret; {_REPAIR}")
    try:
        secret = _checked(content.decode(), source)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{source} is not text; {_REPAIR}") from error
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        _logger.warning("%s is open to other users of this machine: chmod 600 %s", source, path)
    return secret


@lru_cache(maxsize=16)
def derive(secret: str) -> Keys:
    """Return the keys of ``secret``.

    The first call takes about 50 ms, on purpose: it is what a guess costs whoever tries to find the
    secret from the tag. It is made before any socket carries traffic.
    """
    # The salt can only be fixed: all who know the secret must come to the same keys.
    master = hashlib.scrypt(
        secret.encode("utf-8", "surrogatepass"), salt=b"meshmq secret 1", n=2**14, r=8, p=1, dklen=32
    )
    server_public, server_secret = _pair(master, b"meshmq server")
    client_public, client_secret = _pair(master, b"meshmq client")
    tag = hashlib.blake2b(master, digest_size=4, person=b"meshmq tag").digest()
    return Keys(server_public, server_secret, client_public, client_secret, tag)


def _pair(master: bytes, purpose: bytes) -> tuple[bytes, bytes]:
    seed = bytearray(hashlib.blake2b(master, digest_size=32, person=purpose).digest())
    # Clamping as X25519 wants it (RFC 7748, section 5).
    seed[0] &= 248
    seed[31] = seed[31] & 127 | 64
    secret: bytes = z85.encode(bytes(seed))
    return zmq.curve_public(secret), secret
