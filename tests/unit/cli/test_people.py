"""`headgate people`: added, listed, changed, disabled, from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from headgate.cli import main

__all__: list[str] = []

PASSWORD = "correct horse battery\n"


@pytest.fixture
def people(tmp_path: Path) -> Any:
    config = tmp_path / "headgate.toml"
    config.write_text(f'[server]\ndatabase = "sqlite:///{tmp_path / "headgate.db"}"\n')

    def run(*arguments: str, text: str = PASSWORD) -> Any:
        return CliRunner().invoke(main, ["people", *arguments, "--config", str(config)], input=text)

    return run


def test_somebody_is_added_listed_changed_and_disabled(people: Any) -> None:
    """Each says what it did; the list is for people and for scripts."""
    assert "add EMAIL --role owner" in people("list").output
    added = people("add", "Ann@Example.com", "--role", "owner", "--password-file", "-")
    assert added.exit_code == 0 and "ann@example.com" in added.output and "as owner" in added.output
    assert "is developer, viewer now" in people("roles", "ann@example.com", "viewer", "developer").output
    assert people("passwd", "ann@example.com", "--password-file", "-").exit_code == 0
    assert "may not sign in any more" in people("disable", "ann@example.com").output
    [told] = json.loads(people("list", "--json").stdout)
    assert (
        told["signs_in"] == "disabled" and told["roles"] == "developer, viewer" and "argon2" not in str(told)
    )
    assert "may sign in again" in people("disable", "ann@example.com", "--undo").output
    assert "ann@example.com" in people("list").output


def test_mistakes_are_told_with_what_would_be_right(people: Any) -> None:
    """The nearest address, the nearest role, the shortest password."""
    people("add", "ann@example.com", "--password-file", "-")
    near = people("disable", "an@example.com")
    assert near.exit_code == 1 and "ann@example.com" in near.output
    role = people("add", "bo@example.com", "--role", "develper", "--password-file", "-")
    assert role.exit_code == 2 and "developer" in role.output
    assert people("add", "bo", "--password-file", "-").exit_code == 2
    short = people("add", "bo@example.com", "--password-file", "-", text="short\n")
    assert short.exit_code == 2 and "at least 12 characters" in short.output
    assert people("add", "ann@example.com", "--password-file", "-").exit_code == 1
    assert people("add", "bo@example.com", "--no-password").exit_code == 0
