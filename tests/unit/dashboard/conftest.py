"""Passwords that cost next to nothing to compare: hundreds are typed here, and what argon2 does with them is not the subject."""

from __future__ import annotations

import functools

import argon2
import pytest

__all__: list[str] = []


@pytest.fixture(autouse=True)
def _quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = functools.partial(argon2.PasswordHasher, time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(argon2, "PasswordHasher", quick)
