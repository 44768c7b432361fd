"""Where each engine keeps what a test stores: a folder, or a database of its own on one real server per worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres_server import PostgresServer, postgres_server

__all__: list[str] = []


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def place(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """A folder, or the URL of an empty database. `backend` is what the test is parametrized by."""
    if backend != "postgres":
        return tmp_path
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database()
