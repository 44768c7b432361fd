"""Passwords are kept as argon2's library advises, and nobody learns from them who there is."""

from __future__ import annotations

import argon2
import pytest

from headgate.control.passwords import LEAST, BadPassword, Passwords
from tests.support.aio import aio

__all__: list[str] = []

PASSWORD = "correct horse battery"


@aio
async def test_a_hash_is_as_dear_as_the_library_advises() -> None:
    """Tests of the dashboard use cheaper ones; what is kept of people does not."""
    kept = await Passwords().hashed(PASSWORD)
    assert argon2.extract_parameters(kept) == argon2.profiles.RFC_9106_LOW_MEMORY
    assert not argon2.PasswordHasher().check_needs_rehash(kept)


@aio
async def test_only_the_same_password_fits() -> None:
    """And none where none is kept, or where what is kept is no hash."""
    passwords = Passwords()
    kept = await passwords.hashed(PASSWORD)
    assert await passwords.fits(kept, PASSWORD)
    assert not await passwords.fits(kept, f"{PASSWORD} ")
    for nothing in ("", "no hash"):
        assert not await passwords.fits(nothing, PASSWORD)
        assert not await passwords.fits(nothing, "nobody's")


@pytest.mark.parametrize("password", ["x" * (LEAST - 1), "x" * 201])
@aio
async def test_a_password_has_a_length(password: str) -> None:
    """Long enough to be one, and not so long that hashing it is a burden."""
    with pytest.raises(BadPassword, match="characters"):
        await Passwords().hashed(password)
    assert not await Passwords().fits("", password)
