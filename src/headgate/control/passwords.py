"""Passwords: what one must be, and how it is kept (argon2id, with the library's own parameters)."""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["LEAST", "BadPassword", "Passwords"]

LEAST = 12
"""Characters, at least. Length is all that is asked: rules of other kinds make people write them down."""
_MOST = 200
_AT_ONCE = 2
"""Each takes 64 MiB and some 50 ms of a core: strangers must not be able to ask for many at the same time."""


class BadPassword(ValueError):
    """It cannot be used; says why."""


class Passwords:
    """Makes and compares hashes, away from the loop that serves requests."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._made: Any = None
        self._other = ""

    async def hashed(self, password: str) -> str:
        """As it is kept. Raises BadPassword."""
        if len(password) < LEAST:
            raise BadPassword(f"a password has at least {LEAST} characters")
        if len(password) > _MOST:
            raise BadPassword(f"a password has at most {_MOST} characters")
        async with self._turn:
            return str(await asyncio.to_thread(self._hasher().hash, password))

    async def fits(self, kept: str, password: str) -> bool:
        """Is it this one? Takes as long where nothing is kept, so that nobody learns who there is."""
        if len(password) > _MOST:
            return False
        async with self._turn:
            return await asyncio.to_thread(self._fits, kept, password)

    def _fits(self, kept: str, password: str) -> bool:
        from argon2.exceptions import Argon2Error, InvalidHashError  # noqa: PLC0415 - see `_hasher`

        if not self._other:
            self._other = self._hasher().hash("nobody's")
        try:
            return bool(self._hasher().verify(kept or self._other, password)) and bool(kept)
        except (Argon2Error, InvalidHashError):
            return False

    def _hasher(self) -> Any:
        if self._made is None:
            from argon2 import PasswordHasher  # noqa: PLC0415 - nobody pays for it where nobody signs in

            self._made = PasswordHasher()
        return self._made
