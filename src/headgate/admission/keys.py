"""API keys: made here, shown once, kept only as a keyed hash."""

from __future__ import annotations

import hashlib
import secrets

__all__ = ["KEY_PREFIX", "hash_key", "new_key"]

KEY_PREFIX = "hg_"


def new_key() -> str:
    """A fresh key: `hg_` and 43 characters that hold 256 random bits."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def hash_key(key: str | bytes, pepper: bytes) -> bytes:
    """32 bytes of keyed BLAKE2b: fast (0.9 µs) because a random 256-bit key needs no slow hash, and worth nothing without
    the installation's pepper."""
    return hashlib.blake2b(key.encode() if isinstance(key, str) else key, key=pepper, digest_size=32).digest()
