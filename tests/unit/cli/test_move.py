"""`headgate move`: what it takes, and what it refuses before it touches anything."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from headgate.cli import main

__all__: list[str] = []

TARGET = "postgresql://gate:s3cret@127.0.0.1:9/headgate"


def move(*arguments: str, code: int, **environment: str) -> str:
    result = CliRunner(env=environment).invoke(main, ["move", *arguments])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output and "s3cret" not in result.output
    return result.output


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HEADGATE_MOVE_TO", raising=False)
    return tmp_path


def test_it_moves_from_a_file_to_a_server_alone() -> None:
    """Both are said by their address; the other way round is told to be none."""
    assert "FROM must be" in move("headgate.db", TARGET, code=2)
    assert "FROM must be" in move(TARGET, "sqlite:///headgate.db", code=2)
    assert "TO must be" in move("sqlite:///headgate.db", "sqlite:///other.db", code=2)
    assert "TO must be" in move("sqlite:///headgate.db", "postgresql+asyncpg://gate:s3cret@db/x", code=2)
    assert "Missing argument 'TO'" in move("sqlite:///headgate.db", code=2)


def test_a_file_that_is_not_there_is_not_made(folder: Path) -> None:
    """A wrong path would otherwise move an empty installation."""
    assert "headgate.db is not there" in move("sqlite:///headgate.db", TARGET, code=1)
    assert list(folder.iterdir()) == []


def test_records_that_wait_in_a_journal_are_not_left_behind(folder: Path) -> None:
    """Of a gateway that runs, and of one that was killed: their place in the journal is known by this database alone."""
    with closing(sqlite3.connect(folder / "headgate.db")):
        pass
    (folder / "headgate.journal").mkdir()
    (folder / "headgate.journal" / "1-2-3.lock").touch()
    said = move("sqlite:///headgate.db", TARGET, code=1)
    assert "a gateway uses headgate.db, or was killed" in said and "start it once more and stop it" in said


def test_a_server_that_does_not_answer_is_told(folder: Path) -> None:
    """With the address it was looked for at, from the environment too."""
    with closing(sqlite3.connect(folder / "headgate.db")):
        pass
    said = move("sqlite:///headgate.db", code=1, HEADGATE_MOVE_TO=TARGET)
    assert "postgresql://gate@127.0.0.1:9/headgate" in said
