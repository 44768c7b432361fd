"""`headgate secrets` on an installation that is not running."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from click.testing import CliRunner

from headgate.cli import main
from headgate.stores.sealing import Sealer, new_master_key

__all__: list[str] = []

CONFIG = """
[providers.openai]
kind = "openai"
api_key = "secret:openai"
"""
VALUE = "sk-live-0123456789"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HEADGATE_CONFIG", raising=False)
    monkeypatch.setenv("SUDO_USER", "ann")
    monkeypatch.setenv("HEADGATE_SECRET_KEY", new_master_key())
    monkeypatch.delenv("HEADGATE_SECRET_KEY_OLD", raising=False)
    (tmp_path / "headgate.toml").write_text(CONFIG)
    return tmp_path


def run(*arguments: str, said: str = "", code: int = 0) -> Any:
    result = CliRunner().invoke(main, [*arguments], input=said)
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert VALUE not in result.output
    return result


def give(*more: str, **settings: Any) -> Any:
    return run("secrets", "set", "openai", "--host", "api.openai.com", *more, said=f"{VALUE}\n", **settings)


def listed() -> Any:
    return json.loads(run("secrets", "list", "--json").stdout)


def test_a_secret_is_given_listed_and_removed() -> None:
    """Whose it is, for which host, and never its value."""
    told = give()
    assert "for api.openai.com alone" in told.stderr and "used by openai" in told.stderr
    (secret,) = listed()
    assert (secret["name"], secret["hosts"], secret["used_by"], secret["state"]) == (
        "openai",
        ["api.openai.com"],
        ["openai"],
        "opens here",
    )
    assert "api.openai.com" in run("secrets", "list").stdout
    assert "--force" in run("secrets", "remove", "openai", code=1).stderr
    run("secrets", "remove", "openai", "--force")
    assert listed() == []


def test_a_value_as_an_argument_is_refused_and_not_repeated() -> None:
    """It would stand in the shell's history; whoever tried is told so."""
    told = run("secrets", "set", "openai", VALUE, "--host", "h", code=2)
    assert "shell's history" in told.stderr
    assert listed() == []


@pytest.mark.parametrize(
    ("name", "host", "value", "says"),
    [
        ("openai", "https://api.openai.com/v1", VALUE, "is not a host"),
        ("open ai", "api.openai.com", VALUE, "a secret's name"),
        ("openai", "api.openai.com", "", "is empty"),
        ("openai", "api.openai.com", f"{VALUE}\nmore", "characters that no header may"),
        ("openai", "api.openai.com", f"{VALUE}é", "characters that no header may"),
        ("openai", "api.openai.com", f" {VALUE}", "blanks around it"),
    ],
)
def test_what_cannot_be_kept_is_refused_in_words(name: str, host: str, value: str, says: str) -> None:
    """Code 2, nothing kept, nothing repeated."""
    assert says in run("secrets", "set", name, "--host", host, said=value, code=2).stderr
    assert listed() == []


def test_without_a_master_key_nothing_is_kept_and_it_is_said_how_to_make_one(monkeypatch) -> None:
    """What is there is listed all the same."""
    give()
    monkeypatch.delenv("HEADGATE_SECRET_KEY")
    assert "headgate secrets new-key" in give(code=1).stderr
    assert listed()[0]["state"].startswith("not tried")


def test_new_keys_can_be_used_at_once(monkeypatch) -> None:
    """Only the key goes to standard output."""
    monkeypatch.setenv("HEADGATE_SECRET_KEY", run("secrets", "new-key").stdout.strip())
    give()
    assert listed()[0]["state"] == "opens here"


def test_keys_are_rotated(monkeypatch) -> None:
    """With the old key at hand; afterwards without it. Without it nothing is changed."""
    give()
    old, new = os.environ["HEADGATE_SECRET_KEY"], new_master_key()
    monkeypatch.setenv("HEADGATE_SECRET_KEY", new)
    assert listed()[0]["state"] == "under a key that is not here"
    assert "HEADGATE_SECRET_KEY_OLD" in run("secrets", "rotate", code=1).stderr
    monkeypatch.setenv("HEADGATE_SECRET_KEY_OLD", old)
    assert "1 secret encrypted anew" in run("secrets", "rotate").stderr
    monkeypatch.delenv("HEADGATE_SECRET_KEY_OLD")
    (secret,) = listed()
    assert secret["state"] == "opens here"
    assert secret["master"] == Sealer.from_environment({"HEADGATE_SECRET_KEY": new}).master


def test_every_change_is_in_the_audit_log_without_the_value(monkeypatch) -> None:
    """Who, what, when, for which host before and after."""
    give()
    give("--host", "eu.api.openai.com")
    run("secrets", "rotate")
    run("secrets", "remove", "openai", "--force")
    entries = json.loads(run("audit", "list", "--json").stdout)
    assert [entry["action"] for entry in entries] == [
        "secret.set",
        "secret.set",
        "secret.rotate",
        "secret.remove",
    ]
    assert {entry["actor"] for entry in entries} == {"cli:ann"}
    assert entries[1]["before"]["hosts"] == ["api.openai.com"]
    assert entries[1]["after"]["hosts"] == ["api.openai.com", "eu.api.openai.com"]
    assert entries[2]["after"]["secrets"] == ["openai"] and entries[3]["after"] is None


def test_a_name_that_is_not_there_is_answered_with_the_nearest() -> None:
    """As everywhere."""
    give()
    assert "did you mean `openai`?" in run("secrets", "remove", "opnai", code=1).stderr


def test_check_says_where_keys_come_from_and_what_is_wrong_with_them(folder) -> None:
    """Not there, not for this host, all well."""
    assert "there is no secret `openai`" in run("check", code=2).stderr
    run("secrets", "set", "openai", "--host", "other.test", said=VALUE)
    assert "may be sent to other.test alone" in run("check", code=2).stderr
    give()
    assert "openai: secret `openai` of the database; sent to api.openai.com alone." in run("check").stdout
    assert json.loads(run("check", "--json").stdout)["keys"] == {
        "openai": "secret `openai` of the database; sent to api.openai.com alone"
    }


def test_the_database_holds_nothing_of_the_value(folder) -> None:
    """Neither the file nor what SQLite keeps beside it."""
    give()
    for file in folder.glob("headgate.db*"):
        assert VALUE.encode() not in file.read_bytes()
