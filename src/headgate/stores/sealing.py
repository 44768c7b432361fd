"""AES-256-GCM around secrets that are kept: what is in the database is of no use without a key that is not there.

The master key comes from the environment. Each value is sealed under a random nonce of its own and together with a context,
such as the name it is kept under: moved to another row it does not open. A sealed value says which key it is under, so that
two keys can be known while one takes the place of the other.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from headgate.stores.errors import StoreError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = [
    "KEY_VARIABLE",
    "OLD_KEY_VARIABLE",
    "CannotOpen",
    "NoMasterKey",
    "Sealer",
    "master_of",
    "new_master_key",
    "open_",
    "seal",
]

KEY_VARIABLE = "HEADGATE_SECRET_KEY"
OLD_KEY_VARIABLE = "HEADGATE_SECRET_KEY_OLD"
_FORMAT = b"\x01"
_ID_BYTES = 4
_KEY_BYTES = 32
_NONCE_BYTES = 12
_FILE = "file:"


class NoMasterKey(StoreError):
    """There is no key to seal with, or it is none, or the package that seals is not installed."""


class CannotOpen(StoreError):
    """A sealed value does not open: it is under a key that is not here, or it is not what was sealed."""


def new_master_key() -> str:
    """32 random bytes in base64, for `HEADGATE_SECRET_KEY`."""
    return base64.b64encode(os.urandom(_KEY_BYTES)).decode()


def seal(plain: bytes, context: str, environ: Mapping[str, str] = os.environ) -> bytes:
    """Sealed under the environment's key. context: `open_` must be told the same. Raises NoMasterKey."""
    return Sealer.from_environment(environ).seal(plain, context)


def open_(sealed: bytes, context: str, environ: Mapping[str, str] = os.environ) -> bytes:
    """What was sealed, with one of the environment's keys. Raises NoMasterKey, CannotOpen."""
    return Sealer.from_environment(environ).open(sealed, context)


def master_of(sealed: bytes) -> str:
    """8 hex digits: which master key a value is sealed under."""
    return sealed[1 : 1 + _ID_BYTES].hex()


class Sealer:
    """Seals under one key, and opens what was sealed under it or under the one before. Shows neither."""

    def __init__(self, key: bytes, old: bytes = b"") -> None:
        """key, old: 32 bytes each; no `old`: there is none. Raises NoMasterKey."""
        self._ciphers = {_id(each): _cipher(each) for each in (key, old) if each}
        self._id = _id(key)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Sealer:
        """With `HEADGATE_SECRET_KEY` and `HEADGATE_SECRET_KEY_OLD`, each the key itself or `file:PATH`. Raises NoMasterKey."""
        key = _read(environ, KEY_VARIABLE)
        if not key:
            raise NoMasterKey(
                f"{KEY_VARIABLE} is not set: secrets in the database are sealed under it. `headgate secrets new-key` makes "
                "one; keep it where the gateway's environment comes from, not beside the database"
            )
        return cls(key, _read(environ, OLD_KEY_VARIABLE))

    @property
    def master(self) -> str:
        """Which key it seals under; see `master_of`."""
        return self._id.hex()

    def __repr__(self) -> str:
        return f"<Sealer {self.master}>"

    def seal(self, plain: bytes, context: str) -> bytes:
        """Different each time. context: `open` must be told the same."""
        nonce = os.urandom(_NONCE_BYTES)
        head = _FORMAT + self._id
        return head + nonce + self._ciphers[self._id].encrypt(nonce, plain, head + context.encode())

    def knows(self, sealed: bytes) -> bool:
        """Is the key here that it is sealed under?"""
        return bytes.fromhex(master_of(sealed)) in self._ciphers

    def open(self, sealed: bytes, context: str) -> bytes:
        """What was sealed. Raises CannotOpen."""
        cipher = self._ciphers.get(bytes.fromhex(master_of(sealed)))
        if cipher is None:
            raise CannotOpen(
                f"it is sealed under the key {master_of(sealed)}, which is not here (here: {', '.join(self._known())}): set "
                f"{KEY_VARIABLE} to that key, or {OLD_KEY_VARIABLE} until `headgate secrets rotate` has run"
            )
        start = len(_FORMAT) + _ID_BYTES
        nonce, rest = sealed[start : start + _NONCE_BYTES], sealed[start + _NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, rest, sealed[:start] + context.encode())
        except Exception:  # noqa: BLE001 - too short, or changed: the library has an error for each, and all mean this
            raise CannotOpen("what is in the database is not what was sealed: give it again") from None

    def _known(self) -> list[str]:
        return [each.hex() for each in self._ciphers]


def _id(key: bytes) -> bytes:
    return hashlib.blake2b(key, digest_size=_ID_BYTES, person=b"headgate seal").digest()


def _cipher(key: bytes) -> AESGCM:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - an extra, for who keeps secrets
    except ImportError:
        raise NoMasterKey("secrets in the database need a package: pip install 'headgate[secrets]'") from None
    return AESGCM(key)


def _read(environ: Mapping[str, str], variable: str) -> bytes:
    text = environ.get(variable, "")
    if text.startswith(_FILE):
        try:
            text = Path(text.removeprefix(_FILE)).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise NoMasterKey(f"the file that {variable} names cannot be read") from None
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b"?"
    if key and len(key) != _KEY_BYTES:
        raise NoMasterKey(
            f"{variable} is not {_KEY_BYTES} bytes in base64: `headgate secrets new-key` makes such a key"
        )
    return key
