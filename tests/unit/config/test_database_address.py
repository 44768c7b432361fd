"""`server.database`: what is an address, and that its password is shown nowhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headgate.config.checks import Names, check
from headgate.config.fingerprint import redacted
from headgate.config.model import Configuration, Settings
from headgate.config.problems import Key
from headgate.core.section import without_credentials
from headgate.edge.settings import ServerSettings
from headgate.stores.address import is_postgres, shown_database

__all__: list[str] = []

SECRET = "s3cret"


@pytest.mark.parametrize(
    "database",
    [
        "sqlite:///headgate.db",
        "sqlite:////var/lib/headgate.db",
        "postgresql://gate:s3cret@db/headgate",
        "postgresql://gate:p%40ss%2Fword@db:5432/headgate?sslmode=verify-full",
        "postgres://db/headgate",
        "postgresql://gate:s3cret@one:5432,two:5432,three/headgate?target_session_attrs=read-write",
        "postgresql:///headgate?host=/run/postgresql",
        "postgresql://gate@[::1]:5432/headgate",
    ],
)
def test_a_database_is_a_file_or_a_server(database: str) -> None:
    """As written everywhere else too."""
    assert problems(database) == []


@pytest.mark.parametrize(
    "database",
    [
        "",
        "headgate.db",
        "sqlite:///:memory:",
        "mysql://gate:s3cret@db/headgate",
        "postgresql+asyncpg://gate:s3cret@db/headgate",
        "postgresql://gate:s3cret@db",
        "postgresql://gate:s3cret@db/",
        "postgresql://gate:s3cret@db:port/headgate",
        "postgresql://gate:s3cret@db:99999/headgate",
        "postgresql://gate:a@s3cret@db/headgate",
        "postgresql://gate:s3cret/x@db/headgate",
    ],
)
def test_what_is_none_is_refused_without_repeating_it(database: str) -> None:
    """A password is in it, perhaps, and errors end up in logs."""
    (problem,) = problems(database)
    assert problem.startswith("must be `") and SECRET not in problem


def problems(database: str) -> list[str]:
    found: list[str] = []

    def refuse(key: Key, message: str) -> None:
        found.extend([message] if key == ("server", "database") else [])

    check(Settings(server=ServerSettings(database=database)), Names({}), refuse)
    return found


@pytest.mark.parametrize(
    "database",
    [
        "postgresql://gate:s3cret@db/headgate",
        "postgresql://db/headgate?user=gate&password=s3cret&sslmode=require",
    ],
)
def test_its_password_is_shown_nowhere(database: str, tmp_path: Path) -> None:
    """Not in `config show`, not where a gateway says what it stands on, not in a traceback."""
    server = ServerSettings(database=database)
    configuration = Configuration(Settings(server=server), "0", tmp_path / "headgate.toml")
    for text in (json.dumps(redacted(configuration)), shown_database(database), repr(server)):
        assert SECRET not in text and "db/headgate" in text
    assert SECRET not in without_credentials(f"cannot reach {database}")


@pytest.mark.parametrize(
    ("database", "shown"),
    [
        ("postgresql://gate:s3cret@db:5432/headgate?sslmode=require", "postgresql://gate@db:5432/headgate"),
        ("postgresql://gate:p@s3cret@db/headgate", "postgresql://..."),
        ("postgresql://gate:p/s3cret@db/headgate", "postgresql://..."),
        ("postgresql://gate:s3cret?x@db/headgate", "postgresql://..."),
        ("postgres://db/headgate?user=gate&password=s3cret", "postgres://db/headgate"),
        ("postgresql:///headgate?host=/run/postgresql", "postgresql:///headgate"),
        ("postgresql://gate:s3cret@a:1,b:2/headgate", "postgresql://gate@a:1,b:2/headgate"),
        ("postgresql://gate@[::1]:5432/headgate", "postgresql://gate@[::1]:5432/headgate"),
    ],
)
def test_an_address_is_shown_without_its_password(database: str, shown: str) -> None:
    """Not even one that was not written as an address wants it."""
    assert shown_database(database) == shown


def test_a_file_is_shown_as_its_path() -> None:
    """And is no server."""
    assert shown_database("sqlite:///a/b.db") == "a/b.db"
    assert not is_postgres("sqlite:///postgresql://x")
